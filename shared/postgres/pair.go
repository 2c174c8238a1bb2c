package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// How a pair shares everything in PostgreSQL: the clone is a member of the base
// role and becomes it at login (ALTER ROLE clone SET role = base). Whoever of
// the two logs in then acts as the base: privileges are equal without copying
// one, what is granted to or revoked from the base holds for both, and objects
// that either creates belong to both. What a role does not get by membership is
// copied: options (CREATEDB, CONNECTION LIMIT, VALID UNTIL, …) and settings.
//
// https://www.postgresql.org/docs/current/role-membership.html
// https://www.postgresql.org/docs/current/sql-alterrole.html

// pairState is what the catalogue says of a pair and of who administers it.
type pairState struct {
	version    int // server_version_num
	replica    bool
	admin      string
	super      bool // the administrator is a superuser
	createRole bool
	base       roleState
	clone      roleState
	member     bool // the clone is a member of the base
	inherits   bool // … and may both use its privileges and become it
	marked     bool // the clone bears our comment
	owned      int  // objects that the clone owns itself, in all databases
}

type roleState struct {
	oid        sql.NullInt64 // not valid: there is no such role
	super      bool
	manageable bool // the administrator has ADMIN OPTION on it
}

// mark is the comment by which a clone is known as ours.
func mark(base string) string { return fmt.Sprintf("rekey: takes turns with %q", base) }

func readPair(ctx context.Context, q *sql.Tx, p dbuser.Pair) (pairState, error) {
	var st pairState
	err := q.QueryRowContext(ctx, `
		SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
			a.rolname, a.rolsuper, a.rolcreaterole,
			b.oid, coalesce(b.rolsuper, false), coalesce(pg_has_role(a.oid, b.oid, 'MEMBER WITH ADMIN OPTION'), false),
			c.oid, coalesce(c.rolsuper, false), coalesce(pg_has_role(a.oid, c.oid, 'MEMBER WITH ADMIN OPTION'), false),
			EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = b.oid AND m.member = c.oid),
			coalesce(shobj_description(c.oid, 'pg_authid') = $3, false),
			(SELECT count(*) FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = c.oid AND d.deptype = 'o')
		FROM pg_roles a LEFT JOIN pg_roles b ON b.rolname = $1 LEFT JOIN pg_roles c ON c.rolname = $2
		WHERE a.rolname = session_user`, p.Base, p.Clone, mark(p.Base)).
		Scan(&st.version, &st.replica, &st.admin, &st.super, &st.createRole,
			&st.base.oid, &st.base.super, &st.base.manageable,
			&st.clone.oid, &st.clone.super, &st.clone.manageable,
			&st.member, &st.marked, &st.owned)
	if err != nil {
		return pairState{}, translate(ctx, err)
	}
	st.inherits = st.member
	if st.member && st.version >= 160000 {
		err := q.QueryRowContext(ctx, `SELECT bool_or(inherit_option) AND bool_or(set_option) FROM pg_auth_members WHERE roleid = $1 AND member = $2`,
			st.base.oid.Int64, st.clone.oid.Int64).Scan(&st.inherits)
		if err != nil {
			return pairState{}, translate(ctx, err)
		}
	}
	return st, nil
}

