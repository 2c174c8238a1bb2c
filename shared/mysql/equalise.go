package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// equalise makes the clone the base user's equal, on the same hosts. Consumers
// do not use the clone now, and its password is about to change.
func (a *administration) equalise(ctx context.Context, c *couple) error {
	var clones []account
	for _, model := range c.base {
		x := model
		x.name, x.socket = c.Clone, "" // the operating system has no such user
		x.secondary = false
		if i := indexHost(c.clone, model.host); i < 0 {
			if err := a.create(ctx, x, model); err != nil {
				return err
			}
			x.grants, x.attributes = grantSet{}, nil
			if a.version >= mysqlAttributes {
				x.attributes = model.marked()
			}
		} else {
			x.settings, x.grants, x.attributes = c.clone[i].settings, c.clone[i].grants, c.clone[i].attributes
			x.secondary = c.clone[i].secondary
		}
		clones = append(clones, x)
	}
	for i, model := range c.base {
		if err := a.equaliseAccount(ctx, model, clones[i]); err != nil {
			return fmt.Errorf("making %s the equal of %s: %w", clones[i].at(), model.at(), err)
		}
	}
	for _, x := range c.clone {
		if indexHost(c.base, x.host) >= 0 {
			continue
		}
		dropped, err := a.drop(ctx, x)
		if err != nil {
			return err
		}
		if !dropped {
			x.plugins, x.socket = c.base[0].plugins, ""
			clones = append(clones, x)
		}
	}
	c.clone = clones
	return a.verify(ctx, c)
}

// verify reads the settings back, if anything changed. Grants were read back
// when they did.
func (a *administration) verify(ctx context.Context, c *couple) error {
	if len(a.changes) == 0 {
		return nil
	}
	clones, err := a.accounts(ctx, c.Clone)
	if err != nil {
		return err
	}
	for _, model := range c.base {
		i := indexHost(clones, model.host)
		if i >= 0 && clones[i].settings == model.settings && (a.version < mysqlAttributes || attributePatch(clones[i].attributes, model.marked()) == "") {
			continue
		}
		return rotation.WithHint(fmt.Errorf("comparing %q on %s after the changes: its settings (REQUIRE, limits, password options, attributes) still differ from those of %q: %w", c.Clone, model.host, c.Base, rotation.ErrVendor),
			"Compare SHOW CREATE USER of the two, and set by hand what differs; then rotate again.")
	}
	return nil
}

// create makes an account that nobody can use yet, and that says whose it is
// from its first moment on.
func (a *administration) create(ctx context.Context, x, model account) error {
	statement := "CREATE USER " + x.at() + a.identified(model.plugins[0], nobodys()) + " " + strings.Join(model.settings[:], " ") + " ACCOUNT LOCK"
	if a.version >= mysqlAttributes {
		statement += " ATTRIBUTE " + quote(attributePatch(nil, model.marked()))
	}
	if err := a.do(ctx, statement, "created "+x.at()); err != nil {
		return fmt.Errorf("creating %s: %w", x.at(), translate(ctx, err))
	}
	return nil
}

// passes bound the comparisons. Three are the most that is known to be needed:
// ALL PRIVILEGES taken apart, then what is extra, then a look.
const passes = 5

// equaliseAccount repeats: grant what is missing, then revoke what is extra,
// then look again; until there is nothing to do. What the server says in the end
// counts, not what was sent.
func (a *administration) equaliseAccount(ctx context.Context, model, x account) error {
	if err := a.setAttributes(ctx, model, x); err != nil {
		return err
	}
	gone := grantSet{}
	for range passes {
		missing, err := a.grantMissing(ctx, model, x, gone)
		if err != nil {
			return err
		}
		if missing {
			if x, err = a.again(ctx, x); err != nil {
				return err
			}
		}
		if extra := x.grants.without(model.grants); len(extra) > 0 {
			err = a.revoke(ctx, x, model, extra)
			if err == nil {
				x, err = a.again(ctx, x)
			}
			if err != nil {
				return err
			}
			continue
		}
		if !missing || len(model.grants.without(union(x.grants, gone))) == 0 {
			return a.setSettings(ctx, model, x)
		}
	}
	return errDiffers(model.grants.without(union(x.grants, gone)), x.grants.without(model.grants))
}

func union(a, b grantSet) grantSet {
	both := grantSet{}
	for _, s := range []grantSet{a, b} {
		for g := range s {
			both[g] = true
		}
	}
	return both
}

// again reads the account's grants after changes.
func (a *administration) again(ctx context.Context, x account) (account, error) {
	grants, err := a.grantsOf(ctx, x.at())
	x.grants = grants
	if err == nil && !a.mariadb {
		err = a.readDefaultRoles(ctx, x)
	}
	if err != nil {
		return x, a.mayRead(ctx, x.name, err)
	}
	return x, nil
}

func errDiffers(missing, extra []grant) error {
	var how []string
	if len(missing) > 0 {
		how = append(how, "it lacks "+list(missing))
	}
	if len(extra) > 0 {
		how = append(how, "it holds more: "+list(extra))
	}
	return rotation.WithHint(fmt.Errorf("comparing after the changes: %s: %w", strings.Join(how, "; "), rotation.ErrVendor),
		"Grant or revoke these by hand, then rotate again. Restrictions of the administrator's own (partial revokes) pass on to what it grants.")
}

