package audit

import (
	"context"
	"sync"
	"time"
)

// Memory is a State in this process, for one machine and for recordings. It forgets what is
// over when it grows. Make it with NewMemory. It is safe for several goroutines; ctx is not
// looked at, and errors are always nil.
type Memory struct {
	mu     sync.Mutex
	seen   map[string]sighting
	counts map[string]*count
	sweep  int // the size at which to look for what is over
}

type sighting struct {
	first, last time.Time
	keep        time.Duration
}

type count struct {
	since   time.Time
	window  time.Duration
	members map[string]struct{}
}

// maxMembers bounds a set: see State.Count.
const maxMembers = 1000

// NewMemory makes an empty state.
func NewMemory() *Memory {
	return &Memory{seen: map[string]sighting{}, counts: map[string]*count{}, sweep: 100_000}
}

// See is as in State.
func (m *Memory) See(_ context.Context, key string, at time.Time, keep time.Duration) (first time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, known := m.seen[key]
	if !known || at.Sub(s.last) > s.keep {
		m.forget(at)
		m.seen[key] = sighting{first: at, last: at, keep: keep}
		return at, nil
	}
	if at.Sub(s.last) > s.keep/20 {
		s.last, s.keep = at, max(keep, s.keep)
		m.seen[key] = s
	}
	return s.first, nil
}

// Count is as in State.
func (m *Memory) Count(_ context.Context, key, member string, at time.Time, window time.Duration) (Tally, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.counts[key]
	if c == nil || at.Sub(c.since) >= c.window {
		m.forget(at)
		c = &count{since: at, window: window, members: make(map[string]struct{}, 4)}
		m.counts[key] = c
	}
	if _, known := c.members[member]; !known && len(c.members) < maxMembers {
		c.members[member] = struct{}{}
	}
	return Tally{Members: len(c.members), Since: c.since}, nil
}

// forget drops what is over by the time now, if there is much. The caller holds mu.
func (m *Memory) forget(now time.Time) {
	if len(m.seen)+len(m.counts) < m.sweep {
		return
	}
	for key, s := range m.seen {
		if now.Sub(s.last) > s.keep {
			delete(m.seen, key)
		}
	}
	for key, c := range m.counts {
		if now.Sub(c.since) >= c.window {
			delete(m.counts, key)
		}
	}
	m.sweep = max(100_000, 2*(len(m.seen)+len(m.counts)))
}

// Len is how much is remembered.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.seen) + len(m.counts)
}
