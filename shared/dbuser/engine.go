package dbuser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Engine is the [rotation.Engine] for database users. It is safe for several
// goroutines.
//
// What happens to the old password is the [Strategy].
type Engine struct {
	// Drivers are the kinds of server served, by the secret's "engine".
	Drivers map[string]Driver
	// Policy is how new passwords are made.
	Policy Policy
	// PlaintextHosts may be reached without TLS if their secret says so too.
	PlaintextHosts []string
	// RDS is asked about servers when a secret does not tell enough, and for
	// tokens. Nil: such secrets are refused.
	RDS RDS
}

func (e *Engine) plaintextAllowed(host string) bool {
	return slices.ContainsFunc(e.PlaintextHosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// Create is the current value with a new password, and for alternating users
// with the other name.
func (e *Engine) Create(_ context.Context, r rotation.Request) (rotation.Value, error) {
	s, err := e.parse(r.Current, rotation.Current)
	if err != nil {
		return rotation.Value{}, err
	}
	password, err := e.Policy.generate(s.driver.Rules(), s.Engine)
	if err != nil {
		return rotation.Value{}, err
	}
	r.Note(slog.String("engine", s.Engine))
	return s.successor(password)
}

// Set logs in, normally with the current password, and makes the pending one
// valid.
func (e *Engine) Set(ctx context.Context, r rotation.Request) error {
	current, err := e.parse(r.Current, rotation.Current)
	if err != nil {
		return err
	}
	pending, err := e.parse(r.Pending, rotation.Pending)
	if err != nil {
		return err
	}
	next := current
	next.Username = current.nextUser()
	if err := next.sameTarget(pending, rotation.Pending); err != nil {
		return err
	}
	if err := pending.settable(); err != nil {
		return err
	}
	r.Note(slog.String("engine", current.Engine))
	if current.administered() {
		return e.setByAdministrator(ctx, r, current, pending)
	}
	session, label, err := e.login(ctx, r, current, pending)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }() // the password is set, or the error is told, already
	if label != rotation.Current {
		r.Note(slog.String("logged_in_with", label))
	}
	if label == rotation.Pending {
		return nil // an earlier try had set it
	}
	if err := change(ctx, r, session, pending, current.Strategy, label); err != nil {
		return fmt.Errorf("setting the password of %q on %s: %w", clip(pending.Username), pending.address(), err)
	}
	return nil
}

// Test logs in with the pending password and runs a statement, and those of the
// secret's own. A rehearsal with an administrator is a preflight too.
func (e *Engine) Test(ctx context.Context, r rotation.Request) error {
	s, err := e.parse(r.Pending, rotation.Pending)
	if err != nil {
		return err
	}
	r.Note(slog.String("engine", s.Engine))
	if s.administered() {
		if rehearsal, err := r.Rehearsal(ctx); err != nil {
			return err
		} else if rehearsal {
			r.Current = r.Pending
			return e.Preflight(ctx, r)
		}
	}
	session, err := e.open(ctx, r, s, rotation.Pending)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	err = session.Try(ctx, append([]string{"SELECT 1"}, s.Try...))
	if tester, ok := session.(PairTester); ok && err == nil && s.Strategy == Alternating {
		err = tester.TestPair(ctx, s.pairFor(s.Username))
	}
	if err != nil {
		return fmt.Errorf("testing the login of %q on %s: %w", clip(s.Username), s.address(), err)
	}
	return nil
}

// open logs in with the secret of one version. Through an API only the current
// one can; of another version's password an administrator is the witness.
func (e *Engine) open(ctx context.Context, r rotation.Request, s Secret, label string) (Session, error) {
	switch {
	case s.API == nil:
	case label == rotation.Current:
		s.API = &APILogin{SecretARN: r.SecretID}
	default:
		admin, _, err := e.administering(ctx, r, s)
		if err != nil {
			return nil, err
		}
		admin.Database = s.Database
		s.API = &APILogin{Witness: &admin.Login}
	}
	return s.login(ctx, label)
}

func (s Secret) login(ctx context.Context, label string) (Session, error) {
	session, err := s.driver.Login(ctx, s.Login)
	if s.Token && (errors.Is(err, rotation.ErrRefused) || errors.Is(err, rotation.ErrDenied)) {
		err = rotation.WithHint(err, cmp.Or(s.driver.Rules().TokenRefused, tokenRefused))
	}
	if err != nil {
		return nil, fmt.Errorf("logging in to %s as %q with %s: %w", s.address(), clip(s.Username), label, err)
	}
	return session, nil
}

func (s Secret) address() string { return fmt.Sprintf("%s:%d", clip(s.Host), s.Port) }
