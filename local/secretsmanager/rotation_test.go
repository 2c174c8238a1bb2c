package secretsmanager_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

var fourSteps = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}

const stillPending = "A previous rotation isn't complete. That rotation will be reattempted."

func (w *world) rotate(n int, edit ...func(*api.RotateSecretInput)) error {
	in := &api.RotateSecretInput{SecretId: aws.String("s"), ClientRequestToken: aws.String(token(n)), RotationLambdaARN: aws.String(functionARN)}
	for _, e := range edit {
		e(in)
	}
	out, err := w.RotateSecret(context.Background(), in)
	if err == nil && *out.VersionId != token(n) {
		w.t.Errorf("the rotation's version is %s", *out.VersionId)
	}
	return err
}

func (w *world) wait() (secretsmanager.RotationResult, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return w.srv.Wait(ctx, "s")
}

func withRules(r types.RotationRulesType) func(*api.RotateSecretInput) {
	return func(in *api.RotateSecretInput) { in.RotationRules = &r }
}

func testOnly(in *api.RotateSecretInput) { in.RotateImmediately = aws.Bool(false) }

func TestRotate(t *testing.T) {
	for _, keep := range []bool{false, true} {
		w := newWorld(t, func(o *secretsmanager.Options) { o.KeepPendingLabel = keep })
		made := w.create("s", "v0")
		must(0, w.rotate(1, withRules(types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)})))(t)
		res := must(w.wait())(t)
		if res.ARN != *made.ARN || res.Token != token(1) || res.Attempts != 1 || res.Test {
			t.Errorf("result %+v", res)
		}
		want := map[string][]string{token(1): {"AWSCURRENT"}, *made.VersionId: {"AWSPREVIOUS"}}
		if keep {
			want[token(1)] = []string{"AWSCURRENT", "AWSPENDING"}
		}
		d := w.describe("s")
		if diff := cmp.Diff(want, d.VersionIdsToStages); diff != "" {
			t.Error(diff)
		}
		if !*d.RotationEnabled || *d.RotationLambdaARN != functionARN || *d.RotationRules.AutomaticallyAfterDays != 30 || !d.LastRotatedDate.Equal(begin) {
			t.Errorf("described as %+v", d)
		}
		if next := time.Date(2026, 8, 14, 23, 59, 59, 0, time.UTC); !d.NextRotationDate.Equal(next) {
			t.Errorf("next rotation %v, want %v", d.NextRotationDate, next)
		}
		if w.value("s") != "made for "+token(1) {
			t.Error(w.value("s"))
		}
		checkPayloads(t, w, *made.ARN)
		checkEvents(t, w)
		// The token of a rotation that is done begins no other, and either end lets the next begin.
		must(0, w.rotate(1))(t)
		must(0, w.rotate(2))(t)
		must(w.wait())(t)
		if got := w.function.ran(); !slices.Equal(got, slices.Concat(fourSteps, fourSteps)) {
			t.Errorf("steps %v", got)
		}
	}
}

func checkPayloads(t *testing.T, w *world, arn string) {
	for _, p := range w.function.payloads {
		if len(p) != 4 || p["SecretId"] != arn || p["ClientRequestToken"] != token(1) || len(p["RotationToken"]) != 36 {
			t.Errorf("the function got %v", p)
		}
	}
}

func checkEvents(t *testing.T, w *world) {
	var got []string
	for _, e := range w.events {
		got = append(got, strings.TrimSpace(string(e.Kind)+" "+e.Step))
		if e.Token != token(1) || e.Name != "s" || e.Attempt != 1 || e.Err != nil || e.Function != functionARN || e.Time.IsZero() {
			t.Errorf("event %+v", e)
		}
	}
	want := []string{"RotationStarted"}
	for _, s := range fourSteps {
		want = append(want, "StepStarted "+s, "StepFinished "+s)
	}
	if diff := cmp.Diff(append(want, "RotationSucceeded"), got); diff != "" {
		t.Error(diff)
	}
}

// Before createSecret stores a value, the version is there without one.
func TestTheVersionBeginsWithoutAValue(t *testing.T) {
	w := newWorld(t)
	w.function.block, w.function.entered = make(chan struct{}), make(chan string, 4)
	w.create("s", "v0")
	must(0, w.rotate(1))(t)
	<-w.function.entered
	if got := w.stages("s")[token(1)]; !slices.Equal(got, []string{"AWSPENDING"}) {
		t.Errorf("labels %v", got)
	}
	_, err := w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: aws.String("s"), VersionId: aws.String(token(1)), VersionStage: aws.String("AWSPENDING")})
	refused(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: "+token(1))
	_, err = w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: aws.String("s"), VersionStage: aws.String("AWSPENDING")})
	refused(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSPENDING")
	current := ""
	for v, stages := range w.stages("s") {
		if slices.Contains(stages, "AWSCURRENT") {
			current = v
		}
	}
	refused(t, w.move("AWSCURRENT", token(1), current), "InvalidRequestException", "")
	must(0, w.rotate(1))(t) // the same call again is the same rotation
	refused(t, w.rotate(2), "InvalidRequestException", stillPending)
	close(w.function.block)
	must(w.wait())(t)
	if got := w.function.ran(); !slices.Equal(got, fourSteps) {
		t.Errorf("steps %v", got)
	}
}

