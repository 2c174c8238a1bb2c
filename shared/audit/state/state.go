// Package state remembers for detections and alerts: who was seen before and how often, which
// finding went to which sink, which storm is under way, which incident is open.
//
// What is to be remembered, and when it is over, is decided here, once; a store of [Records]
// only loads documents and swaps them if nobody else did. So that many functions at once are
// right, every change is made on what was loaded, and made anew if somebody was first.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Key names a document: a partition of documents that may be listed together, and a name in
// it. Both are 1 to 1,000 bytes of UTF-8.
type Key struct{ Partition, Name string }

// Record is a document and its version.
type Record struct {
	// Version counts the swaps; 0 is a document that is not there.
	Version int64
	Value   []byte // JSON
	// Expires is when nobody needs it any more. A store may drop it later, or never.
	Expires time.Time
}

// Records is a store of small documents. Implementations are safe for concurrent use, also by
// other processes; an error means that the store could not be reached, or refused.
type Records interface {
	// Load returns what the last Swap left, or a Record of Version 0.
	Load(ctx context.Context, k Key) (Record, error)
	// Swap stores r, as the version after r.Version, if that is still the version that is
	// there. False, without an error: it is not, somebody else was first.
	Swap(ctx context.Context, k Key, r Record) (bool, error)
	// List returns the documents of a partition by their names.
	List(ctx context.Context, partition string) (map[string]Record, error)
}

// Book writes what is remembered into Records. It is an [audit.State], and what the forwarder
// needs beside. It is safe for concurrent use, also by several Books on the same Records.
type Book struct {
	records Records
	now     func() time.Time
}

// New makes a book; now is the clock, time.Now if nil.
func New(r Records, now func() time.Time) *Book {
	if now == nil {
		now = time.Now
	}
	return &Book{records: r, now: now}
}

// tries bounds how often a change is made anew. Of n who change one document at once, one
// succeeds in each round.
const tries = 100

// edit changes a document of type T. change gets the zero T if there is none, and says whether
// to write, and until when the document is needed. It may be called several times.
func edit[T any](ctx context.Context, b *Book, k Key, change func(v *T, known bool) (write bool, until time.Time)) error {
	for attempt := range tries {
		r, err := b.records.Load(ctx, k)
		if err != nil {
			return err
		}
		var v T
		if r.Version > 0 {
			if err := json.Unmarshal(r.Value, &v); err != nil {
				return fmt.Errorf("the state's document %s %s is not one of this version: %w", k.Partition, k.Name, err)
			}
		}
		write, until := change(&v, r.Version > 0)
		if !write {
			return nil
		}
		if r.Value, err = json.Marshal(v); err != nil {
			return err
		}
		r.Expires = until.Add(time.Hour)
		if swapped, err := b.records.Swap(ctx, k, r); err != nil || swapped {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
	return errors.New("others change the same state all the time")
}

// pause waits up to 2 ms after the first attempt, doubling up to 64 ms.
func pause(ctx context.Context, attempt int) error {
	timer := time.NewTimer(rand.N(time.Millisecond << min(attempt+1, 6))) //nolint:gosec // G404: how long to wait is nobody's secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// later is the later of an event's time and the clock's: how long a document is kept counts
// from when it was written, while what it means counts from the event.
func (b *Book) later(at time.Time) time.Time {
	if now := b.now(); now.After(at) {
		return now
	}
	return at
}
