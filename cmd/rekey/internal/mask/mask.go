// Package mask keeps values out of a program's output: it replaces them, and the forms in
// which programs usually write them, as they pass.
package mask

import (
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// Least is the length of a value, or of a line of one, from which on it is masked. Shorter
// ones would be found in what has nothing to do with them, which tells what they are.
const Least = 5

// stars replace what is masked, however long it was.
const stars = "***"

// Set is what is masked. It grows while writers use it, and is safe for several goroutines.
// The zero value is an empty one.
type Set struct {
	mu    sync.Mutex
	known map[string]bool
	index atomic.Pointer[index] // replaced as a whole when it grows
}

// Add masks values from now on, as a whole and line by line, and the usual forms of them. It
// returns those that nothing was masked of because all of it is too short. Empty values are
// no secret.
func (s *Set) Add(values ...string) (tooShort []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]bool{}
	}
	for _, value := range values {
		forms := formsOf(value)
		for _, form := range forms {
			s.known[form] = true
		}
		if len(forms) == 0 && value != "" {
			tooShort = append(tooShort, value)
		}
	}
	s.index.Store(newIndex(s.known))
	return tooShort
}

// index finds the forms that a text begins with: by its first bytes, for a key of many lines
// has thousands of them.
type index struct {
	byHead map[head][]string // the longest first
	begins map[string]bool   // what is shorter than a head, and may become one
}

type head [4]byte

func newIndex(forms map[string]bool) *index {
	x := &index{byHead: map[head][]string{}, begins: map[string]bool{}}
	for form := range forms {
		h := head([]byte(form[:len(head{})]))
		x.byHead[h] = append(x.byHead[h], form)
		for n := 1; n < len(h); n++ {
			x.begins[form[:n]] = true
		}
	}
	for _, forms := range x.byHead {
		slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	}
	return x
}

// match is the length of the longest form that text begins with, and whether more text could
// make a longer one.
func (x *index) match(text []byte) (found int, undecided bool) {
	if len(text) < len(head{}) {
		return 0, x.begins[string(text)]
	}
	for _, form := range x.byHead[head(text[:len(head{})])] {
		if len(form) > len(text) {
			undecided = undecided || form[:len(text)] == string(text)
		} else if form == string(text[:len(form)]) {
			return len(form), undecided
		}
	}
	return 0, undecided
}

// Writer masks what is written to it on its way to w. What might be the beginning of a value
// is held back until more comes, or [Writer.Flush].
//
// Everything that any value covers becomes stars, also where values overlap.
type Writer struct {
	set *Set
	w   io.Writer

	mu      sync.Mutex
	pending []byte // not written yet
	covered int    // so much of pending belongs to a value that was found
	starred bool   // what was written last are the stars of what goes on
}

// NewWriter makes a writer. It is safe for several goroutines.
func NewWriter(w io.Writer, set *Set) *Writer { return &Writer{set: set, w: w} }

// Write takes all of p, unless writing failed.
func (m *Writer) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = append(m.pending, p...)
	return len(p), m.pass(false)
}

// Flush writes what was held back: nothing follows it.
func (m *Writer) Flush() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pass(true)
}

// pass writes what is decided.
func (m *Writer) pass(last bool) error {
	var out []byte
	at := 0
	x := m.set.index.Load()
	for ; at < len(m.pending); at++ {
		rest := m.pending[at:]
		if x != nil {
			found, undecided := x.match(rest)
			if undecided && !last {
				break
			}
			m.covered = max(m.covered, at+found)
		}
		if at >= m.covered {
			out = append(out, rest[0])
		} else if !m.starred {
			out = append(out, stars...)
		}
		m.starred = at < m.covered
	}
	m.covered = max(0, m.covered-at)
	m.pending = append(m.pending[:0], m.pending[at:]...)
	if len(out) == 0 {
		return nil
	}
	_, err := m.w.Write(out)
	return err
}
