package lambda

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestInvokeEchoesAndReusesTheInstance(t *testing.T) {
	f, _ := deploy(t, "handler", nil)
	first, cold := call(t, f, `{"Text":"tea"}`)
	second, warm := call(t, f, ``)
	if first.Echo != "tea" || second.Echo != "" {
		t.Errorf("echoes %q and %q", first.Echo, second.Echo)
	}
	if first.PID != second.PID || second.Invocation != 2 {
		t.Errorf("process %d, then %d with invocation %d: want the same one again", first.PID, second.PID, second.Invocation)
	}
	if !cold.ColdStart || cold.InitDuration <= 0 || warm.ColdStart || warm.InitDuration != 0 {
		t.Errorf("cold start %+v, warm %+v", cold, warm)
	}
	if first.RequestID != cold.RequestID || first.ARN != f.ARN() || !strings.HasPrefix(first.Trace, "Root=1-") {
		t.Errorf("the function saw request %q of %q, trace %q", first.RequestID, first.ARN, first.Trace)
	}
	if want := "arn:aws:lambda:us-east-1:123456789012:function:handler"; f.ARN() != want {
		t.Errorf("ARN %s, want %s", f.ARN(), want)
	}
}

func TestFunctionErrors(t *testing.T) {
	f, _ := deploy(t, "handler", nil)
	tests := []struct {
		do, errorType, message string
		lives                  bool // the process takes the next invocation
	}{
		{"error", "teapotError", `^too cold: 4$`, true},
		{"panic", "string", `^out of tea$`, false},
		{"exit", "Runtime.ExitError", `^RequestId: [0-9a-f-]{36} Error: Runtime exited with error: exit status 1$`, false},
		{"exit0", "Runtime.ExitError", `^RequestId: [0-9a-f-]{36} Error: Runtime exited without providing a reason$`, false},
		{"large", "Function.ResponseSizeTooLarge", `^Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.$`, false},
	}
	for _, tt := range tests {
		t.Run(tt.do, func(t *testing.T) {
			before, _ := call(t, f, `{}`)
			failure, report := fail(t, f, `{"Do":"`+tt.do+`"}`)
			if failure.Type != tt.errorType || !regexp.MustCompile(tt.message).MatchString(failure.Message) {
				t.Errorf("got %v", failure)
			}
			if report.Status != "error" || report.ErrorType != tt.errorType {
				t.Errorf("report %+v", report)
			}
			if (tt.do == "panic") != (len(failure.StackTrace) > 0) {
				t.Errorf("stack trace %+v", failure.StackTrace)
			}
			after, _ := call(t, f, `{}`)
			if (before.PID == after.PID) != tt.lives {
				t.Errorf("process %d before, %d after", before.PID, after.PID)
			}
		})
	}
}

// The tail of the log is of the one invocation, with Lambda's own lines, also where the logs
// have none of those, and is cut to 4 KB.
func TestLogTail(t *testing.T) {
	f, _ := deploy(t, "handler", nil)
	_, first := call(t, f, `{"Lines":2}`)
	a, second := call(t, f, `{"Lines":1}`)
	line := fmt.Sprintf("pid %d line 0 %s\n", a.PID, strings.Repeat("x", 100))
	want := fmt.Sprintf("START RequestId: %[1]s Version: $LATEST\n%[2]sEND RequestId: %[1]s\n%[3]s\n", second.RequestID, line, second)
	if second.LogTail != want || strings.Count(first.LogTail, " line ") != 2 {
		t.Errorf("got %q, want %q; before: %q", second.LogTail, want, first.LogTail)
	}
	_, long := call(t, f, `{"Lines":100}`)
	if len(long.LogTail) != 4096 || !strings.Contains(long.LogTail, "xxx\nEND RequestId: ") {
		t.Errorf("a tail of %d bytes: %q", len(long.LogTail), long.LogTail)
	}
}

