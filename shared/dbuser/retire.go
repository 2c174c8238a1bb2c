package dbuser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// KeepsOld tells whether the password of before may live on after a rotation: if
// the user has dual passwords, or may have. What single leaves behind has ended,
// and the other of two alternating users lives until it is its turn.
func (e *Engine) KeepsOld(_ context.Context, r rotation.Request) (bool, error) {
	s, err := e.parse(r.Current, rotation.Current)
	return s.mayBeDual(), err
}

func (s Secret) mayBeDual() bool {
	return s.driver != nil && s.driver.Rules().Dual && !s.administered() && s.Strategy != Single
}

// Retire ends every password of the user but the current one. It asks no server
// where there can be no other.
func (e *Engine) Retire(ctx context.Context, r rotation.Request) error {
	current, err := e.parse(r.Current, rotation.Current)
	if err != nil {
		return err
	}
	r.Note(slog.String("engine", current.Engine))
	switch {
	case !current.mayBeDual():
		r.Note(slog.String("reason", "this strategy keeps no second password of a user"))
		return nil
	case r.Rotating:
		return fmt.Errorf("a rotation is under way, which ends the old password too: %w", rotation.ErrBusy)
	}
	session, err := current.login(ctx, rotation.Current)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }() // the password has ended, or the error is told, already
	dual, can := session.(DualSession)
	if !can {
		return nil
	}
	only, err := dual.KeepPassword(ctx, r.StillDue)
	var one *OnePasswordError
	switch {
	case only:
		r.Note(slog.String("reason", "the user has no other password"))
	case err == nil:
		r.Note(slog.String("strategy", string(Dual)))
	case errors.As(err, &one) && current.Strategy != Dual:
		// It rotates with single. A password of an earlier time, when it could keep
		// two, it may not end.
		r.Note(slog.String("reason", one.Reason), slog.String("strategy_remedy", one.Remedy))
		return nil
	case one != nil:
		err = rotation.WithHint(err, one.Remedy)
	}
	if err != nil && !errors.Is(err, rotation.ErrBusy) {
		return fmt.Errorf("ending the old password of %q on %s: %w", clip(current.Username), current.address(), err)
	}
	return err
}

var (
	_ rotation.Retirer = (*Engine)(nil)
	_ rotation.Keeper  = (*Engine)(nil)
)
