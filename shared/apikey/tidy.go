package apikey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// origin is whose a listed key is.
type origin int

const (
	foreign origin = iota // another's, or nobody can tell
	kept                  // a version that counts holds it
	thisTry               // of this rotation
	earlier               // of this secret: an old key, or an orphan of another rotation
)

// holders are the keys of versions that count.
type holders struct {
	current, pending, previous Key
}

// origin tells whose a listed key is: by its name or, where keys have none and
// the account is this secret's alone, by exclusion.
func (e *Engine) origin(r rotation.Rotation, t target, h holders, k Key) (origin, time.Time) {
	if k.ID == "" || k.ID == h.current.ID || k.ID == h.pending.ID || k.ID == h.previous.ID {
		return kept, time.Time{}
	}
	if !t.traits.Named {
		if !t.exclusive {
			return foreign, time.Time{}
		}
		lease := time.Time{}
		if !k.Created.IsZero() {
			lease = k.Created.Add(longest)
		}
		return thisTry, lease // or an old key: see superseded
	}
	s, ours := readName(k.Name)
	switch {
	case !ours || s.secret != digest("secret", r.SecretID)[:10]:
		return foreign, time.Time{}
	case s.rotation == digest("rotation", r.SecretID, r.Token)[:10]:
		return thisTry, s.lease
	}
	return earlier, s.lease
}

// list lists the account's keys, and fetches the previous version if some of them
// might be its. Versions that do not count have no say: their keys are old.
func (e *Engine) list(ctx context.Context, r rotation.Request, t target, h *holders) ([]Key, error) {
	keys, err := t.provider.List(ctx, t.account)
	if err != nil {
		return nil, err
	}
	asks := slices.ContainsFunc(keys, func(k Key) bool {
		whose, _ := e.origin(r.Rotation, t, *h, k)
		return whose == thisTry || whose == earlier
	})
	if asks {
		h.previous, err = e.previous(ctx, r, t)
	}
	return keys, err
}

// previous is the key of the previous version, if there is one of this provider.
func (e *Engine) previous(ctx context.Context, r rotation.Request, t target) (Key, error) {
	v, err := r.Previous(ctx)
	if errors.Is(err, rotation.ErrNotFound) {
		return Key{}, nil
	}
	if err != nil {
		return Key{}, err
	}
	previous, err := e.identify(v, rotation.Previous)
	if err != nil || previous.name != t.name {
		return Key{}, nil //nolint:nilerr // what cannot be read holds no key of this account
	}
	return previous.account.Current, nil
}

// room is what the account's keys leave for one more.
type room struct {
	keys    []Key     // all there are
	over    []Key     // what earlier tries left behind, and may be ended
	live    int       // without those
	ordered bool      // the order that follows gets one that is there
	busy    time.Time // until then an earlier try's key may be stored
	inGrace bool      // one is an old key whose time is not over
}

// room looks at the account's keys, and changes nothing.
func (e *Engine) room(ctx context.Context, r rotation.Request, t target) (room, error) {
	h := holders{current: t.account.Current}
	keys, err := e.list(ctx, r, t, &h)
	if err != nil {
		return room{}, err
	}
	m := room{keys: keys, live: len(keys)}
	for _, k := range keys {
		whose, lease := e.origin(r.Rotation, t, h, k)
		switch {
		case whose == kept || whose == foreign || !t.traits.Revokes:
		case whose == thisTry && t.traits.Idempotent:
			m.ordered = true
		case e.now().Before(lease):
			m.busy = latest(m.busy, lease)
		case (whose == earlier || !t.traits.Named) && !e.superseded(t, keys, k):
			m.inGrace = true
		default:
			m.over = append(m.over, k)
			m.live--
		}
	}
	if m.fits(t) {
		return m, nil
	}
	if h.previous.ID == "" {
		if h.previous, err = e.previous(ctx, r, t); err != nil {
			return room{}, err
		}
	}
	held := slices.ContainsFunc(keys, func(k Key) bool { return k.ID == h.previous.ID })
	m.inGrace = m.inGrace || held
	return m, nil
}

// fits tells whether one more key may be ordered.
func (m room) fits(t target) bool {
	return t.traits.Limit == 0 || m.live < t.traits.Limit || m.ordered
}

// makeRoom ends what earlier tries left behind, and refuses if the account has
// as many keys as the vendor allows.
func (e *Engine) makeRoom(ctx context.Context, r rotation.Request, t target) error {
	m, err := e.room(ctx, r, t)
	if err != nil {
		return err
	}
	for _, k := range m.over {
		if err := t.provider.Revoke(ctx, t.account, k); err != nil {
			return fmt.Errorf("ending what an earlier try left behind: %w", err)
		}
		r.Note(slog.String("orphan_revoked", k.ID))
	}
	if m.fits(t) {
		return nil
	}
	return m.full(t)
}

// superseded tells whether a key that is no version's that counts may be ended: it
// was never current (younger than the current one), or the grace period since it
// was is over (the current one is older than that).
func (e *Engine) superseded(t target, keys []Key, k Key) bool {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == t.account.Current.ID })
	if i < 0 {
		return false
	}
	born := birth(keys[i])
	if born.IsZero() {
		return false
	}
	if b := birth(k); b.After(born) {
		return true
	}
	return e.Grace > 0 && !e.now().Before(born.Add(e.Grace))
}

// birth is when a key was made, or somewhat later.
func birth(k Key) time.Time {
	if !k.Created.IsZero() {
		return k.Created
	}
	s, _ := readName(k.Name)
	return s.lease
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// full is why there is no room.
func (m room) full(t target) error {
	what := fmt.Sprintf("making room for a new key: the account has %d of %d", m.live, t.traits.Limit)
	switch {
	case !m.busy.IsZero():
		return rotation.WithHint(fmt.Errorf("%s, of which one is an earlier try's that may not be over: %w", what, rotation.ErrBusy),
			fmt.Sprintf("Run the rotation again after %s: then that key is ended.", m.busy.UTC().Truncate(time.Second).Format(time.RFC3339)))
	case m.inGrace:
		return rotation.WithHint(fmt.Errorf("%s, of which one is the previous key, whose grace period is not over: %w", what, rotation.ErrBusy),
			"Run the rotation again when the grace period (RETIRE_AFTER) is over, or revoke the previous key at the vendor if nobody uses it.")
	}
	return rotation.WithHint(fmt.Errorf("%s: %w", what, ErrLimit), limitHint)
}

// tidyRotation ends every key of this rotation but the one that is stored: the
// token takes no other, so that no try can come to store one of them.
func (e *Engine) tidyRotation(ctx context.Context, r rotation.Request, t target, pending Key) error {
	if !t.traits.Lists || !t.traits.Revokes || pending.ID == "" || !t.traits.Named && !t.exclusive {
		return nil
	}
	h := holders{current: t.account.Current, pending: pending}
	keys, err := e.list(ctx, r, t, &h)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if whose, _ := e.origin(r.Rotation, t, h, k); whose != thisTry {
			continue
		}
		if !t.traits.Named && !e.superseded(t, keys, k) {
			continue
		}
		if err := t.provider.Revoke(ctx, t.account, k); err != nil {
			return fmt.Errorf("ending what an earlier try left behind: %w", err)
		}
		r.Note(slog.String("orphan_revoked", k.ID))
	}
	return nil
}
