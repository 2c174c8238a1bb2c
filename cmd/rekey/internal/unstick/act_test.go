package unstick

import (
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/doctor"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// race is a repair whose diagnosis is of a moment ago: version a was AWSCURRENT and b AWSPENDING.
func race(t *testing.T) *repair {
	t.Helper()
	server, err := secretsmanager.New(secretsmanager.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &repair{
		api: sdk.New(sdk.Options{
			Region: "us-east-1", BaseEndpoint: &web.URL, Credentials: credentials.NewStaticCredentialsProvider("me", "none", ""), RetryMaxAttempts: 1,
		}),
		screen: terminal.Plain(io.Discard), examined: time.Now(),
	}
	made, err := r.api.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: aws.String("app"), SecretString: aws.String("a"), ClientRequestToken: aws.String(a)})
	if err != nil {
		t.Fatal(err)
	}
	r.report = &doctor.Report{Secret: *made.ARN, Name: "app", Labels: map[string][]string{a: {"AWSCURRENT"}, b: {"AWSPENDING"}}}
	r.store(t, b, "AWSPENDING")
	return r
}

const (
	a = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
	b = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
	c = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
)

func (r *repair) store(t *testing.T, version, label string) {
	t.Helper()
	_, err := r.api.PutSecretValue(t.Context(), &sdk.PutSecretValueInput{
		SecretId: &r.report.Secret, ClientRequestToken: &version, SecretString: &version, VersionStages: []string{label},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (r *repair) labels(t *testing.T) map[string][]string {
	t.Helper()
	out, err := r.api.DescribeSecret(t.Context(), &sdk.DescribeSecretInput{SecretId: &r.report.Secret})
	if err != nil {
		t.Fatal(err)
	}
	return out.VersionIdsToStages
}

// Somebody who is a moment faster is seen before the first step, and where not, refused by
// Secrets Manager: nothing of theirs is undone.
func TestSomebodyIsFaster(t *testing.T) {
	t.Parallel()
	r := race(t)
	if fresh, err := r.stillSo(t.Context(), plan{}); err != nil || !fresh {
		t.Fatalf("nothing has changed: %v, %v", fresh, err)
	}
	r.store(t, c, "AWSCURRENT")
	if fresh, err := r.stillSo(t.Context(), plan{}); err != nil || fresh {
		t.Errorf("AWSCURRENT has moved: %v, %v", fresh, err)
	}
	before := r.labels(t)
	for _, s := range []step{{act: move, version: b, from: a}, {act: discard, from: c}} {
		if err := r.carryOut(t.Context(), plan{steps: []step{s}}); err == nil || !same(before, r.labels(t)) {
			t.Errorf("%s: %v, labels %v", s.said(), err, r.labels(t))
		}
	}
	if len(r.outcome.Steps) != 0 || r.outcome.Verdict != refused {
		t.Errorf("%+v", r.outcome)
	}
}

// The steps of a plan are made in their order.
func TestCarryOut(t *testing.T) {
	t.Parallel()
	r := race(t)
	if err := r.carryOut(t.Context(), plan{steps: []step{{act: move, version: b, from: a}, {act: discard, from: b}}}); err != nil {
		t.Fatal(err)
	}
	if got := r.labels(t); !same(got, map[string][]string{b: {"AWSCURRENT"}, a: {"AWSPREVIOUS"}}) || len(r.outcome.Steps) != 2 || !r.outcome.Steps[1].Done {
		t.Errorf("labels %v, %+v", got, r.outcome)
	}
}
