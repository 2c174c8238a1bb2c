package dbuser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// maxRefused is how many logins of one user may be refused in a diagnosis: servers
// can lock an account after a few in a row (FAILED_LOGIN_ATTEMPTS of MySQL). One
// that succeeds begins the count anew, and the current password comes first. What an
// account allows is known only once it has logged in; then fewer may be tried.
//
// https://dev.mysql.com/doc/refman/8.4/en/password-management.html#failed-login-tracking
const maxRefused = 3

func (d *diagnosis) mostRefused() int {
	if d.locksAfter > 0 {
		return min(maxRefused, d.locksAfter-1)
	}
	return maxRefused
}

// versions are what the server says of each version's credential. Nothing is tried
// twice, nothing of another target is tried, and what is known without a login is
// not tried.
func (d *diagnosis) versions(ctx context.Context, stored []rotation.Stored) (logins []rotation.VersionLogin) {
	t := &tries{diagnosis: d, refused: map[string]int{}, stopped: map[string]error{}}
	for _, v := range stored {
		logins = append(logins, t.version(ctx, v))
	}
	works := func(v rotation.VersionLogin) bool { return v.Login == rotation.LoginWorks }
	if !errors.Is(d.loginErr, rotation.ErrRefused) || d.current.alternates() || slices.ContainsFunc(logins, works) {
		return logins
	}
	for v, err := range d.r.Unlabelled(ctx) {
		if err != nil {
			d.add(rotation.Finding{
				Check: "versions", Verdict: rotation.Warn, Said: "looking for the live password in versions without labels: " + err.Error(),
				Remedy: rotation.Hint(err) + " (secretsmanager:ListSecretVersionIds)",
			})
			break
		}
		logins = append(logins, t.version(ctx, v))
		if works(logins[len(logins)-1]) {
			break
		}
	}
	return logins
}

// tries are the credentials that were tried, and what came of it.
type tries struct {
	*diagnosis
	tried   []tried
	refused map[string]int   // logins of a user
	stopped map[string]error // why no more are tried: of a user, or "" for all
}

type tried struct {
	secret Secret
	login  rotation.LoginState
	said   string
}

func (t *tries) version(ctx context.Context, v rotation.Stored) rotation.VersionLogin {
	login := rotation.VersionLogin{ID: v.VersionID, Stages: append([]string{}, v.Stages...), Login: rotation.LoginUnknown, Said: rotation.NoValue}
	if v.Value.Len() == 0 {
		return login
	}
	label := unlabelled
	if len(v.Stages) > 0 {
		label = v.Stages[0]
	}
	s, err := t.sibling(v, label)
	if err != nil {
		login.Said = "not tried: " + err.Error()
		return login
	}
	login.Login, login.Said = t.accepted(ctx, s, v, label)
	return login
}

// sibling is the secret of a version that speaks of the current one's target, and
// of its user or, with alternating users, of the other.
func (t *tries) sibling(v rotation.Stored, label string) (Secret, error) {
	if slices.Contains(v.Stages, rotation.Current) {
		return t.current, nil
	}
	s, err := t.engine.parse(v.Value, label)
	if err != nil {
		return Secret{}, err
	}
	expected := t.current
	if t.current.alternates() && s.Username == partner(t.current.Username) {
		expected.Username = s.Username
	}
	return s, expected.sameTarget(s, label)
}

// accepted is what the server says of a credential: from the login that was made
// with it already, from what is known of others, or from a login.
func (t *tries) accepted(ctx context.Context, s Secret, v rotation.Stored, label string) (state rotation.LoginState, said string) {
	for _, before := range t.tried {
		if before.secret.Username == s.Username && before.secret.Password.Equal(s.Password) {
			return before.login, before.said
		}
	}
	err, isCurrent := t.loginErr, slices.Contains(v.Stages, rotation.Current)
	if !isCurrent {
		if state, said, known := t.known(s); known {
			return state, said
		}
		ctx, cancel := context.WithTimeout(ctx, loginPatience)
		defer cancel()
		var session Session
		if session, err = t.engine.open(ctx, t.r, s, label); err == nil {
			_ = session.Close() // it was only to know the password
		}
	}
	state, said = t.outcome(s, err, !isCurrent && s.API != nil)
	t.tried = append(t.tried, tried{s, state, said})
	return state, said
}

// known is what need not be tried, or must not.
func (t *tries) known(s Secret) (state rotation.LoginState, said string, known bool) {
	if !s.driver.Rules().Dual {
		for _, before := range t.tried {
			if before.login == rotation.LoginWorks && before.secret.Username == s.Username {
				return rotation.LoginRefused, fmt.Sprintf("not tried: %s keeps one password per user, and another one works", s.Engine), true
			}
		}
	}
	stopped := cmp.Or(t.stopped[""], t.stopped[s.Username])
	switch {
	case stopped != nil:
		return rotation.LoginUnknown, "not tried: " + stopped.Error(), true
	case t.refused[s.Username] >= t.mostRefused():
		return rotation.LoginUnknown, fmt.Sprintf("not tried: %d logins of %q were refused, and servers lock accounts", t.refused[s.Username], clip(s.Username)), true
	}
	return "", "", false
}

// outcome is what a login that ended with err tells. A witness knows of the last
// change of a password that was made through the API, and of no other.
func (t *tries) outcome(s Secret, err error, byWitness bool) (rotation.LoginState, string) {
	switch {
	case err == nil:
		return rotation.LoginWorks, fmt.Sprintf("%q logs in", clip(s.Username))
	case errors.Is(err, rotation.ErrRefused) && byWitness:
		return rotation.LoginUnknown, err.Error()
	case errors.Is(err, rotation.ErrRefused):
		t.refused[s.Username]++
		return rotation.LoginRefused, err.Error()
	}
	// It is not the password: the server is out of reach, or the account is locked.
	if errors.Is(err, rotation.ErrUnreachable) || errors.Is(err, rotation.ErrTLS) {
		t.stopped[""] = err
	}
	t.stopped[s.Username] = err
	return rotation.LoginUnknown, err.Error()
}
