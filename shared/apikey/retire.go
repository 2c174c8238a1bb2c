package apikey

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Retire implements [rotation.Retirer]: it ends the key of r.Old if it is idle, and
// what is left of rotations before.
func (e *Engine) Retire(ctx context.Context, r rotation.Request) error {
	t, err := e.open(ctx, r, r.Current, rotation.Current)
	if err != nil {
		return err
	}
	r.Note(slog.String("provider", t.name))
	if !t.keepsOld() {
		r.Note(slog.String("reason", "no old key outlives a rotation of class "+string(t.traits.Class)))
		return nil
	}
	h := holders{current: t.account.Current}
	if r.Pending.Len() > 0 {
		if pending, err := e.identify(r.Pending, rotation.Pending); err == nil && pending.name == t.name {
			h.pending = pending.account.Current
		}
	}
	old, reason := e.oldKey(r, t, h)
	if reason != "" {
		r.Note(slog.String("reason", reason))
		if t.traits.ID == "" {
			return nil
		}
	}
	var keys []Key
	if t.traits.Lists {
		if keys, err = t.provider.List(ctx, t.account); err != nil {
			return err
		}
	}
	if reason == "" {
		if err := e.endOld(ctx, r, t, keys, old); err != nil {
			return err
		}
	}
	return e.sweep(ctx, r, t, h, keys, old)
}

// oldKey is the key to end, or why there is none.
func (e *Engine) oldKey(r rotation.Request, t target, h holders) (Key, string) {
	if r.Old.Len() == 0 {
		return Key{}, "Secrets Manager has the old version no more"
	}
	old, err := e.identify(r.Old, "the old version")
	if err != nil || t.sameTarget(old) != nil {
		return Key{}, "the old version is another account's: end its key by hand"
	}
	k := old.account.Current
	switch {
	case t.traits.ID != "" && k.ID == "":
		return Key{}, fmt.Sprintf("the old version does not hold the key's id (%s): end it by hand", t.traits.ID)
	case t.same(k, h.current) || t.same(k, h.pending):
		return Key{}, "the old key is the one in use"
	}
	return k, ""
}

// endOld ends the old key, if it is idle and the current one works.
func (e *Engine) endOld(ctx context.Context, r rotation.Request, t target, keys []Key, old Key) error {
	if t.traits.Lists {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == old.ID })
		if i < 0 {
			r.Note(slog.String("reason", "the old key has ended already"))
			return nil
		}
		if err := e.idle(t, keys[i]); err != nil {
			return err
		}
		if err := e.graceOver(t, keys); err != nil {
			return err
		}
	}
	if err := t.provider.Check(ctx, t.account, t.account.Current); err != nil {
		return fmt.Errorf("checking the current key before the old one is ended: %w", err)
	}
	if err := r.StillDue(ctx); err != nil {
		return err
	}
	if retirer, ok := t.provider.(KeyRetirer); ok {
		return retirer.RetireKey(ctx, t.account, old)
	}
	return t.provider.Revoke(ctx, t.account, old)
}

// graceOver refuses while the current key is younger than the grace period: it may
// have been put into the secret by a person, of which the machine's clock of
// rotations knows nothing.
func (e *Engine) graceOver(t target, keys []Key) error {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == t.account.Current.ID })
	if i < 0 || keys[i].Created.IsZero() {
		return nil
	}
	if due := keys[i].Created.Add(e.Grace); e.now().Before(due) {
		return fmt.Errorf("ending the old key: the current one was made at %s, so that the grace period is not over: %w",
			keys[i].Created.UTC().Format(time.RFC3339), rotation.ErrBusy)
	}
	return nil
}

// idle refuses a key that was used lately, where the vendor tells.
func (e *Engine) idle(t target, k Key) error {
	if !t.traits.LastUsed || k.LastUsed.IsZero() {
		return nil
	}
	idleFor := e.IdleFor
	if idleFor == 0 {
		idleFor = time.Hour
	}
	if e.now().Before(k.LastUsed.Add(idleFor)) {
		return rotation.WithHint(fmt.Errorf("ending the old key: it was last used at %s: %w", k.LastUsed.UTC().Format(time.RFC3339), rotation.ErrBusy),
			"Find out what still uses the old key, and have it read the secret again; ending it is tried again.")
	}
	return nil
}

// sweep ends the keys of this secret that no version holds any more: orphans, and
// old keys whose own retirement never came. Not while a rotation is under way: its key
// may be made and not stored yet, and where the vendor knows idempotency keys it has no
// lease, and ordering it again would give it back dead.
func (e *Engine) sweep(ctx context.Context, r rotation.Request, t target, h holders, keys []Key, old Key) error {
	if r.Rotating {
		return nil
	}
	h.previous = old // ended, or in use still
	for _, k := range keys {
		whose, lease := e.origin(r.Rotation, t, h, k)
		if whose == kept || whose == foreign || e.now().Before(lease) || !e.superseded(t, keys, k) || e.idle(t, k) != nil {
			continue
		}
		if err := r.StillDue(ctx); err != nil {
			return err
		}
		if err := t.provider.Revoke(ctx, t.account, k); err != nil {
			return fmt.Errorf("ending a key that no version holds: %w", err)
		}
		r.Note(slog.String("orphan_revoked", k.ID))
	}
	return nil
}