// check refuses what SetPair could not do, or must not.
func (st pairState) check(p dbuser.Pair) error {
	switch {
	case st.replica:
		return errReadOnly()
	case !st.base.oid.Valid:
		return rotation.WithHint(fmt.Errorf("checking the pair: there is no role %q: %w", p.Base, rotation.ErrConfig),
			`Create the role, or correct "username" in the secret.`)
	case st.base.super || st.clone.super:
		return rotation.WithHint(fmt.Errorf("checking the pair: %q is a superuser: %w", p.Base, rotation.ErrConfig),
			"Rotate a superuser as a single user; applications need none.")
	case p.Base == st.admin || p.Clone == st.admin:
		return rotation.WithHint(fmt.Errorf("checking the pair: the administrator %q is one of the two: %w", st.admin, rotation.ErrConfig),
			`Name another administrator's secret in "masterarn".`)
	case !st.super && !st.createRole:
		return rotation.WithHint(fmt.Errorf("checking the pair: the administrator %q has no CREATEROLE: %w", st.admin, rotation.ErrDenied),
			fmt.Sprintf("As a superuser: ALTER ROLE %s CREATEROLE.", pq.QuoteIdentifier(st.admin)))
	case st.clone.oid.Valid && !st.member && !st.marked:
		return rotation.WithHint(fmt.Errorf("checking the pair: the role %q is there already and is not a member of %q: %w", p.Clone, p.Base, rotation.ErrConfig),
			fmt.Sprintf("If it is the clone, say so: GRANT %s TO %s. If not, rename it: its password is not touched.", pq.QuoteIdentifier(p.Base), pq.QuoteIdentifier(p.Clone)))
	}
	return st.checkAdminOption(p)
}

// checkAdminOption: since version 16, CREATEROLE alone manages only the roles
// that one has made; others need ADMIN OPTION.
//
// https://www.postgresql.org/docs/16/release-16.html#RELEASE-16-PRIVILEGES
func (st pairState) checkAdminOption(p dbuser.Pair) error {
	if st.super || st.version < 160000 {
		return nil
	}
	for _, r := range []struct {
		name  string
		state roleState
	}{{p.Base, st.base}, {p.Clone, st.clone}} {
		if r.state.oid.Valid && !r.state.manageable {
			return rotation.WithHint(fmt.Errorf("checking the pair: the administrator %q has no ADMIN OPTION on %q: %w", st.admin, r.name, rotation.ErrDenied),
				fmt.Sprintf("As who made the role, or a superuser: GRANT %s TO %s WITH ADMIN OPTION.", pq.QuoteIdentifier(r.name), pq.QuoteIdentifier(st.admin)))
		}
	}
	return nil
}

// CheckPair implements [dbuser.Administrator]: it does what SetPair would do, in
// a transaction that is rolled back. So whatever the server would refuse later,
// it refuses now.
func (s *session) CheckPair(ctx context.Context, p dbuser.Pair) error {
	_, err := s.changePair(ctx, p, "PASSWORD NULL", (*sql.Tx).Rollback)
	return err
}

// SetPair implements [dbuser.Administrator], in one transaction.
func (s *session) SetPair(ctx context.Context, p dbuser.Pair, password rotation.Value) ([]string, error) {
	verifier, err := s.verifier(ctx, p.Pending, password.Reveal())
	if err != nil {
		return nil, err
	}
	return s.changePair(ctx, p, "LOGIN PASSWORD '"+verifier+"'", (*sql.Tx).Commit)
}

// changePair makes the pair equal, alters the pending role last, and ends the
// transaction.
func (s *session) changePair(ctx context.Context, p dbuser.Pair, alter string, end func(*sql.Tx) error) ([]string, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, translate(ctx, err)
	}
	defer func() { _ = tx.Rollback() }() // after end it does nothing
	// One at a time: roles are shared by all sessions, and the server refuses
	// the second of two changes at once.
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtext($1))", mark(p.Base)); err != nil {
		return nil, translate(ctx, err)
	}
	state, err := readPair(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	if err := state.check(p); err != nil {
		return nil, err
	}
	c := &changer{ctx: ctx, tx: tx, pair: p}
	c.join(state)
	c.all(optionChanges(ctx, tx, p))
	c.all(settingChanges(ctx, tx, p))
	c.adopt(state)
	c.exec(change{statement: "ALTER ROLE " + pq.QuoteIdentifier(p.Pending) + " " + alter})
	if c.err != nil {
		return nil, c.err
	}
	if err := end(tx); err != nil {
		return nil, translate(ctx, err)
	}
	return c.changes, nil
}

