package eventbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// function is a target that fails as often as it is told to.
type function struct {
	mu    sync.Mutex
	fail  func(attempt int) error // of one event
	got   []string                // ids of events delivered
	tries map[string]int
	times []time.Time
	block chan struct{}
}

func (f *function) Invoke(ctx context.Context, name string, payload []byte) ([]byte, error) {
	var e Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	if f.block != nil {
		select {
		case <-f.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tries == nil {
		f.tries = map[string]int{}
	}
	f.tries[e.ID]++
	f.times = append(f.times, time.Now())
	if f.fail != nil {
		if err := f.fail(f.tries[e.ID]); err != nil {
			return nil, err
		}
	}
	f.got = append(f.got, e.ID)
	return nil, nil
}

func (f *function) delivered() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(slices.Values(f.got))
}

func event(id string, detail string) Event {
	return Event{ID: id, DetailType: "Test", Source: "test", Account: "123456789012", Region: "us-east-1", Time: time.Now(), Detail: json.RawMessage(detail)}
}

func open(t *testing.T, f Invoker, edit func(*Options)) *Bus {
	t.Helper()
	o := Options{Invoker: f}
	if edit != nil {
		edit(&o)
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(t.Context()) })
	return b
}

func everything(t *testing.T, b *Bus, r Retry) {
	t.Helper()
	rule(t, b, Rule{Name: "all", Pattern: `{"source": ["test"]}`, Targets: []Target{{Function: "f", Retry: r}}})
}

func rule(t *testing.T, b *Bus, r Rule) {
	t.Helper()
	if err := b.PutRule(r); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, b *Bus, events ...Event) {
	t.Helper()
	for _, e := range events {
		if err := b.Put(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func wantIDs(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
}

// letters reads the folder of dead letters.
func letters(t *testing.T, folder string) []DeadLetter {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var all []DeadLetter
	for _, f := range files {
		path := filepath.Join(folder, f.Name())
		info, err := os.Stat(path)
		// Windows has no such modes.
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", f.Name(), info.Mode(), err)
		}
		content, err := os.ReadFile(path)
		var l DeadLetter
		if err != nil || json.Unmarshal(content, &l) != nil {
			t.Fatalf("%s: %v: %s", f.Name(), err, content)
		}
		all = append(all, l)
	}
	return all
}

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html:
// read-only management events reach only rules that ask for them.
func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got := map[string][]string{}
		b := open(t, InvokerFunc(func(_ context.Context, name string, payload []byte) ([]byte, error) {
			var e Event
			if err := json.Unmarshal(payload, &e); err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			got[name] = append(got[name], e.ID)
			return nil, nil
		}), nil)
		for _, s := range []State{"", Enabled, Disabled, EnabledWithAllManagementEvents} {
			rule(t, b, Rule{Name: "r" + string(s), Pattern: `{"source": ["test"]}`, State: s, Targets: []Target{{Function: "f" + string(s)}}})
		}
		read := event("read", `{"readOnly": true, "managementEvent": true}`)
		read.DetailType = CallViaCloudTrail
		write := event("write", `{"readOnly": false, "managementEvent": true}`)
		write.DetailType = CallViaCloudTrail
		data := event("data", `{"readOnly": true, "managementEvent": false}`)
		data.DetailType = CallViaCloudTrail
		put(t, b, read, write, data, event("other", `{"readOnly": true}`))
		synctest.Wait()
		for name, want := range map[string][]string{
			"f": {"data", "other", "write"}, "fENABLED": {"data", "other", "write"}, "fDISABLED": nil,
			"fENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS": {"data", "other", "read", "write"},
		} {
			slices.Sort(got[name])
			wantIDs(t, got[name], want...)
		}
	})
}

func TestRetriesWithPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &function{fail: func(n int) error {
			if n < 3 {
				return errors.New("not yet")
			}
			return nil
		}}
		folder := t.TempDir()
		b := open(t, f, func(o *Options) { o.DeadLetters = folder })
		everything(t, b, Retry{})
		begin := time.Now()
		put(t, b, event("1", `{}`))
		time.Sleep(time.Minute)
		synctest.Wait()
		wantIDs(t, f.delivered(), "1")
		for i, want := range []time.Duration{0, time.Second, 3 * time.Second} {
			if took := f.times[i].Sub(begin); took != want {
				t.Errorf("attempt %d after %s, want %s", i+1, took, want)
			}
		}
		if dead := letters(t, folder); len(dead) != 0 {
			t.Errorf("dead letters %v", dead)
		}
	})
}

func TestDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &function{fail: func(int) error { return errors.New("no: " + strings.Repeat("é", 2000)) }}
		folder := filepath.Join(t.TempDir(), "made", "here")
		var told []DeadLetter
		b := open(t, f, func(o *Options) {
			o.DeadLetters = folder
			o.OnDeadLetter = func(l DeadLetter) { told = append(told, l) }
		})
		everything(t, b, Retry{Attempts: 2})
		e := event("../../etc/x", `{"a": "b"}`)
		put(t, b, e)
		time.Sleep(time.Hour)
		synctest.Wait()
		put(t, b, e) // the same again, later, is another letter
		time.Sleep(time.Hour)
		synctest.Wait()
		dead := letters(t, folder)
		if len(dead) != 2 || len(told) != 2 {
			t.Fatalf("%d files, %d told, want 2", len(dead), len(told))
		}
		l := dead[0]
		if l.Rule != "all" || l.Target != "f" || l.Function != "f" || l.Attempts != 2 || string(l.Event.Detail) != `{
      "a": "b"
    }` || l.Event.ID != e.ID || !l.LastAttempt.After(l.Put) {
			t.Errorf("the dead letter is %+v", l)
		}
		if !strings.HasPrefix(l.Reason, "no: éé") || len(l.Reason) > maxReason+3 {
			t.Errorf("the reason has %d bytes", len(l.Reason))
		}
		if filepath.Dir(told[0].File) != folder {
			t.Errorf("the file is %s", told[0].File)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestNoAttemptAfterMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &function{fail: func(int) error { return errors.New("no") }}
		folder := t.TempDir()
		b := open(t, f, func(o *Options) {
			o.DeadLetters, o.Backoff = folder, func(int) time.Duration { return time.Minute }
		})
		everything(t, b, Retry{Attempts: 100, MaxAge: 150 * time.Second})
		put(t, b, event("1", `{}`))
		time.Sleep(time.Hour)
		synctest.Wait()
		dead := letters(t, folder)
		if len(dead) != 1 || dead[0].Attempts != 3 || !strings.Contains(dead[0].Reason, "older than 2m30s: no") {
			t.Errorf("dead letters %+v", dead)
		}
	})
}

func TestDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &function{}
		b := open(t, f, func(o *Options) { o.Duplicates = func(Event, string) int { return 2 } })
		everything(t, b, Retry{})
		put(t, b, event("1", `{}`))
		synctest.Wait()
		wantIDs(t, f.delivered(), "1", "1", "1")
	})
}

func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &function{block: make(chan struct{})}
		folder := t.TempDir()
		b := open(t, f, func(o *Options) {
			o.Queue, o.Concurrency, o.DeadLetters = 2, 1, folder
		})
		everything(t, b, Retry{})
		put(t, b, event("1", `{}`), event("2", `{}`)) // one is being delivered, one waits
		begin := time.Now()
		put(t, b, event("3", `{}`))
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("Put waited %s for a place, want the patience of 5 s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Put(ctx, event("4", `{}`)); err != nil {
			t.Error(err)
		}
		waited := make(chan time.Duration)
		go func() {
			begin := time.Now()
			put(t, b, event("5", `{}`))
			waited <- time.Since(begin)
		}()
		time.Sleep(2 * time.Second)
		close(f.block)
		if took := <-waited; took != 2*time.Second {
			t.Errorf("Put waited %s, want until there was a place", took)
		}
		synctest.Wait()
		wantIDs(t, f.delivered(), "1", "2", "5")
		dead := letters(t, folder)
		if len(dead) != 2 || !strings.Contains(dead[0].Reason, "stayed full for 5s") || !strings.Contains(dead[1].Reason, "gave up") {
			t.Errorf("dead letters %+v", dead)
		}
	})
}

func TestRulesChangeWhileEventsFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &function{}
		folder := t.TempDir()
		b := open(t, f, func(o *Options) { o.DeadLetters = folder })
		everything(t, b, Retry{})
		var wg sync.WaitGroup
		const n = 200
		for i := range n {
			wg.Go(func() { put(t, b, event(fmt.Sprint(i), `{}`)) })
			if i%20 == 0 {
				wg.Go(func() { everything(t, b, Retry{}) })
			}
		}
		wg.Wait()
		synctest.Wait()
		if got := len(f.delivered()) + len(letters(t, folder)); got != n {
			t.Errorf("%d events delivered or dead, of %d", got, n)
		}
		if !b.DeleteRule("all") || b.DeleteRule("all") || len(b.Rules()) != 0 {
			t.Error("DeleteRule does not tell what it did")
		}
		put(t, b, event("unmatched", `{}`))
		synctest.Wait()
		if slices.Contains(f.delivered(), "unmatched") {
			t.Error("a rule that was deleted still delivers")
		}
	})
}

func TestRefuses(t *testing.T) {
	b := open(t, &function{}, nil)
	for _, r := range []Rule{
		{Pattern: `{"a": [1]}`},
		{Name: "r", Pattern: `{"a": 1}`},
		{Name: "r", Pattern: `{"a": [1]}`, State: "ON"},
		{Name: "r", Pattern: `{"a": [1]}`, Targets: []Target{{}}},
		{Name: "r", Pattern: `{"a": [1]}`, Targets: []Target{{Function: "f"}, {Function: "f"}}},
		{Name: "r", Pattern: `{"a": [1]}`, Targets: []Target{{Function: "f", Retry: Retry{Attempts: -1}}}},
	} {
		if err := b.PutRule(r); err == nil {
			t.Errorf("%+v was accepted", r)
		}
	}
	if len(b.Rules()) != 0 {
		t.Error("a rule that was refused is in force")
	}
	for _, detail := range []string{``, `[]`, `null`, `{`, `{"a": "` + strings.Repeat("x", MaxEvent) + `"}`} {
		if err := b.Put(t.Context(), event("1", detail)); err == nil {
			t.Errorf("the detail %.20s was accepted", detail)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("a bus without an Invoker")
	}
	if _, err := New(Options{Invoker: &function{}, Queue: -1}); err == nil {
		t.Error("a negative queue")
	}
}
