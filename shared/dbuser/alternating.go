package dbuser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// adminLabel is what errors call the secret that "masterarn" names.
const adminLabel = "the admin secret"

// Preflight finds out, before anything is stored, whether the administrator can
// do what setSecret needs. A user that changes its own password has no such
// need: what the server refuses then, it refuses before anything changed.
func (e *Engine) Preflight(ctx context.Context, r rotation.Request) error {
	current, err := e.parse(r.Current, rotation.Current)
	if err != nil || current.Admin == "" {
		return err
	}
	session, err := current.login(ctx, rotation.Current)
	switch {
	case err == nil:
		_ = session.Close() // it was only to know that it opens
	case current.Strategy != Alternating && errors.Is(err, rotation.ErrRefused):
		// A rotation that was lost half-way: setSecret looks for the password
		// that is live.
	default:
		return err
	}
	admin, err := e.administrator(ctx, r, current)
	if err != nil {
		return err
	}
	defer func() { _ = admin.Close() }() // nothing was changed
	if current.Strategy == Alternating {
		return admin.CheckPair(ctx, current.pairFor(partner(current.Username)))
	}
	return nil
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
			session, err := current.login(ctx, rotation.Current)
			return session, rotation.Current, err
		}
	}
	session, label, err := known()
	if err != nil {
		return err
	}
	_ = session.Close() // it was only to know the password
	if label == rotation.Pending {
		return nil // an earlier try had set it
	}
	admin, err := e.administrator(ctx, r, current)
	if err != nil {
		return err
	}
	defer func() { _ = admin.Close() }() // the password is set, or the error is told, already
	if current.Strategy != Alternating {
		return admin.SetPasswordOf(ctx, pending.Username, pending.Password)
	}
	changes, err := admin.SetPair(ctx, current.pairFor(pending.Username), pending.Password)
	if len(changes) > 0 {
		r.Note(slog.Any("changes", changes))
	}
	return err
}

// administrator logs in with the secret that "masterarn" names. That secret must
// speak of the same server: a password of an administrator goes nowhere else,
// whatever someone wrote into the user's secret.
func (e *Engine) administrator(ctx context.Context, r rotation.Request, current Secret) (Administrator, error) {
	v, err := r.Secret(ctx, current.Admin)
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", adminLabel, current.Admin, err)
	}
	s, err := e.parse(v, adminLabel)
	if err != nil {
		return nil, err
	}
	switch {
	case s.driver != current.driver:
		return nil, notTheSame("engine", s.Engine)
	case !strings.EqualFold(s.Host, current.Host):
		return nil, notTheSame("host", s.Host)
	case s.Port != current.Port:
		return nil, notTheSame("port", fmt.Sprint(s.Port))
	}
	s.Database = current.Database // a pair is made alike where its user works
	session, err := s.login(ctx, adminLabel)
	if err != nil {
		return nil, err
	}
	admin, ok := session.(Administrator)
	if !ok {
		_ = session.Close()
		return nil, fmt.Errorf("%s manages no other users here: %w", s.Engine, rotation.ErrConfig)
	}
	return admin, nil
}

func notTheSame(key, value string) error {
	return rotation.WithHint(fmt.Errorf("comparing %s with %s: the key %q is %q there: %w", adminLabel, rotation.Current, key, clip(value), rotation.ErrConfig),
		fmt.Sprintf("Both secrets must name the same server in the same words: make %q equal in both.", key))
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
