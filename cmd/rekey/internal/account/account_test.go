package account

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// alone makes the test's environment one without any configuration of AWS but what it writes.
func alone(t *testing.T, configuration string) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	file := filepath.Join(t.TempDir(), "config")
	t.Setenv("AWS_CONFIG_FILE", file) // HOME is read once, when the program starts
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file+".none")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
}

const profiles = `
[default]
region = eu-central-1
[profile build]
region = eu-west-3
aws_access_key_id = AKIDOFBUILD
aws_secret_access_key = unimportant
[profile adrift]
region = eu-west-1
role_arn = arn:aws:iam::123456789012:role/nobody
source_profile = absent
[profile patient]
region = eu-west-1
max_attempts = 2
[profile process]
region = eu-west-1
credential_process = exit 3
[profile words]
region = eu-west-1
max_attempts = some
[profile sso]
region = eu-west-1
sso_start_url = https://example.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = operator
`

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		flags       Flags
		environment map[string]string
		region, key string
		says        []string
	}{
		"flags":                        {flags: Flags{Profile: "build", Region: "eu-west-2"}, region: "eu-west-2", key: "AKIDOFBUILD"},
		"the profile's Region":         {flags: Flags{Profile: "build"}, region: "eu-west-3", key: "AKIDOFBUILD"},
		"the environment's profile":    {environment: map[string]string{"AWS_PROFILE": "build"}, region: "eu-west-3", key: "AKIDOFBUILD"},
		"keys win over AWS_PROFILE":    {environment: map[string]string{"AWS_PROFILE": "build", "AWS_ACCESS_KEY_ID": "AKIDOFENV", "AWS_SECRET_ACCESS_KEY": "x"}, region: "eu-west-3", key: "AKIDOFENV"},
		"a flag wins over keys":        {flags: Flags{Profile: "build"}, environment: map[string]string{"AWS_ACCESS_KEY_ID": "AKIDOFENV", "AWS_SECRET_ACCESS_KEY": "x"}, region: "eu-west-3", key: "AKIDOFBUILD"},
		"AWS_DEFAULT_REGION":           {flags: Flags{Profile: "build"}, environment: map[string]string{"AWS_DEFAULT_REGION": "us-east-1"}, region: "us-east-1", key: "AKIDOFBUILD"},
		"no credentials":               {says: []string{"no credentials of AWS were found", "AWS_PROFILE", "aws sso login"}},
		"an unknown profile":           {flags: Flags{Profile: "bild"}, says: []string{`"bild" is in no AWS configuration file`, "list-profiles"}},
		"a role from nowhere":          {flags: Flags{Profile: "adrift"}, says: []string{"nobody", "source_profile"}},
		"nobody has signed on":         {flags: Flags{Profile: "sso"}, says: []string{"single sign-on", "aws sso login --profile sso"}},
		"a process that fails":         {flags: Flags{Profile: "process"}, says: []string{"credential_process gave no credentials"}},
		"a mode of the AWS CLI alone":  {environment: map[string]string{"AWS_RETRY_MODE": "legacy"}, says: []string{"AWS_RETRY_MODE", "standard or adaptive"}},
		"as many attempts as words":    {flags: Flags{Profile: "words"}, says: []string{"max_attempts", "It is a number"}},
		"keys, and no Region anywhere": {environment: map[string]string{"AWS_CONFIG_FILE": os.DevNull, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "x"}, says: []string{"no Region", "--region"}},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t, profiles)
			for k, v := range c.environment {
				t.Setenv(k, v)
			}
			cfg, err := c.flags.Config(t.Context())
			if c.says != nil {
				for _, want := range c.says {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("got %v, want %q", err, want)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			keys, err := cfg.Credentials.Retrieve(t.Context())
			if err != nil || keys.AccessKeyID != c.key || cfg.Region != c.region {
				t.Errorf("got key %s, Region %s, %v", keys.AccessKeyID, cfg.Region, err)
			}
		})
	}
}

