package dbuser

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// login opens a session with the first candidate that the server takes, and
// says which it was: no login fails in a healthy rotation.
func (e *Engine) login(ctx context.Context, r rotation.Request, current, pending Secret) (Session, string, error) {
	var refused error
	for c, err := range e.candidates(ctx, r, current, pending) {
		if err != nil {
			return nil, "", err
		}
		session, err := e.open(ctx, r, c.secret, c.label)
		if !errors.Is(err, rotation.ErrRefused) {
			return session, c.label, err
		}
		if refused == nil {
			refused = err
		}
	}
	return nil, "", unknownPassword(refused)
}

// candidate is a secret whose password may be the one that is live.
type candidate struct {
	secret Secret
	label  string
}

// candidates are the secrets to log in with, in the order of how likely they
// are live: the current one; the pending one, if an earlier try had set it; the
// previous one, if AWSCURRENT or the database was put back; and what lost its
// labels, if a person cleared a half-done rotation away. Each is fetched when
// the ones before are refused.
func (e *Engine) candidates(ctx context.Context, r rotation.Request, current, pending Secret) iter.Seq2[candidate, error] {
	return func(yield func(candidate, error) bool) {
		if !yield(candidate{current, rotation.Current}, nil) || !yield(candidate{pending, rotation.Pending}, nil) {
			return
		}
		previous, err := r.Previous(ctx)
		switch {
		case errors.Is(err, rotation.ErrNotFound):
		case err != nil:
			yield(candidate{}, err)
			return
		default:
			if s, ok := e.sibling(previous, current, rotation.Previous); ok && !yield(candidate{s, rotation.Previous}, nil) {
				return
			}
		}
		for old, err := range r.Unlabelled(ctx) {
			if errors.Is(err, rotation.ErrDenied) {
				// The refused login is the cause to tell; this is for who mends it.
				r.Note(slog.String("older_versions", err.Error()))
				return
			}
			if err != nil {
				yield(candidate{}, err)
				return
			}
			if s, ok := e.sibling(old.Value, current, unlabelled); ok && !yield(candidate{s, unlabelled}, nil) {
				return
			}
		}
	}
}

const unlabelled = "a version without labels"

// sibling is another version's secret, if it speaks of the same user and
// target. One that does not is of another time and proves nothing.
func (e *Engine) sibling(v rotation.Value, current Secret, label string) (Secret, bool) {
	s, err := e.parse(v, label)
	return s, err == nil && current.sameTarget(s, label) == nil
}

func unknownPassword(refused error) error {
	return rotation.WithHint(fmt.Errorf("trying every version of the secret: %w", refused),
		"Someone changed the user's password outside this secret, or the user is locked or expired. "+
			"Set the password in the database to the one in AWSCURRENT, or store the password that works with PutSecretValue; then rotate again.")
}