func TestTimeoutKillsTheProcess(t *testing.T) {
	f, logs := deploy(t, "handler", func(c *Config) { c.Timeout, c.PlatformLines = 250*time.Millisecond, true })
	before, _ := call(t, f, `{}`)
	failure, report := fail(t, f, `{"Sleep":60000}`)
	want := fmt.Sprintf("RequestId: %s Error: Task timed out after 0.25 seconds", report.RequestID)
	if failure.Type != "Sandbox.Timedout" || failure.Message != want {
		t.Errorf("got %v", failure)
	}
	if want := `{"errorType":"Sandbox.Timedout","errorMessage":"` + want + `"}`; string(failure.Payload) != want {
		t.Errorf("payload %s, want %s", failure.Payload, want)
	}
	if report.Status != "timeout" || report.Duration < 250*time.Millisecond || !strings.HasSuffix(report.String(), "\tStatus: timeout") {
		t.Errorf("report %s", report)
	}
	if running(t, before.PID) {
		t.Errorf("process %d is still there", before.PID)
	}
	if after, report := call(t, f, `{}`); after.PID == before.PID || !report.ColdStart {
		t.Errorf("after the time-out: process %d, cold start %t", after.PID, report.ColdStart)
	}
	if !slices.Contains(logs.all(), failure.Message) {
		t.Errorf("the logs do not tell the time-out: %q", logs.all())
	}
}

func TestDeadlineReachesTheFunction(t *testing.T) {
	f, _ := deploy(t, "handler", func(c *Config) { c.Timeout = 7 * time.Second })
	call(t, f, `{}`)
	earliest := time.Now().Add(7 * time.Second).UnixMilli()
	a, _ := call(t, f, `{}`)
	if latest := time.Now().Add(7 * time.Second).UnixMilli(); a.DeadlineMS < earliest || a.DeadlineMS > latest {
		t.Errorf("deadline %d is outside %d to %d", a.DeadlineMS, earliest, latest)
	}
}

func TestInitFailures(t *testing.T) {
	tests := []struct {
		name, function, variable, value string
		errorType, message              string
		status                          string
	}{
		{"panic", "handler", "INIT", "panic", "Runtime.ExitError", "Runtime exited with error: exit status 2", "error"},
		{"posted", "raw", "MODE", "init-error", "Config.Missing", "no table", "error"},
		{"stuck", "handler", "INIT", "stuck", "Sandbox.Timedout", "Task timed out after 0.20 seconds", "timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, logs := deploy(t, tt.function, func(c *Config) {
				c.Env = map[string]string{tt.variable: tt.value}
				c.Timeout, c.InitTimeout, c.PlatformLines = 2*time.Second, 2*time.Second, true
				if tt.value == "stuck" {
					c.Timeout, c.InitTimeout = 200*time.Millisecond, 300*time.Millisecond
				}
			})
			failure, report := fail(t, f, `{}`)
			if failure.Type != tt.errorType || !strings.HasSuffix(failure.Message, tt.message) {
				t.Errorf("got %v", failure)
			}
			if report.Status != tt.status || report.InitDuration != 0 {
				t.Errorf("report %+v", report)
			}
			// The second start is Lambda's retry in the Invoke phase.
			text := strings.Join(logs.all(), "\n")
			if strings.Count(text, "\tPhase: init\tStatus: "+tt.status) != 1 || strings.Count(text, "\tPhase: invoke\tStatus: "+tt.status) != 1 {
				t.Errorf("logs:\n%s", text)
			}
		})
	}
}

func TestInitIsTriedAgainInTheInvocation(t *testing.T) {
	f, _ := deploy(t, "handler", func(c *Config) {
		c.Env = map[string]string{"INIT": "second", "MARKER": filepath.Join(t.TempDir(), "marker")}
	})
	if a, report := call(t, f, `{"Text":"here"}`); a.Echo != "here" || report.InitDuration != 0 || !report.ColdStart {
		t.Errorf("answer %q, report %s", a.Echo, report)
	}
}

func TestSlowInitIsReportedApart(t *testing.T) {
	f, _ := deploy(t, "handler", func(c *Config) { c.Env = map[string]string{"INIT": "slow"} })
	_, report := call(t, f, `{}`)
	if report.InitDuration < 150*time.Millisecond || report.Duration >= report.InitDuration {
		t.Errorf("report %s", report)
	}
	if report.BilledDuration < report.Duration+report.InitDuration || report.BilledDuration%time.Millisecond != 0 {
		t.Errorf("billed %s", report.BilledDuration)
	}
}

func TestMaxMemoryUsed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the peak of a running process is known on Linux only")
	}
	f, _ := deploy(t, "handler", nil)
	_, small := call(t, f, `{}`)
	_, large, err := f.InvokeReport(t.Context(), []byte(`{"Do":"memory"}`))
	if err != nil {
		t.Fatal(err)
	}
	if small.MaxMemoryUsed < 1<<20 || small.MaxMemoryUsed > 40<<20 || large.MaxMemoryUsed < 64<<20 {
		t.Errorf("%d bytes, then %d", small.MaxMemoryUsed, large.MaxMemoryUsed)
	}
}