// As often as the AWS CLI is told to; else patiently.
func TestAttempts(t *testing.T) {
	for name, c := range map[string]struct {
		profile, attempts, mode string
		want                    int
	}{
		"as usual":         {want: usualAttempts},
		"the profile's":    {profile: "patient", want: 2},
		"the variable's":   {profile: "patient", attempts: "3", want: 3},
		"no number of any": {attempts: "-1", want: usualAttempts},
		"adaptive":         {mode: "adaptive", want: usualAttempts},
		"adaptive, so few": {mode: "adaptive", attempts: "3", want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t, profiles)
			t.Setenv("AWS_ACCESS_KEY_ID", "a")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
			t.Setenv("AWS_PROFILE", c.profile)
			t.Setenv("AWS_MAX_ATTEMPTS", c.attempts)
			t.Setenv("AWS_RETRY_MODE", c.mode)
			cfg, err := Flags{}.Config(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r := SecretsManager(cfg).Options().Retryer
			if got := r.MaxAttempts(); got != c.want {
				t.Errorf("%d attempts, want %d", got, c.want)
			}
		})
	}
}

// Where nobody listens and where the host is unknown, a person learns it at once; who throttles
// is given time.
func TestPauses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		last time.Duration // the longest pause before the last attempt
	}{
		"refused":      {dial(t, "127.0.0.1:1"), soon},
		"unknown host": {dial(t, "no-such-host.invalid:1"), soon},
		"throttled":    {&smithy.GenericAPIError{Code: "ThrottlingException"}, 16 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			longest := time.Duration(0)
			for range 100 {
				pause, err := newRetryer(0, "").RetryDelay(usualAttempts-1, c.err)
				if err != nil {
					t.Fatal(err)
				}
				longest = max(longest, pause)
			}
			if longest > c.last || longest < c.last/2 {
				t.Errorf("a pause of %v, want up to %v", longest, c.last)
			}
		})
	}
}

// Who gives credentials out and is away has not refused them; on most machines nobody does.
func TestNoCredentials(t *testing.T) {
	t.Parallel()
	away := dial(t, "127.0.0.1:1")
	for service, want := range map[string]struct {
		kind error
		says string
	}{
		"STS":    {rotation.ErrUnreachable, "credentials by Get of STS: connection refused"},
		metadata: {rotation.ErrDenied, "no credentials of AWS were found"},
	} {
		err := Flags{}.noCredentials(t.Context(), &smithy.OperationError{ServiceID: service, OperationName: "Get", Err: away})
		if !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: got %v", service, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (Flags{}).noCredentials(ctx, away); !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v", err)
	}
}

func dial(t *testing.T, address string) error {
	t.Helper()
	_, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err == nil {
		t.Fatalf("somebody listens at %s", address)
	}
	return &url.Error{Op: "Post", URL: "http://" + address, Err: err}
}

func TestExplain(t *testing.T) {
	if err := Explain(t.Context(), "DescribeSecret", nil); err != nil {
		t.Error(err)
	}
	for code, want := range map[string]struct {
		kind error
		says string
	}{
		"ResourceNotFoundException": {rotation.ErrNotFound, "--region"},
		"AccessDeniedException":     {rotation.ErrDenied, "resource policy"},
		"ExpiredTokenException":     {rotation.ErrDenied, "aws sso login"},
		"ThrottlingException":       {rotation.ErrThrottled, ""},
		"InternalServiceError":      {rotation.ErrVendor, ""},
	} {
		err := Explain(t.Context(), "DescribeSecret", &smithy.GenericAPIError{Code: code, Message: "the message"})
		if !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.says) || !strings.Contains(err.Error(), "the message") {
			t.Errorf("%s: got %v", code, err)
		}
	}
}

// No server: an error in one line about this machine's network, not about a function's.
func TestExplainNoAnswer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	})
	_, err := client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("nobody")})
	err = Explain(t.Context(), "DescribeSecret", err)
	if !errors.Is(err, rotation.ErrUnreachable) || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL") || strings.Contains(err.Error(), "function") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("nobody")})
	if err = Explain(ctx, "DescribeSecret", err); err.Error() != "DescribeSecret: interrupted" {
		t.Errorf("after Ctrl-C: %v", err)
	}
}
