package dbuser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// loginPatience bounds a login and what is asked in its session, so that a server
// that does not answer leaves time to say so of the rest.
const loginPatience = 10 * time.Second

const (
	checkServer     = "server"
	checkPrivileges = "privileges"
	checkWarning    = "account"
)

// Diagnose implements [rotation.Doctor]: every check of [Engine.Preflight], those
// that the steps themselves make, and the logins of the other versions.
func (e *Engine) Diagnose(ctx context.Context, r rotation.Request, versions []rotation.Stored) rotation.Diagnosis {
	x := &examination{engine: e, r: r, trace: &Trace{}}
	defer x.close()
	d := &diagnosis{examination: x, failed: map[string]bool{}}
	patient, cancel := context.WithTimeout(ctx, loginPatience) // a session ends with the context of its login
	defer cancel()
	for _, c := range checks {
		if c.name == checkAdmin { // here the user's own session ends
			d.inspect(patient)
			x.closeSession()
			patient = ctx
		}
		if c.of == nil || !d.failed[checkValue] && c.of(x.current) {
			d.check(patient, c)
		}
	}
	d.Engine = clip(x.current.Engine)
	if d.failed[checkValue] {
		return d.Diagnosis
	}
	d.Strategy = string(cmp.Or(d.strategy, x.current.Strategy))
	d.Versions = d.versions(ctx, versions)
	d.consumers(d.Versions)
	return d.Diagnosis
}

// diagnosis is one under way.
type diagnosis struct {
	*examination
	rotation.Diagnosis
	failed   map[string]bool // checks that failed, or were skipped
	loginErr error           // of the current credential

	strategy   Strategy // that the account allows, once it was asked
	locksAfter int      // see Inspection
}

// check makes one check, unless one that it needs failed.
func (d *diagnosis) check(ctx context.Context, c check) {
	for _, need := range c.needs {
		if d.failed[need] {
			d.failed[c.name] = true
			d.add(rotation.Skip(c.name, need))
			return
		}
	}
	if c.name == checkAdminLogin && d.failed[checkConnection] {
		d.failed[c.name] = true // it is the same server
		d.add(rotation.Skip(c.name, "the connection"))
		return
	}
	said, err := c.run(d.examination, ctx)
	d.failed[c.name] = err != nil
	if c.name != checkLogin {
		d.add(rotation.Found(c.name, said, err))
		return
	}
	d.loginErr = err
	if d.current.API == nil {
		layers, good := d.trace.findings(d.current, err)
		d.add(layers...)
		if d.failed[checkConnection] = !good; !good {
			d.add(rotation.Skip(c.name, "the connection"))
			return
		}
	}
	d.add(rotation.Found(c.name, said, err))
}

// checkConnection is what the layers of the connection are together.
const checkConnection = "connection"

func (d *diagnosis) add(f ...rotation.Finding) { d.Findings = append(d.Findings, f...) }

// inspect asks the server about itself and the user, if the user is logged in.
func (d *diagnosis) inspect(ctx context.Context) {
	if d.session == nil {
		return
	}
	in, err := d.session.Inspect(ctx)
	if err != nil {
		d.add(rotation.Finding{Check: checkServer, Verdict: rotation.Warn, Said: "asking the server about itself: " + err.Error(), Remedy: rotation.Hint(err)})
		return
	}
	d.locksAfter = in.LocksAfter
	d.add(rotation.Found(checkServer, in.Server, in.ReadOnly))
	if !d.current.administered() {
		d.add(d.privileges(in))
	}
	for _, warning := range in.Warnings {
		d.add(rotation.Finding{Check: checkWarning, Verdict: rotation.Warn, Said: warning.Error(), Remedy: rotation.Hint(warning)})
	}
}

// privileges is whether the user may change its own password, and keep the old one
// beside it.
func (d *diagnosis) privileges(in Inspection) rotation.Finding {
	asked, dual := d.current.Strategy, d.current.driver.Rules().Dual
	d.strategy = Single
	switch {
	case in.Own != nil:
		return rotation.Found(checkPrivileges, "", in.Own)
	case asked == Single:
		return rotation.Found(checkPrivileges, "the user may change its own password", nil)
	case !dual:
		return rotation.Found(checkPrivileges, fmt.Sprintf("the user may change its own password; %s keeps one password per user, so that consumers are refused from setSecret until they read the secret again", d.current.Engine), nil)
	case in.One == nil:
		d.strategy = Dual
		return rotation.Found(checkPrivileges, "the user may change its own password, and keep the old one beside it", nil)
	case asked == Dual:
		return rotation.Found(checkPrivileges, "", rotation.WithHint(in.One, in.One.Remedy+` Or remove "strategy" from the secret.`))
	}
	return rotation.Finding{
		Check: checkPrivileges, Verdict: rotation.Warn, Remedy: in.One.Remedy,
		Said: "the user may change its own password, and not keep the old one beside it, so that consumers are refused from setSecret until they read the secret again: " + in.One.Reason,
	}
}

// consumers gives a refused login of AWSCURRENT its remedy: what that is depends on
// which of the versions works.
func (d *diagnosis) consumers(logins []rotation.VersionLogin) {
	if !errors.Is(d.loginErr, rotation.ErrRefused) {
		return
	}
	remedy := rotation.Hint(unknownPassword(d.loginErr))
	if i := slices.IndexFunc(logins, func(v rotation.VersionLogin) bool { return v.Login == rotation.LoginWorks }); i >= 0 {
		with := unlabelled
		if len(logins[i].Stages) > 0 {
			with = logins[i].Stages[0]
		}
		remedy = fmt.Sprintf("The server takes %s (%s): rotate again, which begins with that; or see rekey unstick.", with, logins[i].ID)
		if d.current.alternates() {
			remedy = "With alternating users a rotation begins with a current password that works: set the password of the user in the database to the one in AWSCURRENT; or see rekey unstick."
		}
	}
	for i := range d.Findings {
		if d.Findings[i].Check == checkLogin {
			d.Findings[i].Remedy = remedy
		}
	}
}

var _ rotation.Doctor = (*Engine)(nil)
