package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/client"
	"github.com/rekey-aws/rekey/shared/rotation"
)

func TestFromAPI(t *testing.T) {
	t.Parallel()
	api := stored(t)
	if _, err := api.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("binary"), SecretBinary: []byte{0, 1, 2}}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("empty")}); err != nil {
		t.Fatal(err)
	}
	cache := client.New(client.FromAPI(api), client.Options{})
	defer cache.Close()

	s, err := cache.Get(t.Context(), "prod/db")
	if err != nil || s.Text() != `{"password": "example"}` || s.Version == "" || !strings.Contains(s.ARN, ":secret:prod/db-") {
		t.Errorf("got %+v, %v", s, err)
	}
	if s, err := cache.Get(t.Context(), "binary"); err != nil || s.Text() != "\x00\x01\x02" || !s.Value.Binary() {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, id := range []string{"nobody", "empty"} {
		if _, err := cache.Get(t.Context(), id); !errors.Is(err, rotation.ErrNotFound) || rotation.Hint(err) == "" {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := api.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("prod/db")}); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.RefreshNow(t.Context(), "prod/db"); !errors.Is(err, rotation.ErrConfig) {
		t.Errorf("deleted: %v", err)
	}
}

// A fetch that is throttled until its time is over says so, and not that nobody answers.
func TestThrottled(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type": "ThrottlingException", "message": "Rate exceeded"}`))
	}))
	defer server.Close()
	api := secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 20,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	})
	cache := client.New(client.FromAPI(api), client.Options{Timeout: 100 * time.Millisecond})
	defer cache.Close()
	if _, err := cache.Get(t.Context(), "a"); !errors.Is(err, rotation.ErrThrottled) {
		t.Error(err)
	}
}

// A program without credentials of AWS is told so, and not that the route is to be looked at.
func TestNoCredentials(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{
		"of an unknown kind": errors.New("the process has printed planted"),
		"of the network":     &net.OpError{Op: "dial", Err: errors.New("no route")},
		"of another service": &smithy.GenericAPIError{Code: "AccessDenied", Message: "not authorized to perform: sts:AssumeRole"},
	} {
		api := secretsmanager.New(secretsmanager.Options{
			Region: "eu-central-1", Retryer: aws.NopRetryer{},
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, cause }),
		})
		_, err := client.FromAPI(api).Fetch(t.Context(), "a", false)
		if err == nil || !strings.Contains(err.Error(), "getting the credentials of AWS") || !strings.Contains(rotation.Hint(err), "AWS_PROFILE") || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v (%s)", name, err, rotation.Hint(err))
		}
		if !errors.Is(err, rotation.ErrUnreachable) && !errors.Is(err, rotation.ErrVendor) {
			t.Errorf("%s: a cache would forget the secret: %v", name, err)
		}
	}
}

// An agent that answers as AWS documents it.
func agent(t *testing.T, answer func(id string, refresh bool) (status int, body string)) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /secretsmanager/get", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Aws-Parameters-Secrets-Token") != "the-token" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		for name := range r.URL.Query() {
			if name != "secretId" && name != "refreshNow" {
				t.Errorf("unknown parameter %q", name)
			}
		}
		status, body := answer(r.URL.Query().Get("secretId"), r.URL.Query().Get("refreshNow") == "true")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func token() (string, error) { return "the-token\n", nil }

