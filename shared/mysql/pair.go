package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

var _ dbuser.Administrator = (*session)(nil)

// couple is both users of a pair as the server has them.
type couple struct {
	dbuser.Pair
	base, clone []account
	union       grantSet // what the base user holds, over all its hosts
	admin       grantSet // what the administrator holds
	foreign     []string // why accounts with the clone's name are not the clone's
}

// cloneInUse tells which of the two consumers use now. The password of the one
// that they do not use is the one that is set.
func (c *couple) cloneInUse() bool { return c.Pending == c.Base }

// CheckPair implements [dbuser.Administrator].
func (s *session) CheckPair(ctx context.Context, p dbuser.Pair) error {
	a, err := s.administer(ctx)
	if err != nil {
		return err
	}
	c, err := a.look(ctx, p)
	if err != nil {
		return err
	}
	return a.permitted(c)
}

// SetPair implements [dbuser.Administrator]. Statements on accounts commit one
// by one, so their order is what protects: a new account is locked and has a
// password that nobody knows until all else is done. Each run begins by looking
// at what is there and so goes on where another ended.
func (s *session) SetPair(ctx context.Context, p dbuser.Pair, password rotation.Value) ([]string, error) {
	a, err := s.administer(ctx)
	if err != nil {
		return nil, err
	}
	unlock, err := a.lock(ctx, stored(p.Base))
	if err != nil {
		return nil, err
	}
	defer unlock()
	c, err := a.look(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := a.permitted(c); err != nil {
		return nil, err
	}
	if c.cloneInUse() {
		err = a.supplement(ctx, c)
		if err == nil {
			err = a.setPassword(ctx, c.base, password, false)
		}
		return a.changes, err
	}
	if err := a.equalise(ctx, c); err != nil {
		return a.changes, err
	}
	return a.changes, a.setPassword(ctx, c.clone, password, true)
}

// SetPasswordOf implements [dbuser.Administrator], for the user's accounts on
// all hosts.
func (s *session) SetPasswordOf(ctx context.Context, user string, password rotation.Value) error {
	a, err := s.administer(ctx)
	if err != nil {
		return err
	}
	accounts, err := a.accounts(ctx, stored(user))
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		return errNoUser(user)
	}
	for _, x := range accounts {
		if err := a.verifiable(x); err != nil {
			return err
		}
	}
	return a.setPassword(ctx, accounts, password, false)
}

// look reads the pair and refuses one that must not be touched.
func (a *administration) look(ctx context.Context, p dbuser.Pair) (*couple, error) {
	c := &couple{Pair: dbuser.Pair{Base: stored(p.Base), Clone: stored(p.Clone), Pending: stored(p.Pending)}, union: grantSet{}}
	if err := a.checkNames(c); err != nil {
		return nil, err
	}
	var err error
	if c.base, err = a.accounts(ctx, c.Base); err != nil {
		return nil, err
	}
	if len(c.base) == 0 {
		return nil, errNoUser(c.Base)
	}
	for _, x := range c.base {
		if err := a.checkBase(x); err != nil {
			return nil, err
		}
		for g := range x.grants {
			c.union[g] = true
		}
	}
	if c.clone, err = a.accounts(ctx, c.Clone); err != nil {
		return nil, err
	}
	for _, x := range c.clone {
		if why := c.notOurs(x); why != "" {
			c.foreign = append(c.foreign, x.at()+" "+why)
		}
	}
	if len(c.foreign) > 0 && !c.cloneInUse() {
		return nil, c.errForeign()
	}
	if c.admin, err = a.grantsOf(ctx, ""); err != nil {
		return nil, fmt.Errorf("reading the administrator's grants: %w", translate(ctx, err))
	}
	return c, nil
}

// systemUsers belong to the server or to RDS.
//
// https://dev.mysql.com/doc/refman/8.4/en/reserved-accounts.html
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/MySQL.Concepts.UsersAndPrivileges.html
var systemUsers = []string{
	"", "root", "mysql", "mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys", "event_scheduler", "PUBLIC",
	"rdsadmin", "rdsrepladmin", "rdsproxyadmin", "rds_superuser_role",
}

func (a *administration) checkNames(c *couple) error {
	most := 32
	if a.mariadb {
		most = 80
	}
	switch n := utf8.RuneCountInString(c.Clone); {
	case slices.Contains(systemUsers, c.Base):
		return rotation.WithHint(fmt.Errorf("looking at %q: it is an account of the system: %w", c.Base, rotation.ErrConfig),
			"Make a user for the application and name that in the secret.")
	case a.user == c.Base || a.user == c.Clone:
		return rotation.WithHint(fmt.Errorf("looking at %q: it is the administrator itself: %w", a.user, rotation.ErrConfig),
			"Name another administrator in masterarn, or rotate this user by itself (without masterarn).")
	case n > most:
		return rotation.WithHint(fmt.Errorf("naming the second user of the pair %q: it has %d characters, and the server takes %d: %w", c.Clone, n, most, rotation.ErrConfig),
			"Use a user with a shorter name, or rotate this one by itself (without masterarn).")
	}
	return nil
}

