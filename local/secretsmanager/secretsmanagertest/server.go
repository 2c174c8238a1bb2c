// Package secretsmanagertest gives Go tests a Secrets Manager of their own, in this process:
//
//	client := secretsmanager.NewFromConfig(secretsmanagertest.New(t).Config())
package secretsmanagertest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// Server is a local Secrets Manager on a loopback port. It ends with its test.
type Server struct {
	*secretsmanager.Server
	URL string // for AWS_ENDPOINT_URL, --endpoint-url, and BaseEndpoint of an SDK

	region string
	client *http.Client
}

// New starts a server: with the options, or as secretsmanager.New makes it without any. It
// is empty, in memory, and shares nothing with other tests, so that tests may run in
// parallel. When the test ends it is closed, rotations that are under way with it. Schedules
// and recovery windows move only when the test calls RunDue or Run.
func New(t testing.TB, options ...secretsmanager.Options) *Server {
	t.Helper()
	o := secretsmanager.Options{}
	if len(options) > 1 {
		t.Fatalf("starting a local Secrets Manager: %d sets of options, want one at most", len(options))
	}
	if len(options) == 1 {
		o = options[0]
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	manager, err := secretsmanager.New(o)
	if err != nil {
		t.Fatalf("starting a local Secrets Manager: %v", err)
	}
	web := httptest.NewServer(manager)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
		if err := manager.Close(); err != nil {
			t.Errorf("closing the local Secrets Manager: %v", err)
		}
	})
	return &Server{Server: manager, URL: web.URL, region: o.Region, client: web.Client()}
}

// Config is an SDK configuration for the server, with placeholder credentials. Nothing of
// the environment, its credentials, or ~/.aws is in it. Change what the test needs changed.
func (s *Server) Config() aws.Config {
	return aws.Config{
		Region:       s.region,
		BaseEndpoint: aws.String(s.URL),
		HTTPClient:   s.client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test", Source: "secretsmanagertest"}, nil
		}),
	}
}

// Env is the same for a program that the test starts, as variables for exec.Cmd's Env.
func (s *Server) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + s.URL, "AWS_REGION=" + s.region, "AWS_DEFAULT_REGION=" + s.region,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
	}
}
