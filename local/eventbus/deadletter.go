package eventbus

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// DeadLetter is an event that a target did not get, and why. Its file is this as JSON.
type DeadLetter struct {
	Rule        string    `json:"rule"`
	Target      string    `json:"target"`
	Function    string    `json:"function"`
	Attempts    int       `json:"attempts"`
	Put         time.Time `json:"put"`
	LastAttempt time.Time `json:"lastAttempt,omitzero"`
	Reason      string    `json:"reason"` // of the last attempt
	Event       Event     `json:"event"`

	// File is where it is kept; empty if there is no folder, or it could not be written.
	File string `json:"-"`
}

// maxReason cuts what a function says of its failure.
const maxReason = 2000

func reason(err error) string {
	s := err.Error()
	if len(s) <= maxReason {
		return s
	}
	s = s[:maxReason]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

func openFolder(path string) error {
	if path == "" {
		return nil
	}
	return os.MkdirAll(path, 0o700)
}

// bury keeps a dead letter; where it cannot, it counts it as lost.
func (b *Bus) bury(l DeadLetter) {
	if b.opt.DeadLetters != "" {
		file, err := l.write(b.opt.DeadLetters)
		l.File = file
		b.failures.add(err)
	} else if b.opt.OnDeadLetter == nil {
		b.failures.add(errNowhere)
	}
	if b.opt.OnDeadLetter != nil {
		b.opt.OnDeadLetter(l)
	}
}

var errNowhere = errors.New("there is no folder for dead letters")

// write makes the file, readable by its owner only. It appears whole or not at all, and never
// in place of another: the same event can fail for the same target twice.
func (l DeadLetter) write(folder string) (string, error) {
	l.Event.Version = "0"
	content, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return "", err
	}
	temp, err := os.CreateTemp(folder, ".letter-*") // mode 0600
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(append(content, '\n'))
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		path := filepath.Join(folder, l.fileName(n))
		err := os.Link(temp.Name(), path)
		if !errors.Is(err, os.ErrExist) {
			return path, err
		}
	}
}

// fileName sorts by time; n tells apart what is otherwise the same.
func (l DeadLetter) fileName(n int) string {
	name := fmt.Sprintf("%s-%s-%s-%s", l.Put.UTC().Format("20060102T150405Z"), plain(l.Event.ID), plain(l.Rule), plain(l.Target))
	if n > 1 {
		name += fmt.Sprintf("-%d", n)
	}
	return name + ".json"
}

// plain keeps what is harmless in a file's name.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, s)
	return s[:min(len(s), 48)]
}

// failures are the events that are lost.
type failures struct {
	mu    sync.Mutex
	n     int
	first error
}

func (f *failures) add(err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if f.first == nil {
		f.first = err
	}
}

func (f *failures) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == 0 {
		return nil
	}
	return fmt.Errorf("event bus: %d undelivered events are lost: %w", f.n, f.first)
}
