package rotation

import (
	"context"
	"errors"
	"iter"
	"log/slog"
)

// Engine changes one kind of credential in the system that owns it.
//
// Every method may run again at any point after any partial effect, and must
// then complete or confirm the work. Errors wrap one of the sentinels of this
// package and never carry a secret. An Engine is used by several goroutines.
type Engine interface {
	// Create derives the pending value from the current one. The machine stores what
	// it returns, or keeps what an earlier try has stored. It changes nothing
	// anywhere, unless the target makes the credential itself: then it asks
	// Request.Stored first, so that nothing is made beside a value that is stored,
	// and what it makes can be found and ended if it is never stored.
	Create(ctx context.Context, r Request) (Value, error)
	// Set makes the pending value valid in the target. It refuses a pending
	// value that speaks of another target or user than the current one.
	Set(ctx context.Context, r Request) error
	// Test proves that the pending value works. In a rehearsal (RotateSecret
	// with RotateImmediately=false) the pending value is the current one.
	Test(ctx context.Context, r Request) error
}

// Preflighter is an [Engine] that can tell, before anything is stored, whether
// every later step can succeed. It may log in and read; it changes nothing.
type Preflighter interface {
	Preflight(ctx context.Context, r Request) error
}

// Request is what a step knows. Current is set in Create, Set and Retire, Pending
// in Set and Test.
type Request struct {
	Rotation
	Current Value
	Pending Value

	// In Retire, where Token is the version that is current:

	Old      Value  // what is to end; empty if Secrets Manager has it no more
	OldToken string // its version
	// Rotating: another version is AWSPENDING. Pending is its value, empty if it
	// has none yet.
	Rotating bool

	store  Store
	notes  *notes
	labels map[string][]string // as Retire began
}

// NewRequest makes a request over a store, for tests of engines; the [Machine]
// makes its own.
func NewRequest(r Rotation, current, pending Value, s Store) Request {
	return Request{Rotation: r, Current: current, Pending: pending, store: s, notes: &notes{}}
}

// Previous fetches the value labelled AWSPREVIOUS. It costs a call, so engines
// ask only when the current one is refused. ErrNotFound if there is none.
func (r Request) Previous(ctx context.Context) (Value, error) {
	stored, err := r.store.Get(ctx, r.SecretID, Version{Stage: Previous})
	return stored.Value, err
}

// Secret fetches the current value of another secret, such as an
// administrator's. It costs a call.
func (r Request) Secret(ctx context.Context, id string) (Value, error) {
	stored, err := r.store.Get(ctx, id, Version{Stage: Current})
	return stored.Value, err
}

// Tags fetches the tags of another secret, those of AWS ("aws:…", which nobody
// else can set) included. It costs a call.
func (r Request) Tags(ctx context.Context, id string) (map[string]string, error) {
	md, err := r.store.Describe(ctx, id)
	return md.Tags, err
}

// Rehearsal tells a testSecret against the value that is there already
// (RotateSecret with RotateImmediately=false) from one that ends a rotation. It
// costs a call unless the version had no value of its own.
func (r Request) Rehearsal(ctx context.Context) (bool, error) {
	if r.Current.Len() > 0 {
		return r.Current.Equal(r.Pending), nil
	}
	stored, err := r.store.Get(ctx, r.SecretID, Version{Stage: Current})
	return err == nil && stored.Value.Equal(r.Pending), err
}

// maxUnlabelled bounds how many values Unlabelled yields: each may become a
// refused login, and servers lock accounts out.
const maxUnlabelled = 5

// Unlabelled fetches the versions that lost all labels, the newest first, at most
// five; one call for each and one for the list. Engines ask only when every
// labelled value is refused. An error ends the sequence.
func (r Request) Unlabelled(ctx context.Context) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		h, ok := r.store.(Historian)
		if !ok {
			return
		}
		ids, err := h.Unlabelled(ctx, r.SecretID)
		if err != nil {
			yield(Stored{}, err)
			return
		}
		for _, id := range ids[:min(len(ids), maxUnlabelled)] {
			stored, err := r.store.Get(ctx, r.SecretID, Version{ID: id})
			if errors.Is(err, ErrNotFound) {
				continue // without a value, or pruned meanwhile
			}
			if !yield(stored, err) || err != nil {
				return
			}
		}
	}
}

// Note adds attributes to the step's log line, such as the strategy chosen.
func (r Request) Note(attrs ...slog.Attr) {
	r.notes.attrs = append(r.notes.attrs, attrs...)
}

// notes are what a step adds to its log line.
type notes struct {
	attrs     []slog.Attr
	retiring  bool  // the line counts failures of retiring
	unplanned error // why a retirement could not be planned, or not be made first
}

// planFailed notes a failure beside a step that succeeded. The first one counts.
func (n *notes) planFailed(err error) {
	if n.unplanned == nil {
		n.unplanned = err
	}
}
