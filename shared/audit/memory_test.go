package audit_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
)

func TestSee(t *testing.T) {
	t.Parallel()
	m := audit.NewMemory()
	see := func(key string, at time.Duration) time.Duration {
		t.Helper()
		first, err := m.See(t.Context(), key, begin.Add(at), 10*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return first.Sub(begin)
	}
	for _, step := range []struct {
		key       string
		at, first time.Duration
	}{
		{"a", 0, 0},
		{"a", 0, 0},
		{"a", time.Hour, 0},
		{"b", time.Hour, time.Hour},
		{"a", 10 * time.Hour, 0}, // seen since, so not forgotten
		{"a", -time.Hour, 0},     // late
		{"a", 20 * time.Hour, 0},
		{"a", 31 * time.Hour, 31 * time.Hour}, // forgotten meanwhile
		{"b", 12 * time.Hour, 12 * time.Hour},
	} {
		if got := see(step.key, step.at); got != step.first {
			t.Errorf("%s at %s was seen first at %s, want %s", step.key, step.at, got, step.first)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	m := audit.NewMemory()
	for i, step := range []struct {
		member string
		at     time.Duration
		n      int
		since  time.Duration
	}{
		{"a", time.Minute, 1, time.Minute},
		{"a", time.Minute, 1, time.Minute},
		{"b", 59 * time.Minute, 2, time.Minute},
		{"c", 0, 3, time.Minute}, // from before: it counts
		{"d", 61*time.Minute - 1, 4, time.Minute},
		{"a", 61 * time.Minute, 1, 61 * time.Minute},
	} {
		got, err := m.Count(t.Context(), "k", step.member, begin.Add(step.at), time.Hour)
		if err != nil || got.Members != step.n || got.Since.Sub(begin) != step.since {
			t.Errorf("%d: %s at %s: %+v, %v", i, step.member, step.at, got, err)
		}
	}
}

// Concurrent callers: every member is counted once, and one of them sees the last.
func TestCountTogether(t *testing.T) {
	t.Parallel()
	m := audit.NewMemory()
	var group sync.WaitGroup
	var mu sync.Mutex
	last := 0
	for i := range 200 {
		group.Go(func() {
			got, err := m.Count(t.Context(), "k", fmt.Sprint(i%100), begin, time.Hour)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			last = max(last, got.Members)
			mu.Unlock()
		})
	}
	group.Wait()
	if last != 100 {
		t.Errorf("%d members were counted, want 100", last)
	}
}

// What is over is forgotten: a year of events takes the memory of a window.
func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	m := audit.NewMemory()
	for i := range 400_000 {
		at := begin.Add(time.Duration(i) * time.Minute)
		if _, err := m.See(t.Context(), fmt.Sprint("reader ", i), at, time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Count(t.Context(), fmt.Sprint("who ", i), "x", at, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if n := m.Len(); n > 100_000 {
		t.Errorf("%d things are remembered, of which 120 are not over", n)
	}
}