func source(t *testing.T, a client.Agent) client.Source {
	t.Helper()
	a.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	s, err := a.Source()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAgent(t *testing.T) {
	t.Parallel()
	asked := ""
	url := agent(t, func(id string, refresh bool) (int, string) {
		asked = fmt.Sprintf("%s %v", id, refresh)
		return 200, `{"ARN":"arn:x","Name":"prod/db","VersionId":"v1","SecretString":"pass","VersionStages":["AWSCURRENT"],"CreatedDate":"1717000000"}`
	})
	s := source(t, client.Agent{Endpoint: url, Token: token})
	got, err := s.Fetch(t.Context(), "a b&c", false)
	if err != nil || got.Text() != "pass" || got.Version != "v1" || asked != "a b&c false" {
		t.Errorf("got %+v, %v; asked for %q", got, err, asked)
	}
	if _, err := s.Fetch(t.Context(), "a", true); err != nil || asked != "a true" {
		t.Errorf("%v; asked for %q", err, asked)
	}
}

// The extension cannot be told to refresh: who needs a newer value asks elsewhere.
func TestFreshFromElsewhere(t *testing.T) {
	t.Parallel()
	url := agent(t, func(string, bool) (int, string) {
		return 200, `{"ARN":"arn:x","VersionId":"old","SecretString":"pass"}`
	})
	cache := client.New(source(t, client.Agent{Endpoint: url, Token: token, Fresh: &vault{version: 7}}), client.Options{})
	defer cache.Close()
	if s, err := cache.Get(t.Context(), "a"); err != nil || s.Version != "old" {
		t.Fatalf("got %+v, %v", s, err)
	}
	if s, err := cache.Newer(t.Context(), "a", "old"); err != nil || s.Version != "7" {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestAgentsRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		kind   error
	}{
		{400, `{"__type":"com.amazonaws.secretsmanager#ResourceNotFoundException","message":"no"}`, rotation.ErrNotFound},
		{400, `{"__type":"AccessDeniedException"}`, rotation.ErrDenied},
		{400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, rotation.ErrThrottled},
		{400, `{"__type":"ExpiredTokenException","message":"expired"}`, rotation.ErrDenied},
		{400, `{"__type":"InternalFailure","message":""}`, rotation.ErrVendor},
		{404, ``, rotation.ErrNotFound},
		{403, `not a token`, rotation.ErrDenied},
		{429, ``, rotation.ErrThrottled},
		{400, ``, rotation.ErrConfig},
		{500, `{"SecretString":"planted"}`, rotation.ErrVendor},
		{302, ``, rotation.ErrConfig},
		{200, `{"SecretString":"planted"`, rotation.ErrVendor},
		{200, `"planted"`, rotation.ErrVendor},
	} {
		url := agent(t, func(string, bool) (int, string) { return c.status, c.body })
		_, err := source(t, client.Agent{Endpoint: url, Token: token}).Fetch(t.Context(), "a", false)
		if !errors.Is(err, c.kind) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
	}
	s := source(t, client.Agent{Endpoint: "http://127.0.0.1:1", Token: token})
	if _, err := s.Fetch(t.Context(), "a", false); !errors.Is(err, rotation.ErrUnreachable) {
		t.Errorf("no agent: %v", err)
	}
	url := agent(t, func(string, bool) (int, string) { return 200, "" })
	s = source(t, client.Agent{Endpoint: url, Token: func() (string, error) { return "other", nil }})
	if _, err := s.Fetch(t.Context(), "a", false); !errors.Is(err, rotation.ErrDenied) {
		t.Errorf("another token: %v", err)
	}
	for says, failure := range map[string]func() (string, error){
		"no-such-token: ": func() (string, error) { _, err := os.ReadFile("testdata/no-such-token"); return "", err },
		"cannot be read:": func() (string, error) { return "", errors.New("planted") },
	} {
		s = source(t, client.Agent{Endpoint: url, Token: failure})
		if _, err := s.Fetch(t.Context(), "a", false); !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "planted") {
			t.Errorf("no token: %v", err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Fetch(ended, "a", false); err == nil {
		t.Error("asked after the context had ended")
	}
}

func TestAgentsSettings(t *testing.T) {
	t.Parallel()
	for _, a := range []client.Agent{
		{Endpoint: "http://secrets.example.com:2773", Token: token},
		{Endpoint: "https://localhost:2773", Token: token},
		{Endpoint: "localhost:2773", Token: token},
		{Endpoint: "http://localhost:2773"},
	} {
		if _, err := a.Source(); !errors.Is(err, rotation.ErrConfig) || rotation.Hint(err) == "" {
			t.Errorf("%+v: %v", a.Endpoint, err)
		}
	}
}
