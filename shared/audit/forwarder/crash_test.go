package forwarder_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/state"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// fate is what becomes of one side effect.
type fate string

const (
	notDone      fate = "not done"
	reportedLost fate = "done but reported lost"
	killedBefore fate = "killed before"
	killedAfter  fate = "killed after"
)

var errFate = errors.New("it was not to be")

// mortal counts the side effects of a process, and lets its fate befall one of them. Who is
// killed has no effect any more.
type mortal struct {
	mu    sync.Mutex
	n, at int
	fate  fate
	what  string // the effect that it befell
	dead  bool
}

func (m *mortal) effect(what string, do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	hit := m.n == m.at
	if hit {
		m.what = what
	}
	if m.dead || hit && m.fate == killedBefore {
		m.dead = true
		return errFate
	}
	if hit && m.fate == notDone {
		return errFate
	}
	err := do()
	if hit && (m.fate == reportedLost || m.fate == killedAfter) {
		m.dead = m.fate == killedAfter
		return errFate
	}
	return err
}

// again is the process that comes after.
func (m *mortal) again() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at, m.dead = 0, false
}

type mortalRecords struct {
	state.Memory
	*mortal
}

func (r *mortalRecords) Swap(ctx context.Context, k state.Key, d state.Record) (ok bool, err error) {
	err = r.effect("state "+k.Partition, func() error { ok, err = r.Memory.Swap(ctx, k, d); return err })
	return ok && err == nil, err
}

type mortalSink struct {
	*post
	*mortal
}

func (s mortalSink) Deliver(ctx context.Context, findings []audit.Finding) error {
	return s.effect("sink "+s.name, func() error { return s.post.Deliver(ctx, findings) })
}

// The crash matrix: whatever becomes of any one side effect, every sink has the alert when the
// event is delivered again, and no more than once too often.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	for _, f := range []fate{notDone, reportedLost, killedBefore, killedAfter} {
		for at := 1; ; at++ {
			if !crash(t, f, at) {
				if at < 8 {
					t.Errorf("%s: a run has %d side effects only", f, at-1)
				}
				break
			}
		}
	}
}

// crash reports whether there is such a side effect.
func crash(t *testing.T, f fate, at int) bool {
	t.Helper()
	b := newBench(t, "one", "two")
	m := &mortal{at: at, fate: f}
	r := &mortalRecords{mortal: m}
	b.State = state.New(r, b.Forwarder.Now)
	for n, s := range b.sinks {
		b.Sinks[n].Sink = mortalSink{s, m}
	}
	event := service("RotationFailed", "prod/db", "e-1")
	b.world.lines = []string{line}
	err := b.send(event)
	dead := m.dead
	befallen := m.what != ""
	m.again()
	for tries := 0; err != nil || dead; tries++ { // it is delivered again, as the dead did not acknowledge it
		if tries == 5 {
			t.Fatalf("%s, effect %d (%s): it is never done with: %v", f, at, m.what, err)
		}
		b.later(2 * time.Minute)
		err, dead = b.send(event), false
	}
	for errors.Is(b.send(event), rotation.ErrConflict) { // at least once; a claim that was not known to be made must end
		b.later(2 * time.Minute)
	}
	for _, s := range b.sinks {
		got := s.all()
		about := fmt.Sprintf("%s, effect %d (%s): %s has %d alerts", f, at, m.what, s.name, len(got))
		told := m.what == "sink "+s.name && (f == reportedLost || f == killedAfter)
		unnoted := len(m.what) > 5 && m.what[:5] == "state" // which alerts say, or which comes between an answer and its note
		switch {
		case len(got) == 0 || len(got) > 2:
			t.Error(about)
		case len(got) == 2 && !told && !unnoted:
			t.Errorf("%s for no reason", about)
		}
	}
	return befallen
}