func TestOneRotationAtATime(t *testing.T) {
	w := newWorld(t)
	w.function.block = make(chan struct{})
	w.create("s", "v0")
	results := make(chan error)
	for n := range 20 {
		go func() {
			// Each token twice, as a client does whose first reply was lost.
			results <- w.rotate(n / 2)
		}()
	}
	begun := 0
	for range 20 {
		if err := <-results; err == nil {
			begun++
		} else {
			refused(t, err, "InvalidRequestException", stillPending)
		}
	}
	close(w.function.block)
	must(w.wait())(t)
	if got := w.function.ran(); begun != 2 || !slices.Equal(got, fourSteps) {
		t.Errorf("%d calls began a rotation, which ran %v", begun, got)
	}
}

func TestAFailedStepRetriesTheSequence(t *testing.T) {
	w := newWorld(t)
	w.function.fail = func(step string, n int) error {
		if step == "setSecret" && n == 1 {
			return errors.New("the database was away")
		}
		return nil
	}
	w.create("s", "v0")
	must(0, w.rotate(1))(t)
	if res := must(w.wait())(t); res.Attempts != 2 {
		t.Errorf("%d attempts", res.Attempts)
	}
	if got := w.function.ran(); !slices.Equal(got, append([]string{"createSecret", "setSecret"}, fourSteps...)) {
		t.Errorf("steps %v", got)
	}
	var retried []secretsmanager.RotationEvent
	for _, e := range w.events {
		if e.Kind == secretsmanager.RotationRetried {
			retried = append(retried, e)
		}
	}
	if len(retried) != 1 || !strings.Contains(retried[0].Err.Error(), "in step setSecret: the database was away") {
		t.Errorf("retried %+v", retried)
	}
}

func TestARotationThatFailsForGood(t *testing.T) {
	down := true
	w := newWorld(t)
	w.function.fail = func(step string, _ int) error {
		if step == "testSecret" && down {
			return errors.New("refused")
		}
		return nil
	}
	w.create("s", "v0")
	must(0, w.rotate(1))(t)
	_, err := w.wait()
	var failed *secretsmanager.RotationError
	if !errors.As(err, &failed) || failed.Step != "testSecret" || failed.Err.Error() != "refused" {
		t.Fatalf("got %v", err)
	}
	if got := len(w.function.ran()); got != 9 {
		t.Errorf("%d steps, want three times three", got)
	}
	if last := w.events[len(w.events)-1]; last.Kind != secretsmanager.RotationFailed || last.Attempt != 3 || last.Err == nil {
		t.Errorf("the last event is %+v", last)
	}
	if got := w.stages("s")[token(1)]; !slices.Equal(got, []string{"AWSPENDING"}) {
		t.Errorf("the version has the labels %v", got)
	}
	if w.describe("s").LastRotatedDate != nil {
		t.Error("a failed rotation has a LastRotatedDate")
	}
	refused(t, w.rotate(2), "InvalidRequestException", stillPending)
	refused(t, w.rotate(2, testOnly), "InvalidRequestException", stillPending)
	refused(t, w.rotate(1, testOnly), "InvalidRequestException", stillPending)
	down = false
	must(0, w.rotate(1))(t) // with its own token it is tried again
	must(w.wait())(t)
	if w.value("s") != "made for "+token(1) {
		t.Error(w.value("s"))
	}
	must(0, w.rotate(2))(t)
	must(w.wait())(t)
	refused(t, w.rotate(1), "InvalidRequestException", "You can't use ClientRequestToken "+token(1)+" because that value is already in use for a version of secret "+*w.describe("s").ARN+".")
}

// Terraform's acceptance tests rely on this against AWS.
func TestPuttingAValueEndsAPendingRotation(t *testing.T) {
	w := newWorld(t)
	w.function.fail = func(string, int) error { return errors.New("no") }
	w.create("s", "v0")
	must(0, w.rotate(1))(t)
	w.wait()
	must(0, w.put(5))(t)
	w.function.fail = nil
	must(0, w.rotate(2))(t)
	must(w.wait())(t)
}

func TestAFunctionThatDoesNotFinish(t *testing.T) {
	w := newWorld(t, func(o *secretsmanager.Options) { o.Invoker, o.Attempts = does{}, 1 })
	w.create("s", "v0")
	must(0, w.rotate(1))(t)
	_, err := w.wait()
	if err == nil || !strings.Contains(err.Error(), "in step finishSecret: the function reported success, but AWSCURRENT is not on version "+token(1)) {
		t.Errorf("got %v", err)
	}
}

// does is a function that reports success and does nothing.
type does struct{}

func (does) Has(string) bool                                        { return true }
func (does) Invoke(context.Context, string, []byte) ([]byte, error) { return nil, nil }