// checkBase refuses a model that cannot be copied.
func (a *administration) checkBase(x account) error {
	if a.mariadb && x.role {
		return rotation.WithHint(fmt.Errorf("looking at %q: it is a role: %w", x.name, rotation.ErrConfig), "Name a user in the secret.")
	}
	if err := a.verifiable(x); err != nil {
		return err
	}
	if x.locked {
		return rotation.WithHint(fmt.Errorf("looking at %s: the account is locked, and would be the model of an open one: %w", x.at(), rotation.ErrConfig),
			"ALTER USER "+x.at()+" ACCOUNT UNLOCK; or delete the secret.")
	}
	if proxies := x.grants.some(proxyGrant); len(proxies) > 0 {
		return rotation.WithHint(fmt.Errorf("looking at %s: it has %s, which is not copied: %w", x.at(), list(proxies), rotation.ErrConfig),
			"Grant a role in its place, or rotate this user by itself (without masterarn).")
	}
	return nil
}

// notOurs tells why an account with the clone's name is not provably the base
// user's clone; "" if it is. A mark is proof. Without one (MariaDB, MySQL before
// 8.0.21, pairs of the official templates) it is proof that the account holds
// nothing which the base user does not: whoever may log in as the base user
// gains nothing by it.
func (c *couple) notOurs(x account) string {
	if base, marked := x.markedAs(); marked {
		if base == c.Base {
			return ""
		}
		return fmt.Sprintf("is marked as the clone of %q", base)
	}
	if x.role {
		return "is a role, and what it is granted others have too"
	}
	var more []grant
	for _, g := range x.grants.sorted() {
		if !c.union.holds(g) {
			more = append(more, g)
		}
	}
	if len(more) == 0 {
		return ""
	}
	return "holds more: " + list(more)
}

func (c *couple) errForeign() error {
	return rotation.WithHint(fmt.Errorf("looking at the second user of the pair: it is not provably the clone of %q: %s: %w", c.Base, strings.Join(c.foreign, "; "), rotation.ErrConfig),
		"If it is the clone: revoke what it holds more, or grant that to the base user too. If it is someone else's: rename one of the two users.")
}

func errNoUser(user string) error {
	return rotation.WithHint(fmt.Errorf("looking for %q: there is no such user: %w", user, rotation.ErrConfig),
		"Create the user with its grants, or correct the username in the secret.")
}

// permitted tells whether the administrator may do what is to be done. What it
// does not know it lets pass.
func (a *administration) permitted(c *couple) error {
	missing := grantSet{}
	for _, g := range a.toChange(c) {
		if !c.admin.mayGrant(g, a.mariadb) {
			missing[g] = true
		}
	}
	var what, remedies []string
	// Accounts that have SYSTEM_USER only those alter that have it too.
	for _, own := range []grant{{what: "CREATE USER"}, {what: "SYSTEM_USER"}} {
		if (own.what == "CREATE USER" || c.union[own]) && !c.admin.holds(own) {
			what = append(what, own.String())
			remedies = append(remedies, group{own}.grantTo(a.admin)+";")
		}
	}
	for _, p := range append(grouped(missing.sorted()), missing.some(defaultRole)) {
		if len(p) == 0 {
			continue
		}
		what = append(what, list(p))
		if remedy := p.allow(a.admin, a.mariadb) + ";"; !slices.Contains(remedies, remedy) {
			remedies = append(remedies, remedy)
		}
	}
	if len(what) == 0 {
		return nil
	}
	return rotation.WithHint(fmt.Errorf("checking the administrator %s: it may not grant or alter what %q has: %s: %w", a.admin, c.Base, clipped(what, ", "), rotation.ErrDenied),
		clipped(remedies, " "))
}

// toChange are the grants that SetPair would give or take.
func (a *administration) toChange(c *couple) []grant {
	var all []grant
	for _, model := range c.base {
		i := indexHost(c.clone, model.host)
		switch {
		case i < 0 && !c.cloneInUse():
			all = append(all, model.grants.sorted()...)
		case i >= 0 && !c.cloneInUse():
			all = append(all, model.grants.without(c.clone[i].grants)...)
			all = append(all, c.clone[i].grants.without(model.grants)...)
		case i >= 0 && len(c.foreign) == 0:
			all = append(all, addable(model, c.clone[i], a.mariadb).without(c.clone[i].grants)...)
		}
	}
	return all
}

func indexHost(accounts []account, host string) int {
	return slices.IndexFunc(accounts, func(x account) bool { return x.host == host })
}
