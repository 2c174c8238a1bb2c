package unstick

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/doctor"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/functionlog"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// race is a repair whose diagnosis is of a moment ago: version a was AWSCURRENT and b AWSPENDING.
// answer, unless it is nil, may answer a call in Secrets Manager's place.
func race(t *testing.T, answer func(w http.ResponseWriter, operation, body string, call func()) bool) *repair {
	t.Helper()
	server, err := secretsmanager.New(secretsmanager.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		q.Body = io.NopCloser(bytes.NewReader(body))
		_, operation, _ := strings.Cut(q.Header.Get("X-Amz-Target"), ".")
		if answer == nil || !answer(w, operation, string(body), func() { server.ServeHTTP(httptest.NewRecorder(), q) }) {
			server.ServeHTTP(w, q)
		}
	}))
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
	d = "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
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
	r := race(t, nil)
	if fresh, err := r.stillSo(t.Context(), plan{}); err != nil || !fresh {
		t.Fatalf("nothing has changed: %v, %v", fresh, err)
	}
	r.store(t, c, "AWSCURRENT")
	if fresh, err := r.stillSo(t.Context(), plan{}); err != nil || fresh {
		t.Errorf("AWSCURRENT has moved: %v, %v", fresh, err)
	}
	before := r.labels(t)
	if err := r.carryOut(t.Context(), plan{steps: []step{{act: move, version: b, from: a}, {act: rotate}}}); err == nil || !same(before, r.labels(t)) {
		t.Errorf("%v, labels %v", err, r.labels(t))
	}
	if len(r.outcome.Steps) != 0 {
		t.Errorf("%+v", r.outcome)
	}
	// AWSPENDING is gone, as it should be; another's stays.
	if err := r.carryOut(t.Context(), plan{steps: []step{{act: discard, from: b}}}); err != nil || !same(before, r.labels(t)) {
		t.Errorf("%v, labels %v", err, r.labels(t))
	}
	r.store(t, d, "AWSPENDING")
	if err := r.carryOut(t.Context(), plan{steps: []step{{act: discard, from: b}}}); err == nil || len(r.labels(t)[d]) != 1 {
		t.Errorf("%v, labels %v", err, r.labels(t))
	}
}

// The steps of a plan are made in their order.
func TestCarryOut(t *testing.T) {
	t.Parallel()
	r := race(t, nil)
	if err := r.carryOut(t.Context(), plan{steps: []step{{act: move, version: b, from: a}, {act: discard, from: b}}}); err != nil {
		t.Fatal(err)
	}
	if got := r.labels(t); !same(got, map[string][]string{b: {"AWSCURRENT"}, a: {"AWSPREVIOUS"}}) || len(r.outcome.Steps) != 2 || !r.outcome.Steps[1].Done {
		t.Errorf("labels %v, %+v", got, r.outcome)
	}
}

// A label that was moved, and the answer lost, is moved; one that was not is not.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{true, false} {
		r := race(t, func(w http.ResponseWriter, operation, _ string, call func()) bool {
			if operation != "UpdateSecretVersionStage" {
				return false
			}
			if done {
				call()
			}
			w.WriteHeader(http.StatusBadGateway)
			return true
		})
		for _, s := range []step{{act: move, version: b, from: a}, {act: discard, from: b}} {
			if err := r.carryOut(t.Context(), plan{steps: []step{s}}); (err == nil) != done {
				t.Errorf("done %v, %s: %v, labels %v", done, s.said(), err, r.labels(t))
			}
		}
	}
}

func refuseRotation(w http.ResponseWriter, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = io.WriteString(w, `{"__type":"InvalidRequestException","Message":"`+message+`"}`)
}

// Should Secrets Manager not take a token twice, the rotation is run again without.
func TestTokenOnce(t *testing.T) {
	t.Parallel()
	r := race(t, func(w http.ResponseWriter, operation, body string, _ func()) bool {
		switch {
		case operation != "RotateSecret":
			return false
		case strings.Contains(body, b):
			refuseRotation(w, "You can't use ClientRequestToken, because that value is already in use.")
		default:
			refuseRotation(w, "A previous rotation isn't complete. That rotation will be reattempted.")
		}
		return true
	})
	if begun, flaw, err := r.begin(t.Context(), b, time.After(time.Minute)); begun != b || flaw != "" || err != nil {
		t.Errorf("%q, %q, %v", begun, flaw, err)
	}
}

// Any other refusal is told, and the call not made again and again.
func TestRotationRefused(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]int32{b: 2, "": 1} {
		calls := atomic.Int32{}
		r := race(t, func(w http.ResponseWriter, operation, _ string, _ func()) bool {
			if operation != "RotateSecret" {
				return false
			}
			if calls.Add(1) > want { // so that the test ends
				_, _ = io.WriteString(w, `{"VersionId": "one-call-too-many"}`)
				return true
			}
			refuseRotation(w, "You can't perform this operation on the secret because it was marked for deletion.")
			return true
		})
		if _, _, err := r.begin(t.Context(), version, time.After(time.Minute)); err == nil || !strings.Contains(err.Error(), "marked for deletion") || calls.Load() != want {
			t.Errorf("%q: %d calls, %v", version, calls.Load(), err)
		}
	}
}

// A look that fails for a moment says nothing of the rotation that runs.
func TestAwait(t *testing.T) {
	t.Parallel()
	looks := atomic.Int32{}
	r := race(t, func(w http.ResponseWriter, operation, _ string, _ func()) bool {
		if operation != "DescribeSecret" || looks.Add(1) > 1 {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	r.command, r.logs = &Command{Timeout: time.Minute}, functionlog.New(nil, time.Minute)
	if flaw, err := r.await(t.Context(), a, time.After(time.Minute)); flaw != "" || err != nil || looks.Load() != 2 {
		t.Errorf("%d looks, %q, %v", looks.Load(), flaw, err)
	}
}

// What was tried is known of its version alone: somebody may have begun another rotation since.
func TestTriedVersion(t *testing.T) {
	t.Parallel()
	r := &repair{report: &doctor.Report{Rotates: true, Labels: map[string][]string{a: {"AWSCURRENT"}, b: {"AWSPENDING"}}}, tried: b}
	r.report.Versions = []rotation.VersionLogin{{ID: a, Login: rotation.LoginWorks}, {ID: b, Login: rotation.LoginRefused}, {ID: c, Login: rotation.LoginRefused}}
	if p := decide(r.situation()); len(p.steps) != 2 || p.steps[0].act != discard {
		t.Errorf("what was tried: %+v", p)
	}
	r.report.Labels = map[string][]string{a: {"AWSCURRENT"}, c: {"AWSPENDING"}}
	if p := decide(r.situation()); len(p.steps) != 1 || p.steps[0] != (step{act: rotate, version: c}) {
		t.Errorf("another: %+v", p)
	}
	r.report.Labels, r.renewed, r.tried = map[string][]string{a: {"AWSCURRENT"}, b: {"AWSPENDING"}}, true, b
	if p := decide(r.situation()); p.verdict != refuse {
		t.Errorf("a new one: %+v", p)
	}
}

// Ctrl-C is told as such.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, s := range []step{{act: move, version: b, from: a}, {act: rotate, version: b}} {
		r := race(t, nil)
		r.command = &Command{Timeout: time.Minute}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.carryOut(ctx, plan{steps: []step{s}}); err == nil || !strings.Contains(err.Error(), "interrupted") || strings.Contains(err.Error(), "check the network") {
			t.Errorf("%s: %v", s.said(), err)
		}
	}
}