func TestRotateImmediatelyFalse(t *testing.T) {
	for _, ok := range []bool{true, false} {
		w := newWorld(t)
		made := w.create("s", "v0")
		w.function.fail = func(string, int) error {
			got, err := w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: aws.String("s"), VersionId: aws.String(token(1)), VersionStage: aws.String("AWSPENDING")})
			if err != nil || *got.SecretString != "v0" {
				t.Errorf("the test finds %v, %v", got, err)
			}
			if !ok {
				return errors.New("no")
			}
			return nil
		}
		must(0, w.rotate(1, testOnly, withRules(types.RotationRulesType{ScheduleExpression: aws.String("rate(10 days)")})))(t)
		res, err := w.wait()
		if (err == nil) != ok || !res.Test || res.Attempts != 1 {
			t.Errorf("ended with %+v, %v", res, err)
		}
		if got := w.function.ran(); !slices.Equal(got, []string{"testSecret"}) {
			t.Errorf("steps %v", got)
		}
		d := w.describe("s")
		if diff := cmp.Diff(map[string][]string{*made.VersionId: {"AWSCURRENT"}}, d.VersionIdsToStages); diff != "" {
			t.Error(diff)
		}
		if !*d.RotationEnabled || d.LastRotatedDate != nil || !d.NextRotationDate.Equal(time.Date(2026, 7, 25, 23, 59, 59, 0, time.UTC)) {
			t.Errorf("described as %+v", d)
		}
		all := must(w.ListSecretVersionIds(t.Context(), &api.ListSecretVersionIdsInput{SecretId: aws.String("s"), IncludeDeprecated: aws.Bool(true)}))(t)
		if len(all.Versions) != 1 {
			t.Errorf("%d versions are left", len(all.Versions))
		}
	}
}

func TestWhatRotateRefuses(t *testing.T) {
	w := newWorld(t)
	w.create("s", "v0")
	refused(t, w.rotate(1, func(in *api.RotateSecretInput) { in.RotationLambdaARN = nil }), "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")
	refused(t, w.rotate(1, func(in *api.RotateSecretInput) { in.RotationLambdaARN = aws.String(functionARN + "-2") }), "AccessDeniedException",
		"Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.")
	refused(t, w.rotate(1, func(in *api.RotateSecretInput) { in.SecretId = aws.String("nosuch") }), "ResourceNotFoundException", "")
	refused(t, w.rotate(1, func(in *api.RotateSecretInput) {
		in.ExternalSecretRotationRoleArn = aws.String("arn:aws:iam::1:role/x")
	}), "UnsupportedOperationException", "")
	refused(t, w.rotate(1, withRules(types.RotationRulesType{})), "InvalidParameterException", "")
	if d := w.describe("s"); d.RotationEnabled != nil || len(d.VersionIdsToStages) != 1 {
		t.Errorf("a refused rotation left %+v", d)
	}
	if _, err := w.wait(); !errors.Is(err, secretsmanager.ErrNoRotation) {
		t.Errorf("waiting: %v", err)
	}
	_, err := w.CancelRotateSecret(t.Context(), &api.CancelRotateSecretInput{SecretId: aws.String("s")})
	refused(t, err, "InvalidRequestException", "")
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	w.function.block, w.function.entered = make(chan struct{}), make(chan string, 8)
	w.create("s", "v0")
	must(0, w.rotate(1, withRules(types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(1)})))(t)
	<-w.function.entered
	out := must(w.CancelRotateSecret(t.Context(), &api.CancelRotateSecretInput{SecretId: aws.String("s")}))(t)
	if out.VersionId == nil || *out.VersionId != token(1) {
		t.Errorf("the pending version is reported as %v", out.VersionId)
	}
	close(w.function.block)
	if _, err := w.wait(); !errors.Is(err, secretsmanager.ErrCancelled) {
		t.Errorf("ended with %v", err)
	}
	if got := w.function.ran(); !slices.Equal(got, fourSteps[:1]) {
		t.Errorf("steps %v: none begins after the cancellation", got)
	}
	d := w.describe("s")
	if *d.RotationEnabled || d.NextRotationDate != nil || *d.RotationLambdaARN != functionARN || !slices.Equal(d.VersionIdsToStages[token(1)], []string{"AWSPENDING"}) {
		t.Errorf("described as %+v", d)
	}
	if last := w.events[len(w.events)-1]; last.Kind != secretsmanager.RotationAbandoned {
		t.Errorf("the last event is %+v", last)
	}
	w.pass(48 * time.Hour)
	must(0, w.srv.RunDue(t.Context()))(t)
	refused(t, w.rotate(2), "InvalidRequestException", stillPending)
	must(0, w.move("AWSPENDING", "", token(1)))(t) // the way out that AWS documents
	must(0, w.rotate(2, func(in *api.RotateSecretInput) { in.RotationLambdaARN = nil }))(t)
	must(w.wait())(t)
	if d := w.describe("s"); !*d.RotationEnabled || d.NextRotationDate == nil {
		t.Error("rotating again did not turn rotation on, with its old rules")
	}
}
