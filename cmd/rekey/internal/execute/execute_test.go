package execute

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/client"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/shared/rotation"
)

func secret(arn, value string) *client.Secret {
	return client.NewSecret(arn, "1", rotation.TextValue(value), time.Now())
}

func TestParse(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/app-AbCdEf"
	for given, want := range map[string]wanted{
		"prod/app":            {name: "prod/app"},
		"prod/app=DB":         {name: "prod/app", prefix: "DB", chosen: true},
		"prod/app=":           {name: "prod/app", chosen: true},
		"a=b=C":               {name: "a=b", prefix: "C", chosen: true},
		arn:                   {name: arn},
		arn + "#key=TF_VAR_k": {name: arn, key: "key", prefix: "TF_VAR_k", chosen: true},
		"app#a b/c":           {name: "app", key: "a b/c"},
		"app#a#b=C":           {name: "app", key: "a#b", prefix: "C", chosen: true},
	} {
		if got, err := parse(given); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", given, got, err, want)
		}
	}
	for _, given := range []string{"", "=A", "#key", "app#", "app#=A", "app#key=", "app=1A", "app=A-B", "app=A B"} {
		if got, err := parse(given); !errors.As(err, new(*usage.Error)) {
			t.Errorf("%q: %+v, %v", given, got, err)
		}
	}
}

func TestDefaultPrefix(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
	for name, want := range map[string]string{
		"prod/app": "APP", "app": "APP", "prod/orders-db": "ORDERS_DB", "a/2fa": "_2FA", "a/b/": "B_", "schlüssel": "SCHL_SSEL",
		"looks-like-suffix": "LOOKS_LIKE_SUFFIX",
	} {
		if got := defaultPrefix(arn+name+"-AbCdEf", "whatever"); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if got := defaultPrefix("", name); got != want {
			t.Errorf("%s without an ARN: %s, want %s", name, got, want)
		}
	}
}

func TestTooLong(t *testing.T) {
	v := variable{name: "KEY", value: rotation.TextValue(strings.Repeat("x", maxString()-len("KEY=")-1)), of: wanted{name: "app"}, key: "key"}
	if err := admissible(v); err != nil {
		t.Error(err)
	}
	v.value = rotation.TextValue(v.value.Reveal() + "x")
	if err := admissible(v); err == nil || !strings.Contains(err.Error(), "app#key has ") || !strings.Contains(err.Error(), "--files") {
		t.Errorf("got %v", err)
	}
}

// When there is no time for another attempt, the answer of the last one is told.
func TestThrottled(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
	}))
	t.Cleanup(web.Close)
	api := secretsmanager.New(secretsmanager.Options{
		Region: "eu-west-1", BaseEndpoint: &web.URL, Credentials: credentials.NewStaticCredentialsProvider("me", "none", ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 0 }), // for ever
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := (source{api}).Fetch(ctx, "app", true); !errors.Is(err, rotation.ErrThrottled) {
		t.Errorf("got %v", err)
	}
}

// counting makes a new version at each look.
type counting struct{ calls atomic.Int64 }

func (c *counting) Fetch(context.Context, string, bool) (*client.Secret, error) {
	return client.NewSecret("", strconv.FormatInt(c.calls.Add(1), 10), rotation.TextValue(`{}`), time.Now()), nil
}

// A user and a password of one secret are of one version, which costs one call a look.
func TestOneVersion(t *testing.T) {
	t.Parallel()
	source := &counting{}
	cache := client.New(source, client.Options{})
	t.Cleanup(cache.Close)
	r := reader{cache: cache}
	for i := range 20 {
		r.wanted = append(r.wanted, wanted{name: "app", key: strconv.Itoa(i)})
	}
	if err := r.first(t.Context()); err != nil {
		t.Fatal(err)
	}
	for look := range 20 {
		for _, h := range r.current {
			if want := strconv.Itoa(look + 1); h.secret.Version != want {
				t.Fatalf("look %d has version %s", look, h.secret.Version)
			}
		}
		var err error
		if r.current, err = r.newer(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReserved(t *testing.T) {
	for _, name := range []string{"PATH", "path", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "BASH_FUNC_x", "IFS", "ENV", "NODE_OPTIONS", "PYTHONPATH", "GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "PATHEXT", "https_proxy"} {
		if !reserved(name) {
			t.Errorf("%s is not reserved", name)
		}
	}
	for _, name := range []string{"DB_PATH", "PGPASSWORD", "GIT_TOKEN", "AWS_ACCESS_KEY_ID", "TOKEN", "OLD_PASSWORD", "USERNAME"} {
		if reserved(name) {
			t.Errorf("%s is reserved", name)
		}
	}
}

var variableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Whatever a secret is called and holds, its variables have names that variables can have, and
// errors that quote no value.
func FuzzVariables(f *testing.F) {
	f.Add("prod/app=DB", `{"password": "p", "port": 5432, "": true, "ü": null}`)
	f.Add("prod/2", `{"2fa": "x"}`)
	f.Add("a=", `{"1": {}, "a b": []}`)
	f.Add("a#b=C", `{"b": "x"}`)
	f.Add("a", `{"a": 1, "a": 2}`)
	f.Add("///", "{")
	f.Fuzz(func(t *testing.T, given, value string) {
		w, err := parse(given)
		if err != nil {
			return
		}
		for _, whole := range []bool{false, true} {
			variables, err := variablesOf(w, secret("", value), whole)
			for _, v := range variables {
				if !variableForm.MatchString(v.name) {
					t.Errorf("%q of %q: the name %q", given, value, v.name)
				}
			}
			if err == nil && len(variables) == 0 && !strings.HasPrefix(strings.TrimSpace(value), "{") {
				t.Errorf("%q of %q: nothing", given, value)
			}
		}
	})
}
