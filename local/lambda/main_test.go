package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// functions holds the compiled functions of testdata by name.
var functions = make(map[string]string)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rekey-lambda-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, name := range []string{"handler", "raw"} {
		functions[name], err = Build(context.Background(), BuildOptions{
			Package: "./local/lambda/testdata/" + name, Out: filepath.Join(dir, name) + string(os.PathSeparator),
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// lines collects logs, and fails the test on a Write that is not whole lines.
type lines struct {
	t    *testing.T
	mu   sync.Mutex
	text []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !bytes.HasSuffix(p, []byte("\n")) {
		l.t.Errorf("a write without the end of a line: %q", p)
	}
	l.text = append(l.text, strings.Split(strings.TrimSuffix(string(p), "\n"), "\n")...)
	return len(p), nil
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.text...)
}

// deploy starts a function of testdata with defaults, changed by edit.
func deploy(t *testing.T, name string, edit func(*Config)) (*Function, *lines) {
	t.Helper()
	logs := &lines{t: t}
	cfg := Config{Name: name, Binary: functions[name], Logs: logs, Timeout: 20 * time.Second}
	if edit != nil {
		edit(&cfg)
	}
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, logs
}

// answer is what testdata/handler tells of itself.
type answer struct {
	PID, Invocation       int
	Echo                  string
	DeadlineMS            int64
	RequestID, ARN, Trace string
	Env                   []string
	Dir                   string
}

func call(t *testing.T, f *Function, payload string) (answer, Report) {
	t.Helper()
	body, report, err := f.InvokeReport(t.Context(), []byte(payload))
	if err != nil {
		t.Fatalf("invoking with %s: %v", payload, err)
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("reading %q: %v", body, err)
	}
	return a, report
}

// fail invokes and returns the function's error.
func fail(t *testing.T, f *Function, payload string) (*FunctionError, Report) {
	t.Helper()
	body, report, err := f.InvokeReport(t.Context(), []byte(payload))
	var failure *FunctionError
	if !errors.As(err, &failure) {
		t.Fatalf("invoking with %s: got %q and error %v, want a function error", payload, body, err)
	}
	if failure.RequestID == "" || failure.RequestID != report.RequestID {
		t.Errorf("request id %q in the error, %q in the report", failure.RequestID, report.RequestID)
	}
	return failure, report
}

// running reports whether a process exists.
func running(t *testing.T, pid int) bool {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	return p.Signal(syscall.Signal(0)) == nil
}
