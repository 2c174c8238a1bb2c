package retirement_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/scheduler"
	"github.com/rekey-aws/rekey/shared/retirement"
	"github.com/rekey-aws/rekey/shared/rotation"
)

const (
	function = "arn:aws:lambda:us-east-1:123456789012:function:rotate-rds"
	secret   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// world is EventBridge Scheduler on a clock, and a planner of a function's settings.
type world struct {
	planner rotation.Planner
	server  *scheduler.Server
	now     time.Time
	invoked []string
	broken  func(http.ResponseWriter) bool // answers instead
	calls   int
}

func (w *world) Invoke(_ context.Context, _ string, payload []byte) ([]byte, error) {
	w.invoked = append(w.invoked, string(payload))
	return nil, nil
}

func newWorld(t *testing.T, settings map[string]string) *world {
	t.Helper()
	w := &world{now: noon}
	var err error
	if w.server, err = scheduler.New(scheduler.Options{Invoker: w, Now: func() time.Time { return w.now }}); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.calls++
		if w.broken == nil || !w.broken(out) {
			w.server.ServeHTTP(out, r)
		}
	}))
	t.Cleanup(web.Close)
	env := map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example",
		"AWS_ENDPOINT_URL_SCHEDULER": web.URL, "AWS_MAX_ATTEMPTS": "2", "RETIRE_ROLE_ARN": role,
	}
	for name, value := range settings {
		env[name] = value
	}
	w.planner, _, err = retirement.FromEnvironment(lookup(env), func(context.Context) string { return function })
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func plan() rotation.Retirement {
	return rotation.Retirement{
		SecretID: secret, Token: strings.Repeat("n", 36), Old: strings.Repeat("o", 36), At: noon.Add(24*time.Hour + 300*time.Millisecond), Try: 1,
	}
}

func TestPlan(t *testing.T) {
	w := newWorld(t, map[string]string{"RETIRE_DEAD_LETTER_ARN": queue})
	for range 2 { // a second time it is there already
		if err := w.planner.Plan(t.Context(), plan()); err != nil {
			t.Fatal(err)
		}
	}
	again := plan()
	again.Try, again.At = 2, noon.Add(30*time.Hour)
	if err := w.planner.Plan(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	w.now = noon.Add(24 * time.Hour)
	w.tick(t)
	if len(w.invoked) != 0 {
		t.Fatal("it came before its time")
	}
	w.now = noon.Add(24*time.Hour + time.Second)
	w.tick(t)
	w.now = noon.Add(48 * time.Hour)
	w.tick(t)
	if len(w.invoked) != 2 {
		t.Fatalf("%d invocations, want 2", len(w.invoked))
	}
	var event rotation.Event
	if err := json.Unmarshal([]byte(w.invoked[0]), &event); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(plan().Event(), event); d != "" {
		t.Error(d)
	}
}

func (w *world) tick(t *testing.T) {
	t.Helper()
	if err := w.server.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Names are the same for the same retirement only, and short enough.
func TestName(t *testing.T) {
	names := map[string]bool{}
	for _, change := range []func(*rotation.Retirement){
		func(*rotation.Retirement) {},
		func(r *rotation.Retirement) { r.SecretID += "x" },
		func(r *rotation.Retirement) { r.Token = strings.Repeat("m", 36) },
		func(r *rotation.Retirement) { r.Try = 12 },
	} {
		r := plan()
		change(&r)
		name := retirement.Name(r)
		if names[name] || len(name) > 64 {
			t.Errorf("%s: there already, or too long", name)
		}
		names[name] = true
	}
	later := plan()
	later.At = later.At.Add(time.Hour)
	if retirement.Name(later) != retirement.Name(plan()) {
		t.Error("the name depends on the time")
	}
}

func TestErrors(t *testing.T) {
	answer := func(status int, code string) func(http.ResponseWriter) bool {
		return func(out http.ResponseWriter) bool {
			out.Header().Set("X-Amzn-ErrorType", code)
			out.WriteHeader(status)
			_, _ = out.Write([]byte(`{"Message":"said so"}`))
			return true
		}
	}
	for _, c := range []struct {
		name   string
		env    map[string]string
		broken func(http.ResponseWriter) bool
		kind   error
		hint   string
	}{
		{"no such group", map[string]string{"RETIRE_SCHEDULE_GROUP": "nowhere"}, nil, rotation.ErrConfig, "RETIRE_SCHEDULE_GROUP"},
		{"denied", nil, answer(403, "AccessDeniedException"), rotation.ErrDenied, "iam:PassRole"},
		{"too many", nil, answer(402, "ServiceQuotaExceededException"), rotation.ErrThrottled, "quota"},
		{"throttled", nil, answer(429, "ThrottlingException"), rotation.ErrThrottled, ""},
		{"broken", nil, answer(500, "InternalServerException"), rotation.ErrVendor, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.env)
			w.broken = c.broken
			err := w.planner.Plan(t.Context(), plan())
			if !errors.Is(err, c.kind) || !strings.Contains(rotation.Hint(err), c.hint) {
				t.Errorf("got %v, hint %q", err, rotation.Hint(err))
			}
		})
	}
}

// A reply that is lost: the SDK tries again, and the schedule is there.
func TestReplyLost(t *testing.T) {
	w := newWorld(t, nil)
	w.broken = func(out http.ResponseWriter) bool {
		if w.calls > 1 {
			return false
		}
		if err := w.planner.Plan(t.Context(), plan()); err != nil { // it was done
			t.Error(err)
		}
		out.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	if err := w.planner.Plan(t.Context(), plan()); err != nil {
		t.Error(err)
	}
}
