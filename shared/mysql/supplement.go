package mysql

import (
	"context"
	"fmt"
)

// supplement repairs a clone that consumers use now: AWSCURRENT is the clone,
// and the base user's password is to be set.
//
// It only adds. Consumers may rely on what the clone holds more until they move
// to the base user, when this rotation ends; and a stricter setting (REQUIRE,
// limits, the age of a password) could shut them out at once. All of that is
// told, and made equal in the next rotation, when the clone is the one that
// nobody uses. For the same reason no account of the clone on a further host is
// made: the server prefers the closer host, and would take consumers' logins for
// an account that is still locked.
func (a *administration) supplement(ctx context.Context, c *couple) error {
	for _, why := range c.foreign {
		a.changes = append(a.changes, "left alone, not provably the clone: "+why)
	}
	if len(c.foreign) > 0 {
		return nil
	}
	for _, model := range c.base {
		i := indexHost(c.clone, model.host)
		if i < 0 {
			a.changes = append(a.changes, fmt.Sprintf("left for the next rotation: %q has no account on %s", c.Clone, model.host))
			continue
		}
		if err := a.supplementAccount(ctx, model, c.clone[i]); err != nil {
			return fmt.Errorf("granting to %s what %s holds: %w", c.clone[i].at(), model.at(), err)
		}
	}
	for _, x := range c.clone {
		if indexHost(c.base, x.host) < 0 {
			a.changes = append(a.changes, "left for the next rotation: dropping "+x.at()+", a host that the base user does not have")
		}
	}
	return nil
}

func (a *administration) supplementAccount(ctx context.Context, model, x account) error {
	add := account{grants: addable(model, x, a.mariadb)}
	gone := grantSet{}
	missing, err := a.grantMissing(ctx, add, x, gone)
	if err != nil {
		return err
	}
	if missing {
		if x, err = a.again(ctx, x); err != nil {
			return err
		}
		if still := add.grants.without(union(x.grants, gone)); len(still) > 0 {
			return errDiffers(still, nil)
		}
	}
	if extra := x.grants.without(model.grants); len(extra) > 0 {
		a.changes = append(a.changes, "left for the next rotation: "+x.at()+" holds more: "+list(extra))
	}
	if x.settings != model.settings {
		a.changes = append(a.changes, "left for the next rotation: "+x.at()+" has other settings (REQUIRE, limits, password options)")
	}
	return nil
}

// addable is what of a model can be given without taking anything, not even for
// a moment: a partial revoke comes after the global privilege that it restricts,
// and MariaDB's default role takes the place of another.
func addable(model, x account, mariadb bool) grantSet {
	restricted := len(model.grants.some(restriction)) > 0
	defaulted := mariadb && len(x.grants.some(defaultRole)) > 0
	add := grantSet{}
	for g := range model.grants {
		global := g.kind == privilege && g.on == object{}
		if g.kind != restriction && !(global && restricted) && !(g.kind == defaultRole && defaulted) {
			add[g] = true
		}
	}
	return add
}

// drop ends an account of the clone on a host that the base user has no more. It
// is kept, and gets the password as the others do, if it is the definer of
// something, which would stop working.
//
// https://dev.mysql.com/doc/refman/8.4/en/stored-objects-security.html#stored-objects-security-orphan-objects
func (a *administration) drop(ctx context.Context, x account) (bool, error) {
	definer := quote(x.name + "@" + x.host)
	objects := 0
	err := a.db.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE DEFINER = `+definer+`)
		+ (SELECT COUNT(*) FROM information_schema.VIEWS WHERE DEFINER = `+definer+`)
		+ (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE DEFINER = `+definer+`)
		+ (SELECT COUNT(*) FROM information_schema.EVENTS WHERE DEFINER = `+definer+`)`).Scan(&objects)
	if err == nil && objects == 0 {
		err = a.do(ctx, "DROP USER "+x.at(), "dropped "+x.at()+", a host that the base user does not have")
	}
	refused := number(err) == 4006 // ER_CANNOT_USER_REFERENCED_AS_DEFINER
	if err != nil && !refused {
		return false, fmt.Errorf("dropping %s: %w", x.at(), translate(ctx, err))
	}
	if objects > 0 || refused {
		a.changes = append(a.changes, "kept "+x.at()+", a host that the base user does not have: stored objects have it as definer")
		return false, nil
	}
	return true, nil
}
