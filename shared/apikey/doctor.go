package apikey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// vendorPatience bounds each question to a vendor, so that one that does not answer
// leaves time to say so of the rest.
const vendorPatience = 8 * time.Second

const (
	checkValue  = "value"
	checkAdmin  = "administrator"
	checkVendor = "vendor"
	checkLogin  = "login"
	checkKeys   = "keys"
)

// Diagnose implements [rotation.Doctor]: what Create asks before it makes a key,
// and whether the vendor takes the keys that the versions hold.
func (e *Engine) Diagnose(ctx context.Context, r rotation.Request, versions []rotation.Stored) rotation.Diagnosis {
	d := &diagnosis{engine: e, request: r}
	if d.read(ctx) {
		d.login(ctx)
		d.keys(ctx)
		d.versions(ctx, versions)
		d.consumers()
	}
	return d.Diagnosis
}

// consumers gives a refused key of AWSCURRENT its remedy: what that is depends on
// which other works, and on who makes new ones.
func (d *diagnosis) consumers() {
	if !errors.Is(d.err, rotation.ErrRefused) {
		return
	}
	remedy := "Make a key at the vendor and store it with PutSecretValue; then rotate."
	i := slices.IndexFunc(d.Versions, func(v rotation.VersionLogin) bool { return v.Login == rotation.LoginWorks })
	switch {
	case i >= 0:
		remedy = fmt.Sprintf("The vendor takes the key of version %s (%s): see rekey unstick.", d.Versions[i].ID, strings.Join(d.Versions[i].Stages, ", "))
	case d.target.admin != "" || d.target.traits.Chosen:
		remedy = "Rotate the secret: that makes a new key without the old one."
	}
	for i := range d.Findings {
		if d.Findings[i].Check == checkLogin {
			d.Findings[i].Remedy = remedy
		}
	}
}

// diagnosis is one under way.
type diagnosis struct {
	rotation.Diagnosis
	engine  *Engine
	request rotation.Request
	target  target
	err     error // of the current key
	listed  []Key // nil: the vendor does not tell
	tried   []tried
}

// tried is a key and what the vendor said of it.
type tried struct {
	key   Key
	state rotation.LoginState
	said  string
}

func (d *diagnosis) add(f ...rotation.Finding) { d.Findings = append(d.Findings, f...) }

// read reads the current version and the administrator's secret; it reports whether
// there is enough to go on.
func (d *diagnosis) read(ctx context.Context) bool {
	t, err := d.engine.identify(d.request.Current, rotation.Current)
	d.Engine, d.Strategy = clip(t.name), string(t.traits.Class)
	if err != nil {
		d.add(rotation.Found(checkValue, "", err))
		return false
	}
	d.add(rotation.Found(checkValue, fmt.Sprintf("a key of %s", clip(t.name)), nil))
	d.target, err = d.engine.open(ctx, d.request, d.request.Current, rotation.Current)
	switch {
	case err != nil:
		// In open, what follows identify are the settings and the administrator.
		d.add(rotation.Found(checkAdmin, "", err), rotation.Skip(checkLogin, checkAdmin))
		return false
	case t.admin != "":
		d.add(rotation.Found(checkAdmin, theAdministrators+" can be read, and is one of this vendor's", nil))
	}
	return true
}

// login asks the vendor about the current key.
func (d *diagnosis) login(ctx context.Context) {
	t := d.target
	if len(t.account.Current.Material) == 0 || t.complete(t.account.Current) != nil {
		d.err = fmt.Errorf("%s holds no whole key yet: %w", rotation.Current, rotation.ErrNotFound)
		d.add(rotation.Finding{
			Check: checkLogin, Verdict: rotation.Warn, Said: rotation.Current + " holds no whole key: consumers have none until the first rotation",
			Remedy: "Rotate the secret, or store a key that works with PutSecretValue.",
		})
		return
	}
	d.err = d.ask(ctx, t.account.Current)
	switch {
	case errors.Is(d.err, rotation.ErrUnreachable), errors.Is(d.err, rotation.ErrTLS):
		d.add(rotation.Found(checkVendor, "", d.err), rotation.Skip(checkLogin, checkVendor))
	case d.err == nil && !d.asks():
		d.add(rotation.Found(checkLogin, "the parts of the secret belong together; nobody is asked whether it is accepted", nil))
	default:
		d.add(rotation.Found(checkVendor, "it answers", nil), rotation.Found(checkLogin, "it takes the key in "+rotation.Current, d.err))
	}
}

// asks reports whether anybody is asked about keys.
func (d *diagnosis) asks() bool {
	a, ok := d.target.provider.(Asking)
	return !ok || a.Asks(d.target.account)
}

// ask asks the vendor about a key, once.
func (d *diagnosis) ask(ctx context.Context, k Key) error {
	ctx, cancel := context.WithTimeout(ctx, vendorPatience)
	defer cancel()
	if c, ok := d.target.provider.(Checker); ok {
		return c.CheckNow(ctx, d.target.account, k)
	}
	return d.target.provider.Check(ctx, d.target.account, k)
}

