package account_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/local/awsjson"
	"github.com/rekey-aws/rekey/local/cloudwatchlogs"
	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/shared/audit/account"
	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

var clock = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// environment is that of a function whose AWS is this handler.
func environment(t *testing.T, api http.Handler) func(string) (string, bool) {
	t.Helper()
	web := httptest.NewServer(api)
	t.Cleanup(web.Close)
	return func(name string) (string, bool) {
		v, ok := map[string]string{
			"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": web.URL, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "example", "AWS_MAX_ATTEMPTS": "1",
		}[name]
		return v, ok
	}
}

func newAccount(t *testing.T, api http.Handler, now func() time.Time) (*account.Account, *sdk.Client) {
	t.Helper()
	lookup := environment(t, api)
	s, err := awsclient.Read(lookup)
	if err != nil {
		t.Fatal(err)
	}
	client, err := secretstore.Client(lookup)
	if err != nil {
		t.Fatal(err)
	}
	return account.New(s, now), client
}

// A sink's secret is read once in five minutes, and anew when it is asked for.
func TestValue(t *testing.T) {
	t.Parallel()
	var reads atomic.Int32
	manager, err := secretsmanager.New(secretsmanager.Options{OnCall: func(c secretsmanager.Call) {
		if c.Operation == "GetSecretValue" {
			reads.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	now := clock
	a, client := newAccount(t, manager, func() time.Time { return now })
	if _, err := client.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("first")}); err != nil {
		t.Fatal(err)
	}
	value := func(anew bool) string {
		t.Helper()
		v, err := a.Value(t.Context(), "s", anew)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(fmt.Sprint(v), v.Reveal()) {
			t.Error("the value prints")
		}
		return v.Reveal()
	}
	for range 3 {
		value(false)
	}
	if reads.Load() != 1 {
		t.Errorf("%d reads", reads.Load())
	}
	if _, err := client.PutSecretValue(t.Context(), &sdk.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("second")}); err != nil {
		t.Fatal(err)
	}
	if value(false) != "first" || value(true) != "second" || value(false) != "second" || reads.Load() != 2 {
		t.Errorf("it is %s after %d reads", value(false), reads.Load())
	}
	now = now.Add(6 * time.Minute)
	if value(false); reads.Load() != 3 {
		t.Errorf("%d reads", reads.Load())
	}
	if _, err := a.Value(t.Context(), "none", false); !errors.Is(err, rotation.ErrConfig) || rotation.Hint(err) == "" {
		t.Errorf("a secret that is not there: %v", err)
	}
}

// Pages are what the detector needs to know of secrets, those of a tag too.
func TestPages(t *testing.T) {
	t.Parallel()
	manager, err := secretsmanager.New(secretsmanager.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	a, client := newAccount(t, manager, nil)
	const many = 230
	for n := range many {
		in := &sdk.CreateSecretInput{Name: aws.String(fmt.Sprint("s-", n)), SecretString: aws.String("v")}
		if n == 7 {
			in.Tags = []types.Tag{{Key: aws.String("decoy"), Value: aws.String("yes")}}
		}
		if _, err := client.CreateSecret(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	count := func(tag string) (secrets, pages int) {
		for from := ""; ; {
			page, next, err := a.Page(t.Context(), from, tag)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range page {
				if m.Secret.Name == "" || m.Secret.Account != "123456789012" || m.Secret.Region != "us-east-1" || m.RotationEnabled {
					t.Errorf("listed %+v", m)
				}
			}
			secrets, pages = secrets+len(page), pages+1
			if from = next; next == "" {
				return secrets, pages
			}
		}
	}
	if secrets, pages := count(""); secrets != many || pages != 3 {
		t.Errorf("%d secrets in %d pages", secrets, pages)
	}
	if secrets, _ := count("decoy"); secrets != 1 {
		t.Errorf("%d decoys", secrets)
	}
	if _, _, err := a.Page(t.Context(), "nonsense", ""); !errors.Is(err, rotation.ErrNotFound) {
		t.Errorf("a place that is none: %v", err)
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	var fault *awsjson.Error
	logs := cloudwatchlogs.New(cloudwatchlogs.Options{Now: func() time.Time { return clock }, Fault: func(string) *awsjson.Error { return fault }})
	group := logs.Group("/g")
	for n := range 3000 {
		if _, err := fmt.Fprintf(group, `{"level":"INFO","n":"%d"}`+"\n", n%2000); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := newAccount(t, logs, nil)
	lines := func(pattern string, from time.Time) ([]string, error) {
		return a.Lines(t.Context(), "/g", pattern, from, clock.Add(time.Minute), 10)
	}
	if got, err := lines(`{ $.n = "999" && $.level = "INFO" }`, clock); err != nil || len(got) != 2 || got[0] != `{"level":"INFO","n":"999"}` {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := lines(`{ $.n = "999" }`, clock.Add(time.Second)); err != nil || len(got) != 0 {
		t.Errorf("of another time: %v, %v", got, err)
	}
	if got, err := lines(`{ $.level = "INFO" }`, clock); err != nil || len(got) != 10 {
		t.Errorf("%d lines of ten, %v", len(got), err)
	}
	if _, err := a.Lines(t.Context(), "/none", `{ $.n = "1" }`, clock, clock, 1); !errors.Is(err, rotation.ErrNotFound) {
		t.Errorf("no log group: %v", err)
	}
	for n := range 2000 { // a page of six that match, and one of more than there is room for
		if _, err := fmt.Fprintf(logs.Group("/six"), `{"found":"%t"}`+"\n", n < 6 || n >= 1500); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := a.Lines(t.Context(), "/six", `{ $.found = "true" }`, clock, clock.Add(time.Minute), 10); err != nil || len(got) != 10 {
		t.Errorf("%d lines of ten in two pages, %v", len(got), err)
	}
	fault = awsjson.Refuse("AccessDeniedException", "no")
	if _, err := lines(`{ $.n = "1" }`, clock); !errors.Is(err, rotation.ErrDenied) || !strings.Contains(rotation.Hint(err), "logs:FilterLogEvents") {
		t.Errorf("denied: %v", err)
	}
}
