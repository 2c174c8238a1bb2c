package dbuser

import (
	"context"
	"errors"
	"log/slog"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// ours does something with a pair; if it is not known as one in the database,
// once more when the partner's password proves it: the pairs of the official
// templates bear no mark, and their other half is in AWSPREVIOUS.
func (e *Engine) ours(ctx context.Context, r rotation.Request, current Secret, p Pair, do func(Pair) ([]string, error)) ([]string, error) {
	changes, err := do(p)
	if !errors.Is(err, ErrUnprovenPair) || current.API != nil {
		return changes, err
	}
	previous, perr := r.Previous(ctx)
	if perr != nil {
		return nil, err
	}
	other := current
	other.Username = partner(current.Username)
	s, ok := e.sibling(previous, other, rotation.Previous)
	if !ok {
		return nil, err
	}
	session, perr := s.login(ctx, rotation.Previous)
	if perr != nil {
		return nil, err
	}
	_ = session.Close() // it was only to know the password
	p.Known = true
	return do(p)
}

// setByAdministrator has an administrator set the pending password. A current
// password that the server takes must be known first: else whoever can write
// the secret could have the administrator set passwords of users that are not
// his.
func (e *Engine) setByAdministrator(ctx context.Context, r rotation.Request, current, pending Secret) error {
	r.Note(slog.String("strategy", string(current.Strategy)))
	known := func() (Session, string, error) { return e.login(ctx, r, current, pending) }
	if current.Strategy == Alternating {
		known = func() (Session, string, error) {
			session, err := e.open(ctx, r, current, rotation.Current)
			return session, rotation.Current, err
		}
	}
	session, label, err := known()
	if err != nil {
		return err
	}
	_ = session.Close() // it was only to know the password
	if label == rotation.Pending && current.API == nil {
		return nil // an earlier try had set it; a witness knows of it, and not of what came later
	}
	admin, err := e.administrator(ctx, r, current)
	if err != nil {
		return err
	}
	defer func() { _ = admin.Close() }() // the password is set, or the error is told, already
	if current.Strategy != Alternating {
		return admin.SetPasswordOf(ctx, pending.Username, pending.Password)
	}
	changes, err := e.ours(ctx, r, current, current.pairFor(pending.Username), func(p Pair) ([]string, error) {
		return admin.SetPair(ctx, p, pending.Password)
	})
	if len(changes) > 0 {
		r.Note(slog.Any("changes", changes))
	}
	return err
}

// pairFor is the pair of a secret, to set the password of one of the two.
func (s Secret) pairFor(pending string) Pair {
	p := pairOf(pending)
	p.Adopt = s.Adopt
	return p
}

// nextUser is whose password the next rotation sets.
func (s Secret) nextUser() string {
	if s.Strategy == Alternating {
		return partner(s.Username)
	}
	return s.Username
}
