package main_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/lambda/lambdatest"
	"github.com/rekey-aws/rekey/local/scheduler"
)

// later is EventBridge Scheduler for one account.
type later struct {
	url     string
	invoked chan scheduler.Invocation
}

// invoker is the account's function, once there is one.
type invoker struct{ function func() *lambda.Function }

func (i invoker) Invoke(ctx context.Context, _ string, payload []byte) ([]byte, error) {
	return i.function().Invoke(ctx, payload)
}

func newLater(t *testing.T, function func() *lambda.Function) *later {
	l := &later{invoked: make(chan scheduler.Invocation, 100)}
	server, err := scheduler.New(scheduler.Options{
		Invoker: invoker{function}, OnInvocation: func(i scheduler.Invocation) { l.invoked <- i },
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/schedules/") {
			lambdatest.Called("scheduler:CreateSchedule")
			lambdatest.Called("iam:PassRole")
		} else {
			t.Errorf("the function asks the scheduler for %s %s", r.Method, r.URL.Path)
		}
		server.ServeHTTP(w, r)
	}))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		web.Close()
	})
	l.url = web.URL
	return l
}

// The old one of two passwords ends after the grace period; where the strategy keeps none,
// nothing is planned that would change anything.
func TestOldPasswordIsRetired(t *testing.T) {
	t.Parallel()
	eachOf(t, withDual, func(t *testing.T, e engine) {
		var a *account
		l := newLater(t, func() *lambda.Function { return a.function })
		a = newAccount(t, e, databasetest.Shared(t, e.server, e.version), "retired", map[string]string{
			"AWS_ENDPOINT_URL_SCHEDULER": l.url, "RETIRE_AFTER": "1s", "RETIRE_WINDOW": "0",
			"RETIRE_ROLE_ARN": "arn:aws:iam::123456789012:role/rekey-retire",
		})
		old := a.password
		if err := a.rotate(true); err != nil {
			t.Fatalf("%v\n%s", err, a.logs.String())
		}
		if e.server == database.Postgres {
			if strings.Contains(a.output(), `"retire_at":`) {
				t.Errorf("something was planned:\n%s", a.output())
			}
			return
		}
		for !strings.Contains(a.output(), `"step":"retireSecret"`) || strings.Contains(a.lastLine(), `"outcome":"put off"`) {
			if i := <-l.invoked; i.Err != nil {
				t.Fatalf("%v\n%s", i.Err, a.output())
			}
		}
		current, _ := a.value("AWSCURRENT")
		if err := a.database.Login(t.Context(), a.user, current); err != nil {
			t.Errorf("locked out: AWSCURRENT does not log in: %v", err)
		}
		if a.database.Login(t.Context(), a.user, old) == nil {
			t.Error("the old password still logs in")
		}
		a.mustNotLeak(current, old)
	})
}

// output is what the function has logged so far.
func (a *account) output() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.logs.String()
}

// lastLine is the last line of a step.
func (a *account) lastLine() string {
	lines := strings.Split(a.output(), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.HasPrefix(lines[i], "{") {
			return lines[i]
		}
	}
	return ""
}