// setAttributes brings comment, attributes and the mark to the clone.
func (a *administration) setAttributes(ctx context.Context, model, x account) error {
	if a.version < mysqlAttributes {
		return nil
	}
	patch := attributePatch(x.attributes, model.marked())
	if patch == "" {
		return nil
	}
	return translate(ctx, a.do(ctx, "ALTER USER "+x.at()+" ATTRIBUTE "+quote(patch), "set the attributes of "+x.at()))
}

// setSettings brings REQUIRE, limits and password options to the clone.
func (a *administration) setSettings(ctx context.Context, model, x account) error {
	if x.settings == model.settings {
		return nil
	}
	var changed []string
	for i, s := range model.settings {
		if x.settings[i] != s {
			changed = append(changed, s)
		}
	}
	all := strings.Join(model.settings[:], " ")
	return translate(ctx, a.do(ctx, "ALTER USER "+x.at()+" "+all, "set "+strings.Join(changed, " ")+" of "+x.at()))
}

// grantMissing gives an account what it lacks of a model, and tells whether that
// was anything. What is on a table, column or routine that is gone the server
// lets nobody grant; it comes to the clone in a rotation after the object does.
func (a *administration) grantMissing(ctx context.Context, model, x account, gone grantSet) (bool, error) {
	missing := model.grants.without(union(x.grants, gone))
	for _, p := range grouped(missing) {
		err := a.do(ctx, p.grantTo(x.at()), "granted "+list(p)+" to "+x.at())
		if len(p) > 1 && (objectGone(err) || number(err) == columnDenied) {
			// One column may be gone, and another there. MariaDB also refuses
			// privileges on several columns together that it allows alone.
			err = a.grantEach(ctx, p, x, gone)
		} else if objectGone(err) {
			a.left(p[0], x, gone)
			err = nil
		}
		if err != nil {
			return true, fmt.Errorf("granting %s: %w", list(p), translate(ctx, err))
		}
	}
	return len(missing) > 0, a.grantDefaultRoles(ctx, model, x, missing)
}

func (a *administration) grantEach(ctx context.Context, grants []grant, x account, gone grantSet) error {
	for _, g := range grants {
		err := a.do(ctx, group{g}.grantTo(x.at()), "granted "+g.String()+" to "+x.at())
		if objectGone(err) {
			a.left(g, x, gone)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *administration) left(g grant, x account, gone grantSet) {
	gone[g] = true
	a.changes = append(a.changes, "could not grant "+g.String()+" to "+x.at()+": the object is gone")
}

// columnDenied is ER_COLUMNACCESS_DENIED_ERROR.
const columnDenied = 1143

// objectGone: ER_NO_SUCH_TABLE, ER_SP_DOES_NOT_EXIST, ER_BAD_FIELD_ERROR.
func objectGone(err error) bool { return slices.Contains([]uint16{1146, 1305, 1054}, number(err)) }

// grantDefaultRoles adds the default roles that are missing to those there are.
// MariaDB has one at most, and the model's takes its place.
func (a *administration) grantDefaultRoles(ctx context.Context, model, x account, missing []grant) error {
	if !slices.ContainsFunc(missing, func(g grant) bool { return g.kind == defaultRole }) {
		return nil
	}
	roles := x.grants
	if a.mariadb {
		roles = nil
	}
	return a.setDefaultRoles(ctx, x, union(model.grants, roles).some(defaultRole))
}

func (a *administration) setDefaultRoles(ctx context.Context, x account, roles []grant) error {
	names := make([]string, len(roles))
	for i, g := range roles {
		names[i] = g.what
	}
	if len(names) == 0 {
		names = []string{"NONE"}
	}
	statement := "SET DEFAULT ROLE " + strings.Join(names, ", ") + " TO " + x.at()
	if a.mariadb {
		statement = "SET DEFAULT ROLE " + names[0] + " FOR " + x.at()
	}
	if err := a.do(ctx, statement, "set the default roles of "+x.at()+" to "+strings.Join(names, ", ")); err != nil {
		return fmt.Errorf("setting default roles: %w", translate(ctx, err))
	}
	return nil
}

// revoke takes away what the model does not hold.
func (a *administration) revoke(ctx context.Context, x, model account, extra []grant) error {
	drop := grantSet{}
	for _, g := range extra {
		drop[g] = true
	}
	for _, p := range grouped(apart(extra, drop, model)) {
		if err := a.do(ctx, p.revokeFrom(x.at(), a.mariadb), "revoked "+list(p)+" from "+x.at()); err != nil {
			return fmt.Errorf("revoking %s: %w", list(p), translate(ctx, err))
		}
	}
	if len(drop.some(defaultRole)) == 0 {
		return nil
	}
	return a.setDefaultRoles(ctx, x, model.grants.some(defaultRole))
}

// apart replaces what cannot be revoked as it stands. ALL PRIVILEGES less some
// is had by revoking one of them: what is left the server then names one by one,
// and the next pass knows it. Options go with what they are an option of.
func apart(extra []grant, dropped grantSet, model account) []grant {
	var out []grant
	for _, g := range extra {
		role := grant{kind: roleGrant, what: g.what}
		static := g
		static.what = strings.TrimSuffix(g.what, withGrantOption)
		switch {
		case g.kind == roleAdmin && dropped[role], static.what != g.what && dropped[static]:
			continue
		case g.what == everything:
			i := slices.IndexFunc(g.on.ordinary(), func(what string) bool { return !model.grants[grant{what: what, on: g.on}] })
			if i >= 0 {
				g.what = g.on.ordinary()[i]
			}
		}
		out = append(out, g)
	}
	return out
}
