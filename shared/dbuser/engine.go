package dbuser

import (
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
// current one is refused does it try the pending one (an earlier try had set it)
// and then the previous one: no login fails in a healthy rotation.
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

	session, err := current.login(ctx, rotation.Current)
	if !errors.Is(err, rotation.ErrRefused) {
		return change(ctx, session, err, pending)
	}
	refused := err
	session, err = pending.login(ctx, rotation.Pending)
	if !errors.Is(err, rotation.ErrRefused) {
		if err == nil {
			r.Note(slog.Bool("set_before", true))
			return session.Close()
		}
		return err
	}
	previous, err := e.previous(ctx, r, current)
	switch {
	case err != nil:
		return err
	case previous == nil:
		return unknownPassword(refused)
	}
	session, err = previous.login(ctx, rotation.Previous)
	if errors.Is(err, rotation.ErrRefused) {
		return unknownPassword(refused)
	}
	r.Note(slog.String("logged_in_with", rotation.Previous))
	return change(ctx, session, err, pending)
}

// change sets the pending password in a session that may have failed to open.
func change(ctx context.Context, session Session, err error, pending Secret) error {
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }() // the password is set, or the error is told, already
	if err := session.SetPassword(ctx, pending.Password); err != nil {
		return fmt.Errorf("setting the password of %q on %s: %w", clip(pending.Username), pending.address(), err)
	}
	return nil
}

// previous is the AWSPREVIOUS secret if there is one for the same target.
func (e *Engine) previous(ctx context.Context, r rotation.Request, current Secret) (*Secret, error) {
	v, err := r.Previous(ctx)
	if errors.Is(err, rotation.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := e.parse(v, rotation.Previous)
	if err != nil || current.sameTarget(s, rotation.Previous) != nil {
		return nil, nil // of another time: it proves nothing about this target
	}
	return &s, nil
}

func unknownPassword(refused error) error {
	return rotation.WithHint(fmt.Errorf("trying AWSCURRENT, AWSPENDING and AWSPREVIOUS: %w", refused),
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
