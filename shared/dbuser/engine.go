package dbuser

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Engine is the [rotation.Engine] for database users. It is safe for several
// goroutines.
//
// The strategy is single: one user changes its own password. Consumers that
// hold the old one are refused from setSecret until they read the secret again
// after finishSecret.
type Engine struct {
	// Drivers are the kinds of server served, by the secret's "engine".
	Drivers map[string]Driver
	// Policy is how new passwords are made.
	Policy Policy
	// PlaintextHosts may be reached without TLS if their secret says so too.
	PlaintextHosts []string
}

func (e *Engine) plaintextAllowed(host string) bool {
	return slices.ContainsFunc(e.PlaintextHosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// Create is the current value with a new password.
func (e *Engine) Create(_ context.Context, r rotation.Request) (rotation.Value, error) {
	s, err := e.parse(r.Current, rotation.Current)
	if err != nil {
		return rotation.Value{}, err
	}
	password, err := e.Policy.generate(s.driver.Rules(), s.Engine)
	if err != nil {
		return rotation.Value{}, err
	}
	r.Note(slog.String("engine", s.Engine), slog.String("strategy", "single"))
	return s.withPassword(password)
}

// Set logs in with the current password and sets the pending one. Only if the
// current one is refused does it try others, see candidates: no login fails in
// a healthy rotation.
func (e *Engine) Set(ctx context.Context, r rotation.Request) error {
	current, err := e.parse(r.Current, rotation.Current)
	if err != nil {
		return err
	}
	pending, err := e.parse(r.Pending, rotation.Pending)
	if err != nil {
		return err
	}
	if err := current.sameTarget(pending, rotation.Pending); err != nil {
		return err
	}
	if err := pending.settable(); err != nil {
		return err
	}
	r.Note(slog.String("engine", current.Engine), slog.String("strategy", "single"))

	var refused error
	for c, err := range e.candidates(ctx, r, current, pending) {
		if err != nil {
			return err
		}
		session, err := c.secret.login(ctx, c.label)
		if errors.Is(err, rotation.ErrRefused) {
			if refused == nil {
				refused = err
			}
			continue
		}
		if err != nil {
			return err
		}
		if c.label != rotation.Current {
			r.Note(slog.String("logged_in_with", c.label))
		}
		if c.label == rotation.Pending {
			return session.Close() // an earlier try had set it
		}
		return change(ctx, session, pending)
	}
	return unknownPassword(refused)
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
		for v, err := range r.Unlabelled(ctx) {
			if errors.Is(err, rotation.ErrDenied) {
				// The refused login is the cause to tell; this is for who mends it.
				r.Note(slog.String("older_versions", err.Error()))
				return
			}
			if err != nil {
				yield(candidate{}, err)
				return
			}
			if s, ok := e.sibling(v, current, unlabelled); ok && !yield(candidate{s, unlabelled}, nil) {
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

// change sets the pending password.
func change(ctx context.Context, session Session, pending Secret) error {
	defer func() { _ = session.Close() }() // the password is set, or the error is told, already
	if err := session.SetPassword(ctx, pending.Password); err != nil {
		return fmt.Errorf("setting the password of %q on %s: %w", clip(pending.Username), pending.address(), err)
	}
	return nil
}

func unknownPassword(refused error) error {
	return rotation.WithHint(fmt.Errorf("trying every version of the secret: %w", refused),
		"Someone changed the user's password outside this secret, or the user is locked or expired. "+
			"Set the password in the database to the one in AWSCURRENT, or store the password that works with PutSecretValue; then rotate again.")
}

// Test logs in with the pending password and runs a statement.
func (e *Engine) Test(ctx context.Context, r rotation.Request) error {
	s, err := e.parse(r.Pending, rotation.Pending)
	if err != nil {
		return err
	}
	r.Note(slog.String("engine", s.Engine), slog.String("strategy", "single"))
	session, err := s.login(ctx, rotation.Pending)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	if err := session.Ping(ctx); err != nil {
		return fmt.Errorf("testing the login of %q on %s: %w", clip(s.Username), s.address(), err)
	}
	return nil
}

func (s Secret) login(ctx context.Context, label string) (Session, error) {
	session, err := s.driver.Login(ctx, s.Login)
	if err != nil {
		return nil, fmt.Errorf("logging in to %s as %q with %s: %w", s.address(), clip(s.Username), label, err)
	}
	return session, nil
}

func (s Secret) address() string { return fmt.Sprintf("%s:%d", clip(s.Host), s.Port) }