// TestPair implements [dbuser.PairTester], from what every user may read: the
// clone acts as the base, with the base's options and settings.
func (s *session) TestPair(ctx context.Context, p dbuser.Pair) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return translate(ctx, err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	state, err := readPair(ctx, tx, p)
	if err != nil {
		return err
	}
	options, err := optionChanges(ctx, tx, p)
	if err != nil {
		return err
	}
	settings, err := settingChanges(ctx, tx, p)
	if err != nil {
		return err
	}
	var lacks []string
	if !state.inherits {
		lacks = append(lacks, fmt.Sprintf("make it a member of %q", p.Base))
	}
	for _, c := range append(options, settings...) {
		lacks = append(lacks, c.says)
	}
	if len(lacks) > 0 {
		return rotation.WithHint(fmt.Errorf("comparing %q with %q: still to do: %s: %w", p.Clone, p.Base, strings.Join(lacks, "; "), rotation.ErrDenied),
			"Someone changed one of the two since setSecret. Run the rotation again: it makes them alike.")
	}
	return nil
}

// changer makes the clone like the base. After an error it does nothing more.
type changer struct {
	ctx     context.Context
	tx      *sql.Tx
	pair    dbuser.Pair
	changes []string
	err     error
}

// exec runs a statement and notes what it changes.
func (c *changer) exec(ch change) {
	if c.err != nil {
		return
	}
	if _, err := c.tx.ExecContext(c.ctx, ch.statement); err != nil {
		c.err = fmt.Errorf("making the pair %q and %q alike: %w", c.pair.Base, c.pair.Clone, translate(c.ctx, err))
		if ch.ifDenied != "" && errors.Is(c.err, rotation.ErrDenied) {
			c.err = rotation.WithHint(c.err, ch.ifDenied)
		}
		return
	}
	if ch.says != "" {
		c.changes = append(c.changes, ch.says)
	}
}

func (c *changer) all(changes []change, err error) {
	if c.err == nil {
		c.err = err
	}
	for _, ch := range changes {
		c.exec(ch)
	}
}

// join makes the clone, marked, and a member of the base that can become it.
func (c *changer) join(st pairState) {
	base, clone := pq.QuoteIdentifier(c.pair.Base), pq.QuoteIdentifier(c.pair.Clone)
	if !st.clone.oid.Valid {
		c.exec(change{statement: "CREATE ROLE " + clone + " NOLOGIN", says: fmt.Sprintf("created the role %q", c.pair.Clone)})
	}
	if !st.marked {
		c.exec(change{statement: "COMMENT ON ROLE " + clone + " IS " + pq.QuoteLiteral(mark(c.pair.Base))})
	}
	if !st.inherits {
		grant := "GRANT " + base + " TO " + clone
		if st.version >= 160000 {
			grant += " WITH INHERIT TRUE, SET TRUE"
		}
		c.exec(change{statement: grant, says: fmt.Sprintf("made it a member of %q", c.pair.Base)})
	}
}

// adopt tells of objects that the clone owns itself, as the clones of the
// official templates may; it gives them to the base if the secret asks for it.
func (c *changer) adopt(st pairState) {
	if st.owned == 0 || c.err != nil {
		return
	}
	if !c.pair.Adopt {
		c.changes = append(c.changes, fmt.Sprintf("left %d objects with %q that it owns by itself: %q cannot change them", st.owned, c.pair.Clone, c.pair.Base))
		return
	}
	base, clone := pq.QuoteIdentifier(c.pair.Base), pq.QuoteIdentifier(c.pair.Clone)
	c.exec(change{
		statement: "REASSIGN OWNED BY " + clone + " TO " + base,
		says:      fmt.Sprintf("gave the objects of %q in this database to %q", c.pair.Clone, c.pair.Base),
		ifDenied:  fmt.Sprintf("The administrator must be a member of both: GRANT %s, %s TO %s.", base, clone, pq.QuoteIdentifier(st.admin)),
	})
}