func TestRuntimesThatMisbehave(t *testing.T) {
	mode := func(value string) func(*Config) {
		return func(c *Config) { c.Env = map[string]string{"MODE": value} }
	}
	t.Run("a second response is refused and changes nothing", func(t *testing.T) {
		f, logs := deploy(t, "raw", mode("twice"))
		for range 2 {
			if body, err := f.Invoke(t.Context(), nil); err != nil || string(body) != `"one"` {
				t.Fatalf("got %s and error %v", body, err)
			}
		}
		refused := `second: 403 {"errorType":"InvalidStateTransition","errorMessage":"State transition from ResponseSent to InvocationResponse failed for runtime. Error: State transition is not allowed"}`
		want := []string{`first: 202 {"status":"OK"}`, refused, `other: 400 {"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}`}
		if got := logs.all(); !slices.Equal(got, slices.Concat(want, want)) {
			t.Errorf("logs:\n%s", strings.Join(got, "\n"))
		}
	})
	t.Run("an answer counts even if the process then ends", func(t *testing.T) {
		f, _ := deploy(t, "raw", mode("die-after-answer"))
		for range 2 {
			if body, report, err := f.InvokeReport(t.Context(), nil); err != nil || string(body) != `"done"` || !report.ColdStart {
				t.Fatalf("got %s, cold start %t, error %v", body, report.ColdStart, err)
			}
		}
	})
	t.Run("an error that is no document", func(t *testing.T) {
		f, _ := deploy(t, "raw", mode("odd-error"))
		if failure, _ := fail(t, f, `{}`); failure.Type != "Runtime.Unknown" || string(failure.Payload) != "not JSON" {
			t.Errorf("got %+v", failure)
		}
	})
	t.Run("asking twice gets the same invocation", func(t *testing.T) {
		f, _ := deploy(t, "raw", mode("ask-twice"))
		if body, err := f.Invoke(t.Context(), nil); err != nil || string(body) != "true" {
			t.Errorf("got %s and error %v", body, err)
		}
	})
}

func TestPayloadsThatLambdaRefuses(t *testing.T) {
	f, _ := deploy(t, "handler", nil)
	for payload, code := range map[string]string{
		"{":                               "InvalidRequestContentException",
		strings.Repeat(" ", 6<<20) + "{}": "RequestTooLargeException",
	} {
		var refusal *ServiceError
		if _, err := f.Invoke(t.Context(), []byte(payload)); !errors.As(err, &refusal) || refusal.Code != code {
			t.Errorf("got error %v, want %s", err, code)
		}
	}
}

func TestHookAndPlatformLines(t *testing.T) {
	var mu sync.Mutex
	var reports []Report
	f, logs := deploy(t, "handler", func(c *Config) {
		c.PlatformLines, c.MemoryMB = true, 256
		c.OnInvoke = func(r Report) { mu.Lock(); defer mu.Unlock(); reports = append(reports, r) }
	})
	_, report := call(t, f, `{"Do":"partial"}`)
	if len(reports) != 1 || reports[0] != report {
		t.Errorf("the hook got %+v, the caller %+v", reports, report)
	}
	want := []string{
		"START RequestId: " + report.RequestID + " Version: $LATEST", "no end of line",
		"END RequestId: " + report.RequestID, report.String(),
	}
	if got := logs.all(); !slices.Equal(got, want) {
		t.Errorf("logs %q, want %q", got, want)
	}
	form := regexp.MustCompile(`^REPORT RequestId: [0-9a-f-]{36}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB(\tMax Memory Used: \d+ MB)?\tInit Duration: \d+\.\d\d ms$`)
	if !form.MatchString(report.String()) {
		t.Errorf("report %q", report)
	}
}

func TestCallerThatGoesAwayDoesNotStopTheFunction(t *testing.T) {
	done := make(chan Report, 2)
	f, _ := deploy(t, "handler", func(c *Config) { c.OnInvoke = func(r Report) { done <- r } })
	call(t, f, `{}`)
	<-done
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.Invoke(ctx, []byte(`{"Sleep":150}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got error %v", err)
	}
	if report := <-done; report.Status != "success" || report.Duration < 150*time.Millisecond {
		t.Errorf("report %s", report)
	}
}
