package dbuser

import (
	"context"
	"errors"
	"fmt"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// examination finds out, a check at a time, whether a rotation can succeed, and
// changes nothing. A preflight ends at the first check that fails; a diagnosis goes
// on with those that do not depend on it.
type examination struct {
	engine  *Engine
	r       rotation.Request
	current Secret
	session Session // of the current credential; nil: it does not log in
	admin   Secret  // the administrator's login, and what errors call it
	label   string
	manager Administrator // the administrator, logged in; nil: not
	trace   *Trace        // of the current credential's login; nil: not wanted
}

// check is one thing that must be so for the next rotation to succeed.
type check struct {
	name  string
	needs []string // checks that must have succeeded
	of    func(Secret) bool
	run   func(*examination, context.Context) (said string, err error)
}

const (
	checkValue      = "value"
	checkPassword   = "password"
	checkLogin      = "login"
	checkStatements = "statements"
	checkAdmin      = "administrator"
	checkAdminLogin = "administrator's login"
	checkPair       = "pair"
)

// checks are in the order in which a rotation comes to them.
var checks = []check{
	{checkValue, nil, nil, (*examination).read},
	{checkPassword, []string{checkValue}, Secret.every, (*examination).generate},
	{checkLogin, []string{checkValue}, Secret.every, (*examination).login},
	{checkStatements, []string{checkLogin}, Secret.hasStatements, (*examination).statements},
	{checkAdmin, []string{checkValue}, Secret.administered, (*examination).findAdmin},
	{checkAdminLogin, []string{checkAdmin}, Secret.administered, (*examination).loginAdmin},
	{checkPair, []string{checkAdminLogin, checkLogin}, Secret.alternates, (*examination).checkPair},
}

func (s Secret) every() bool         { return true }
func (s Secret) hasStatements() bool { return len(s.Try) > 0 }
func (s Secret) alternates() bool    { return s.Strategy == Alternating }

// Preflight finds out, before anything is stored, whether the administrator can
// do what setSecret needs. A user that changes its own password has no such
// need: what the server refuses then, it refuses before anything changed.
func (e *Engine) Preflight(ctx context.Context, r rotation.Request) error {
	x := &examination{engine: e, r: r}
	defer x.close()
	for _, c := range checks {
		switch c.name {
		case checkPassword, checkStatements:
			continue // createSecret and testSecret find out themselves
		case checkLogin:
			if !x.current.administered() {
				return nil
			}
		}
		if c.of != nil && !c.of(x.current) {
			continue
		}
		_, err := c.run(x, ctx)
		if c.name == checkLogin {
			x.closeSession() // it was only to know that it opens
		}
		if c.name == checkLogin && x.current.Strategy != Alternating && errors.Is(err, rotation.ErrRefused) {
			// A rotation that was lost half-way: setSecret looks for the password
			// that is live.
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// close ends the logins. Nothing was changed by them.
func (x *examination) close() {
	x.closeSession()
	if x.manager != nil {
		_ = x.manager.Close()
	}
}

func (x *examination) closeSession() {
	if x.session != nil {
		_ = x.session.Close()
		x.session = nil
	}
}

func (x *examination) read(context.Context) (said string, err error) {
	x.current, err = x.engine.parse(x.r.Current, rotation.Current)
	x.current.Trace = x.trace
	return fmt.Sprintf("user %q of %s at %s", clip(x.current.Username), x.current.Engine, x.current.address()), err
}

func (x *examination) generate(context.Context) (string, error) {
	_, err := x.engine.Policy.generate(x.current.driver.Rules(), x.current.Engine)
	return "a new password can be made", err
}

func (x *examination) login(ctx context.Context) (said string, err error) {
	x.session, err = x.engine.open(ctx, x.r, x.current, rotation.Current)
	return fmt.Sprintf("%q logs in with %s", clip(x.current.Username), rotation.Current), err
}

func (x *examination) statements(ctx context.Context) (string, error) {
	err := x.session.Try(ctx, x.current.Try)
	if err != nil {
		err = fmt.Errorf("testing the login of %q on %s: %w", clip(x.current.Username), x.current.address(), err)
	}
	return `"testStatements" run`, err
}

func (x *examination) findAdmin(ctx context.Context) (said string, err error) {
	x.admin, x.label, err = x.engine.administering(ctx, x.r, x.current)
	return fmt.Sprintf("%s is of %q, on the same server", x.label, clip(x.admin.Username)), err
}

func (x *examination) loginAdmin(ctx context.Context) (said string, err error) {
	x.manager, err = x.admin.loginAsAdmin(ctx, x.label, x.current)
	return fmt.Sprintf("%q logs in with %s", clip(x.admin.Username), x.label), err
}

func (x *examination) checkPair(ctx context.Context) (string, error) {
	p := x.current.pairFor(partner(x.current.Username))
	_, err := x.engine.ours(ctx, x.r, x.current, p, func(p Pair) ([]string, error) { return nil, x.manager.CheckPair(ctx, p) })
	return fmt.Sprintf("%q and %q can take turns", clip(p.Base), clip(p.Clone)), err
}
