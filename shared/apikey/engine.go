package apikey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Engine rotates keys of vendors. It implements [rotation.Engine],
// [rotation.Retirer] and [rotation.Keeper], and is safe for several goroutines.
//
// Create makes a key at the vendor before anything is stored, because the key is
// what is to be stored: here the contract is wider than for databases, where a
// password is made up and set later. What that leaves behind when it fails is
// found and ended: see order and tidy.
type Engine struct {
	// Providers finds a provider by the name that secrets call it.
	Providers Directory
	// Grace is how long an old key stays valid: the machine's RetireAfter. 0: old
	// keys are not ended.
	Grace time.Duration
	// IdleFor is how long an old key must not have been used before it is ended,
	// where the vendor tells. 0: an hour.
	IdleFor time.Duration
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Directory finds providers.
type Directory interface {
	// Provider finds a provider by its name. ErrConfig if there is none.
	Provider(name string) (Provider, error)
}

// Create implements [rotation.Engine]. Everything that can be found wrong without
// making a key is found before.
func (e *Engine) Create(ctx context.Context, r rotation.Request) (rotation.Value, error) {
	stored, there, err := r.Stored(ctx)
	if err != nil {
		return rotation.Value{}, err
	}
	if there {
		// Another key would be an orphan: the token takes no other value.
		r.Note(slog.Bool("stored_before", true))
		return stored, nil
	}
	t, err := e.open(ctx, r, r.Current, rotation.Current)
	if err != nil {
		return rotation.Value{}, err
	}
	r.Note(slog.String("provider", t.name), slog.String("class", string(t.traits.Class)))
	var k Key
	switch {
	case t.traits.Class == Assisted:
		return rotation.Value{}, errAssisted
	case t.traits.Chosen:
		k, err = t.provider.Issue(ctx, t.account, Order{})
	case t.traits.Once:
		k, err = e.issueOnce(ctx, r, t)
	default:
		k, err = e.mint(ctx, r, t)
	}
	if err != nil {
		return rotation.Value{}, err
	}
	return t.successor(k)
}

// errAssisted is the outcome until a person has brought the key.
var errAssisted = rotation.WithHint(fmt.Errorf("making the new key: the vendor issues keys to people only: %w", rotation.ErrWaiting),
	"Make a key at the vendor and hand it over with rekey submit; the rotation goes on with it.")

// mint has the vendor make a key, if there is room for one more.
func (e *Engine) mint(ctx context.Context, r rotation.Request, t target) (Key, error) {
	if t.traits.Lists {
		if err := e.makeRoom(ctx, r, t); err != nil {
			return Key{}, err
		}
	}
	order := e.order(ctx, r.Rotation, t.traits)
	k, err := t.provider.Issue(ctx, t.account, order)
	switch {
	case err == nil:
		return k, nil
	case errors.Is(err, ErrLimit):
		return Key{}, rotation.WithHint(err, limitHint)
	case !errors.Is(err, ErrNotSent):
		e.abandon(ctx, r, t, order)
	}
	return Key{}, err
}

const limitHint = "Revoke a key of the account that nobody uses; the rotation may be run again at any time."

// abandon ends the key of an order whose answer was lost: nobody will ever know
// its material. What it does not reach is left to tidy.
func (e *Engine) abandon(ctx context.Context, r rotation.Request, t target, o Order) {
	if !t.traits.Lists || !t.traits.Named || !t.traits.Revokes || t.traits.Idempotent {
		return
	}
	keys, err := t.provider.List(ctx, t.account)
	if err != nil {
		return
	}
	for _, k := range keys {
		if k.Name == o.Name && t.provider.Revoke(ctx, t.account, k) == nil {
			r.Note(slog.String("abandoned", k.ID))
		}
	}
}

// Set implements [rotation.Engine]. A key of our own choice is made valid; of keys
// that the vendor made, all but the stored one are ended.
func (e *Engine) Set(ctx context.Context, r rotation.Request) error {
	t, pending, err := e.both(ctx, r)
	if err != nil {
		return err
	}
	r.Note(slog.String("provider", t.name), slog.String("class", string(t.traits.Class)))
	if t.traits.Chosen {
		i, ok := t.provider.(Installer)
		if !ok {
			return nil
		}
		return i.Install(ctx, t.account, pending)
	}
	return e.tidyRotation(ctx, r, t, pending)
}

// Test implements [rotation.Engine].
func (e *Engine) Test(ctx context.Context, r rotation.Request) error {
	t, err := e.open(ctx, r, r.Pending, rotation.Pending)
	if err != nil {
		return err
	}
	r.Note(slog.String("provider", t.name))
	if err := t.complete(t.account.Current); err != nil {
		return err
	}
	err = t.provider.Check(ctx, t.account, t.account.Current)
	if errors.Is(err, rotation.ErrRefused) {
		err = rotation.WithHint(err, "Run the rotation again: the vendor may need longer to know the key. If somebody ended it at the vendor, take AWSPENDING away from its version; then rotate.")
	}
	if err != nil {
		return fmt.Errorf("testing %s: %w", rotation.Pending, err)
	}
	if r.Current.Len() > 0 && r.Current.Equal(r.Pending) && t.traits.Lists {
		// A rehearsal: what a rotation would ask first.
		_, err := t.provider.List(ctx, t.account)
		return err
	}
	return nil
}

// KeepsOld implements [rotation.Keeper].
func (e *Engine) KeepsOld(_ context.Context, r rotation.Request) (bool, error) {
	t, err := e.identify(r.Current, rotation.Current)
	return err == nil && t.keepsOld(), err
}

// keepsOld tells whether the old key outlives the rotation and can be ended.
func (t target) keepsOld() bool {
	overlaps := t.traits.Class == Dual || t.traits.Class == Grace || t.traits.Class == Assisted
	return overlaps && t.traits.Revokes && !t.traits.Ends
}

func (e *Engine) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}