// keys is whether the vendor has room for one more.
func (d *diagnosis) keys(ctx context.Context) {
	t := d.target
	switch {
	case !t.traits.Lists:
		return
	case errors.Is(d.err, rotation.ErrUnreachable), errors.Is(d.err, rotation.ErrTLS):
		d.add(rotation.Skip(checkKeys, checkVendor))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, vendorPatience)
	defer cancel()
	m, err := d.engine.room(ctx, d.request, t)
	if err != nil {
		d.add(rotation.Found(checkKeys, "", fmt.Errorf("listing the keys: %w", err)))
		return
	}
	d.listed = m.keys
	said := fmt.Sprintf("%d at the vendor", len(m.keys))
	if t.traits.Limit > 0 {
		said += fmt.Sprintf(", of %d that it allows", t.traits.Limit)
	}
	f := rotation.Found(checkKeys, said, nil)
	if !m.fits(t) {
		err := m.full(t)
		if f = rotation.Found(checkKeys, "", err); errors.Is(err, rotation.ErrBusy) {
			f.Verdict = rotation.Warn // there is room by the time of the next rotation
		}
	}
	d.add(f)
}

// versions is what the vendor says of each version's key.
func (d *diagnosis) versions(ctx context.Context, stored []rotation.Stored) {
	for _, v := range stored {
		d.Versions = append(d.Versions, d.version(ctx, v))
	}
	works := func(v rotation.VersionLogin) bool { return v.Login == rotation.LoginWorks }
	if !errors.Is(d.err, rotation.ErrRefused) || slices.ContainsFunc(d.Versions, works) {
		return
	}
	for v, err := range d.request.Unlabelled(ctx) {
		if err != nil {
			d.add(rotation.Finding{
				Check: "versions", Verdict: rotation.Warn, Said: "looking for a key that works in versions without labels: " + err.Error(),
				Remedy: rotation.Hint(err) + " (secretsmanager:ListSecretVersionIds)",
			})
			return
		}
		d.Versions = append(d.Versions, d.version(ctx, v))
		if works(d.Versions[len(d.Versions)-1]) {
			return
		}
	}
}

func (d *diagnosis) version(ctx context.Context, v rotation.Stored) rotation.VersionLogin {
	login := rotation.VersionLogin{ID: v.VersionID, Stages: append([]string{}, v.Stages...), Login: rotation.LoginUnknown, Said: rotation.NoValue}
	if v.Value.Len() == 0 {
		return login
	}
	label := strings.Join(v.Stages, ", ")
	if label == "" {
		label = "a version without labels"
	}
	other, err := d.engine.identify(v.Value, label)
	if err == nil {
		err = d.target.sameTarget(other)
	}
	if err == nil {
		err = other.complete(other.account.Current)
	}
	if err != nil {
		login.Said = "not tried: " + err.Error()
		return login
	}
	login.Login, login.Said = d.accepted(ctx, other.account.Current, v.Stages)
	return login
}

// accepted is what the vendor says of a key. No key is tried twice, nor where that
// would do something: trying an old key counts as use, which puts off its end, and that of one
// that has ended may count as theft.
func (d *diagnosis) accepted(ctx context.Context, k Key, stages []string) (state rotation.LoginState, said string) {
	for _, before := range d.tried {
		if d.target.same(before.key, k) {
			return before.state, before.said
		}
	}
	isCurrent := slices.Contains(stages, rotation.Current)
	i := slices.IndexFunc(d.listed, func(l Key) bool { return l.ID == k.ID && k.ID != "" })
	switch {
	case !d.asks():
		return rotation.LoginUnknown, "not tried: nobody is asked whether it is accepted"
	case !isCurrent && d.listed != nil && k.ID != "" && i < 0:
		return rotation.LoginRefused, "the vendor lists no such key"
	case !isCurrent && i >= 0 && d.listed[i].Inactive:
		return rotation.LoginRefused, "the vendor lists the key as inactive"
	case d.err == nil && !isCurrent && d.target.traits.Class == Replace && !slices.Contains(stages, rotation.Pending):
		return rotation.LoginRefused, "not tried: a new key ends the one before, and another one works"
	case d.err == nil && !isCurrent && d.target.traits.LastUsed && !slices.Contains(stages, rotation.Pending):
		return rotation.LoginUnknown, "not tried: the vendor lists it, and to try it would count as use"
	case !isCurrent && (errors.Is(d.err, rotation.ErrUnreachable) || errors.Is(d.err, rotation.ErrTLS)):
		return rotation.LoginUnknown, "not tried: " + d.err.Error()
	}
	err := d.err
	if !isCurrent {
		err = d.ask(ctx, k)
	}
	state, said = rotation.LoginUnknown, "the vendor takes it"
	switch {
	case err == nil:
		state = rotation.LoginWorks
	case errors.Is(err, rotation.ErrRefused):
		state, said = rotation.LoginRefused, err.Error()
	default:
		said = err.Error()
	}
	d.tried = append(d.tried, tried{k, state, said})
	return state, said
}

var _ rotation.Doctor = (*Engine)(nil)
