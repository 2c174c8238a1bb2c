package onemachine

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// A request reaches the service that it is signed for, and Secrets Manager if it is for none
// of the others; a service is stopped once.
func TestServices(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stopped := 0
	m, err := Start(Options{
		Listener: listener, Service: secretsmanager.Options{Region: "us-east-1"},
		Services: Services{"scheduler": func(m *Machine) (Service, error) {
			return Service{
				API:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a schedule") }),
				Stop: func() error { stopped++; return nil },
			}, nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for signedFor, want := range map[string]string{"scheduler": "a schedule", "secretsmanager": `"SecretList"`, "other": `"SecretList"`, "lambda": "the stand-in for Lambda", "": `"SecretList"`} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, m.Endpoint, strings.NewReader("{}"))
		r.Header.Set("X-Amz-Target", "secretsmanager.ListSecrets")
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		if signedFor != "" {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/"+signedFor+"/aws4_request, SignedHeaders=host, Signature=0")
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if !strings.Contains(string(body), want) {
			t.Errorf("signed for %q: %s", signedFor, body)
		}
	}
	if err := m.Close(); err != nil || stopped != 1 {
		t.Errorf("closing: %v, stopped %d times", err, stopped)
	}
}
