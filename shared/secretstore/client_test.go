package secretstore_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

func TestUnreachable(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		kind error
		says string
	}{
		"refused":        {map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, rotation.ErrUnreachable, "connection refused"},
		"no name":        {map[string]string{"AWS_ENDPOINT_URL": "http://no-such-host.invalid"}, rotation.ErrUnreachable, "resolve"},
		"no credentials": {map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, rotation.ErrDenied, "no credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hidden-key", "AWS_MAX_ATTEMPTS": "2"}
			for k, v := range c.env {
				env[k] = v
			}
			client, err := secretstore.Client(environment(env))
			if err != nil {
				t.Fatal(err)
			}
			_, err = secretstore.New(client).Describe(t.Context(), "s")
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || rotation.Hint(err) == "" {
				t.Errorf("got %v (%s)", err, rotation.Hint(err))
			}
			if strings.Contains(err.Error(), "hidden-key") {
				t.Error("the error holds a credential")
			}
		})
	}
}

func TestTLSOfTheEndpoint(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	client, err := secretstore.Client(environment(map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_ENDPOINT_URL": server.URL, "AWS_MAX_ATTEMPTS": "1",
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = secretstore.New(client).Describe(t.Context(), "s")
	if !errors.Is(err, rotation.ErrTLS) || !strings.Contains(rotation.Hint(err), "AWS_CA_BUNDLE") {
		t.Errorf("got %v (%s)", err, rotation.Hint(err))
	}
}

func TestSettings(t *testing.T) {
	base := map[string]string{"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_SESSION_TOKEN": "session"}
	for name, c := range map[string]struct {
		env   map[string]string
		check func(sdk.Options) bool
		fails string
	}{
		"default Region":      {nil, func(o sdk.Options) bool { return o.Region == "eu-west-1" && o.BaseEndpoint == nil }, ""},
		"Region":              {map[string]string{"AWS_REGION": "eu-west-2"}, func(o sdk.Options) bool { return o.Region == "eu-west-2" }, ""},
		"no Region":           {map[string]string{"AWS_DEFAULT_REGION": ""}, nil, "AWS_REGION"},
		"endpoint":            {map[string]string{"AWS_ENDPOINT_URL": "http://a"}, endpoint("http://a"), ""},
		"endpoint of service": {map[string]string{"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://b"}, endpoint("http://b"), ""},
		"templates' endpoint": {map[string]string{"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://b", "SECRETS_MANAGER_ENDPOINT": "http://c"}, endpoint("http://c"), ""},
		"endpoints ignored":   {map[string]string{"AWS_ENDPOINT_URL": "http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, func(o sdk.Options) bool { return o.BaseEndpoint == nil }, ""},
		"FIPS":                {map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, func(o sdk.Options) bool { return o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled }, ""},
		"dual stack": {map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}, func(o sdk.Options) bool {
			return o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled
		}, ""},
		"attempts":     {map[string]string{"AWS_MAX_ATTEMPTS": "4"}, func(o sdk.Options) bool { return o.Retryer.MaxAttempts() == 4 }, ""},
		"bad attempts": {map[string]string{"AWS_MAX_ATTEMPTS": "many"}, nil, "AWS_MAX_ATTEMPTS"},
		"no bundle":    {map[string]string{"AWS_CA_BUNDLE": "no/such/file"}, nil, "AWS_CA_BUNDLE"},
		"empty bundle": {map[string]string{"AWS_CA_BUNDLE": "secretstore_test.go"}, nil, "AWS_CA_BUNDLE"},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{}
			for _, m := range []map[string]string{base, c.env} {
				for k, v := range m {
					env[k] = v
				}
			}
			client, err := secretstore.Client(environment(env))
			switch {
			case c.fails != "":
				if !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v, want a configuration error about %s", err, c.fails)
				}
			case err != nil:
				t.Error(err)
			case !c.check(client.Options()):
				t.Error("the setting has no effect")
			}
		})
	}
	client, err := secretstore.Client(environment(base))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := client.Options().Credentials.Retrieve(t.Context()); err != nil || c.SessionToken != "session" {
		t.Errorf("credentials: %v", err)
	}
}

func endpoint(want string) func(sdk.Options) bool {
	return func(o sdk.Options) bool { return aws.ToString(o.BaseEndpoint) == want }
}
