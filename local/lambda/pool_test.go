package lambda

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestConcurrentInvocationsGetTheirOwnInstances(t *testing.T) {
	f, logs := deploy(t, "handler", func(c *Config) { c.Concurrency = 3 })
	var wg sync.WaitGroup
	var mu sync.Mutex
	processes := make(map[int]int)
	for i := range 6 {
		wg.Go(func() {
			a, _ := call(t, f, fmt.Sprintf(`{"Sleep":100,"Lines":40,"Text":"%d"}`, i))
			mu.Lock()
			defer mu.Unlock()
			processes[a.PID]++
			if a.Echo != fmt.Sprint(i) {
				t.Errorf("invocation %d got the answer of %s", i, a.Echo)
			}
		})
	}
	wg.Wait()
	if len(processes) != 3 {
		t.Errorf("invocations by process: %v, want 3 processes", processes)
	}
	for _, line := range logs.all() {
		var pid, n int
		if _, err := fmt.Sscanf(line, "pid %d line %d", &pid, &n); err != nil || !strings.HasSuffix(line, " "+strings.Repeat("x", 100)) {
			t.Fatalf("a line is not whole: %q", line)
		}
	}
	if got := len(logs.all()); got != 6*40 {
		t.Errorf("%d lines, want %d", got, 6*40)
	}
}

func TestThrottle(t *testing.T) {
	f, _ := deploy(t, "handler", func(c *Config) { c.Concurrency, c.Throttle = 1, true })
	call(t, f, `{}`)
	var wg sync.WaitGroup
	wg.Go(func() { call(t, f, `{"Sleep":300}`) })
	time.Sleep(100 * time.Millisecond)
	var refusal *ServiceError
	if _, err := f.Invoke(t.Context(), nil); !errors.As(err, &refusal) || refusal.Code != "TooManyRequestsException" {
		t.Errorf("got error %v", err)
	}
	wg.Wait()
	call(t, f, `{}`)
}

func TestRecycleMakesColdStarts(t *testing.T) {
	f, _ := deploy(t, "handler", nil)
	before, _ := call(t, f, `{}`)
	f.Recycle()
	if running(t, before.PID) {
		t.Errorf("process %d is still there", before.PID)
	}
	busy := make(chan answer)
	go func() { a, _ := call(t, f, `{"Sleep":200}`); busy <- a }()
	time.Sleep(100 * time.Millisecond)
	f.Recycle()
	middle := <-busy
	after, report := call(t, f, `{}`)
	if after.PID == middle.PID || !report.ColdStart || running(t, middle.PID) {
		t.Errorf("processes %d, %d and %d: want the busy one to end after its invocation", before.PID, middle.PID, after.PID)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	f, _ := deploy(t, "handler", nil)
	idle := make(chan answer, 2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { a, _ := call(t, f, `{"Sleep":100}`); idle <- a })
	}
	wg.Wait()
	wg.Go(func() {
		if _, err := f.Invoke(t.Context(), []byte(`{"Sleep":60000}`)); !errors.Is(err, ErrClosed) {
			t.Errorf("the invocation under way got error %v", err)
		}
	})
	time.Sleep(50 * time.Millisecond)
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	for range 2 {
		if a := <-idle; running(t, a.PID) {
			t.Errorf("process %d is still there", a.PID)
		}
	}
	if _, err := f.Invoke(t.Context(), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: error %v", err)
	}
	f.Recycle()
}

func TestInstanceThatEndsWhileIdleIsReplaced(t *testing.T) {
	f, _ := deploy(t, "handler", nil)
	before, _ := call(t, f, `{}`)
	f.mu.Lock()
	inst := f.idle[0]
	f.mu.Unlock()
	if err := inst.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-inst.exited
	if after, report := call(t, f, `{}`); after.PID == before.PID || !report.ColdStart {
		t.Errorf("process %d, then %d", before.PID, after.PID)
	}
}
