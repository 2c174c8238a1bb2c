package awsclient_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// All calls of a function's life go over one connection, also to a server that answers sooner
// than net/http is done with the request.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	var connections, calls atomic.Int64
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if r.ContentLength <= 0 {
			t.Errorf("a body of %d bytes", r.ContentLength)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = w.Write([]byte(`{"Name":"s","SecretString":"example"}`))
	}))
	web.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	web.Start()
	defer web.Close()
	s := settings(t, map[string]string{"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": web.URL, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "example"})
	client := secretsmanager.New(secretsmanager.Options{Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, BaseEndpoint: s.Endpoint("SECRETS_MANAGER")})
	const many = 1000
	for range many {
		if out, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")}); err != nil || *out.SecretString != "example" {
			t.Fatal(err)
		}
		if err := s.Call(t.Context(), logs, "FilterLogEvents", struct{}{}, &struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	// net/http itself gives a connection up if its writer does not run for 50 ms.
	if connections.Load() > 3 || calls.Load() != 2*many {
		t.Errorf("%d calls over %d connections, want %d over 1", calls.Load(), connections.Load(), 2*many)
	}
}
