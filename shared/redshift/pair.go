package redshift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// How a pair has the same rights in Redshift: the clone is put into the groups of
// the base and is granted its roles, so that what those have is not copied; what
// the base has by itself is granted to the clone one by one, in every database,
// and what the clone has besides is taken from it. What one of the two owns, the
// other may use. The password comes last.
//
// Each statement may run twice, and a clone that is half done cannot log in: so
// nothing needs one transaction, which could not span databases.

// edit is a statement that makes the two alike, and what it does in the log.
type edit struct{ statement, says string }

func edits(statements []string) (all []edit) {
	for _, s := range statements {
		all = append(all, edit{s, s})
	}
	return all
}

// check refuses what SetPair could not do, or must not.
func (st pairState) check(p dbuser.Pair) error {
	switch {
	case st.base == nil:
		return rotation.WithHint(fmt.Errorf("checking the pair: there is no user %q: %w", p.Base, rotation.ErrConfig),
			`Create the user, or correct "username" in the secret.`)
	case st.base.superuser || st.clone != nil && st.clone.superuser:
		return rotation.WithHint(fmt.Errorf("checking the pair: %q is a superuser: %w", p.Base, rotation.ErrConfig),
			"Rotate a superuser as a single user; applications need none.")
	case p.Base == st.admin.name || p.Clone == st.admin.name:
		return rotation.WithHint(fmt.Errorf("checking the pair: the administrator %q is one of the two: %w", st.admin.name, rotation.ErrConfig),
			`Name another administrator's secret in "masterarn".`)
	case !st.admin.superuser:
		return rotation.WithHint(fmt.Errorf("checking the pair: the administrator %q is no superuser: %w", st.admin.name, rotation.ErrDenied),
			fmt.Sprintf("Others neither see all grants nor may give them. As a superuser: ALTER USER %s CREATEUSER.", identifier(st.admin.name)))
	case p.Adopt:
		return rotation.WithHint(fmt.Errorf("checking the pair: \"adoptObjects\" is true, and Redshift has no REASSIGN OWNED: %w", rotation.ErrConfig),
			"Remove it. What one of the two owns, the other is granted; ALTER TABLE … OWNER TO moves a table.")
	case st.clone != nil && !st.marked && !p.Known:
		return rotation.WithHint(fmt.Errorf("checking the pair: the user %q is there already, not in the group %q: %w", p.Clone, mark(p.Base), dbuser.ErrUnprovenPair),
			fmt.Sprintf("If it is the clone, say so: CREATE GROUP %s WITH USER %s. If not, rename it: its password is not touched.", identifier(mark(p.Base)), identifier(p.Clone)))
	}
	return nil
}

// CheckPair implements [dbuser.Administrator]. A superuser may do all of it, so
// it is read, in every database, and not tried.
func (s *session) CheckPair(ctx context.Context, p dbuser.Pair) error {
	_, _, err := s.equalise(ctx, p, func(context.Context, runner, edit) error { return nil })
	return err
}

// SetPair implements [dbuser.Administrator].
func (s *session) SetPair(ctx context.Context, p dbuser.Pair, password rotation.Value) ([]string, error) {
	st, changes, err := s.equalise(ctx, p, func(ctx context.Context, r runner, e edit) error {
		if strings.HasPrefix(e.statement, "CREATE ") {
			return create(ctx, r, e.statement)
		}
		return change(ctx, r, e.statement)
	})
	if err != nil {
		return changes, err
	}
	more, err := st.validity(p)
	if err != nil {
		return changes, err
	}
	if more != "" {
		changes = append(changes, "set"+more)
	}
	if err := s.setPassword(ctx, p.Pending, password, more); err != nil {
		return changes, err
	}
	return changes, nil
}

// validity is the end of the statement that sets the clone's password, where the
// clone's password is to end with the base's: Redshift documents VALID UNTIL as a
// part of PASSWORD.
func (st pairState) validity(p dbuser.Pair) (string, error) {
	until := ""
	if st.clone != nil {
		until = st.clone.validUntil
	}
	switch {
	case p.Pending != p.Clone, until == st.base.validUntil:
		return "", nil
	case st.base.validUntil == "":
		return " VALID UNTIL 'infinity'", nil
	}
	until, err := literal(st.base.validUntil)
	return " VALID UNTIL " + until, err
}

// TestPair implements [dbuser.PairTester]. A superuser sees all; the user itself
// sees its own grants only, and compares what all users may see: groups, options
// and settings.
func (s *session) TestPair(ctx context.Context, p dbuser.Pair) error {
	var lacks []string
	st, err := readUsers(ctx, s.runner, p.Base, p.Clone)
	if err != nil {
		return err
	}
	if st.admin.superuser {
		p.Known = true // it was made or proven before
		_, lacks, err = s.equalise(ctx, p, func(context.Context, runner, edit) error { return nil })
	} else {
		lacks, err = st.visible(p)
	}
	if err != nil {
		return err
	}
	if len(lacks) > 0 {
		return rotation.WithHint(fmt.Errorf("comparing %q with %q: still to do: %s: %w", p.Clone, p.Base, strings.Join(lacks, "; "), rotation.ErrDenied),
			"Someone changed one of the two since setSecret. Run the rotation again: it makes them alike.")
	}
	return nil
}

// visible is what differs of that which every user may see.
func (st pairState) visible(p dbuser.Pair) (lacks []string, err error) {
	if st.base == nil || st.clone == nil {
		return []string{"make both users"}, nil
	}
	st.base.limit, st.clone.limit = "", ""
	all, err := st.userEdits(p)
	for _, e := range all {
		lacks = append(lacks, e.says)
	}
	return lacks, err
}

// equalise finds what makes the two alike, and has it done: the cluster's first,
// then each database's. It returns what that was.
func (s *session) equalise(ctx context.Context, p dbuser.Pair, do func(context.Context, runner, edit) error) (st pairState, done []string, err error) {
	if st, err = readPair(ctx, s.runner, p.Base, p.Clone); err != nil {
		return st, nil, err
	}
	if err := st.check(p); err != nil {
		return st, nil, err
	}
	each := func(r runner, all []edit) error {
		for _, e := range all {
			if err := do(ctx, r, e); err != nil {
				return fmt.Errorf("making the pair %q and %q alike (%s): %w", p.Base, p.Clone, clip(e.says), err)
			}
			done = append(done, clip(e.says))
		}
		return nil
	}
	all, err := st.clusterEdits(p)
	if err != nil {
		return st, nil, err
	}
	if err := each(s.runner, all); err != nil {
		return st, done, err
	}
	for _, name := range st.databases {
		if err := s.inDatabase(ctx, name, func(r runner) error {
			here, err := readDatabase(ctx, r, p)
			if err != nil {
				return err
			}
			return each(r, edits(here.databaseStatements(p)))
		}); err != nil {
			return st, done, fmt.Errorf("in the database %q: %w", clip(name), err)
		}
	}
	return st, done, nil
}

// inDatabase does something in one of the databases.
func (s *session) inDatabase(ctx context.Context, name string, do func(runner) error) (err error) {
	if name == s.database {
		return do(s.runner)
	}
	r, err := s.in(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	return do(r)
}

// clusterEdits are the changes that belong to no database. A clone is made
// without a password, in the group that marks it.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_GROUP.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_GROUP.html
func (st pairState) clusterEdits(p dbuser.Pair) (all []edit, err error) {
	marker, clone := identifier(mark(p.Base)), identifier(p.Clone)
	if !st.marked && !slices.Contains(st.groups, mark(p.Base)) {
		all = append(all, edit{"CREATE GROUP " + marker, fmt.Sprintf("created the group %q, which marks the clone", mark(p.Base))})
	}
	switch {
	case st.clone == nil:
		all = append(all, edit{"CREATE USER " + clone + " PASSWORD DISABLE IN GROUP " + marker, fmt.Sprintf("created the user %q", p.Clone)})
		st.clone = &user{name: p.Clone, limit: "UNLIMITED", syslog: "RESTRICTED", timeout: "0"}
	case !st.marked:
		all = append(all, edit{"ALTER GROUP " + marker + " ADD USER " + clone, fmt.Sprintf("marked %q as the clone", p.Clone)})
	}
	options, err := st.userEdits(p)
	if err != nil {
		return nil, err
	}
	all = append(all, options...)
	return append(all, edits(statements(p.Clone, sorted(st.base.grants), sorted(st.clone.grants)))...), nil
}

// userEdits are the changes of groups, options and settings.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_USER.html
func (st pairState) userEdits(p dbuser.Pair) (all []edit, err error) {
	alter := "ALTER USER " + identifier(p.Clone) + " "
	add := func(statement, says string) { all = append(all, edit{statement, says}) }
	b, c := st.base, st.clone
	for _, g := range b.groups {
		if !slices.Contains(c.groups, g) {
			add("ALTER GROUP "+identifier(g)+" ADD USER "+identifier(p.Clone), fmt.Sprintf("put it into the group %q", g))
		}
	}
	for _, g := range c.groups {
		if !slices.Contains(b.groups, g) {
			add("ALTER GROUP "+identifier(g)+" DROP USER "+identifier(p.Clone), fmt.Sprintf("took it out of the group %q", g))
		}
	}
	if b.createDB != c.createDB {
		option := map[bool]string{true: "CREATEDB", false: "NOCREATEDB"}[b.createDB]
		add(alter+option, "set its option "+option)
	}
	if b.limit != c.limit {
		add(alter+"CONNECTION LIMIT "+b.limit, "set its CONNECTION LIMIT "+b.limit)
	}
	if b.syslog != c.syslog {
		add(alter+"SYSLOG ACCESS "+b.syslog, "set its SYSLOG ACCESS "+b.syslog)
	}
	switch {
	case b.timeout == c.timeout:
	case b.timeout == "0":
		add(alter+"RESET SESSION TIMEOUT", "reset its SESSION TIMEOUT")
	default:
		add(alter+"SESSION TIMEOUT "+b.timeout, "set its SESSION TIMEOUT "+b.timeout)
	}
	settings, err := settingEdits(alter, b.settings, c.settings)
	return append(all, settings...), err
}

// databaseStatements make the two alike in one database.
func (st pairState) databaseStatements(p dbuser.Pair) []string {
	base, clone := st.base.grants, st.clone.grants
	var shared, needed []grant // what the clone gets of the base's objects, and the base of the clone's
	for _, o := range st.owned {
		same := func(g grant) bool { return g.kind == o.grant.kind && g.object == o.grant.object }
		if o.owner == p.Base {
			shared = append(shared, o.grant)
			base = slices.DeleteFunc(slices.Clone(base), same)
			continue
		}
		clone = slices.DeleteFunc(slices.Clone(clone), same)
		if !slices.Contains(base, o.grant) {
			needed = append(needed, o.grant)
		}
	}
	// On the clone's objects the base is granted things, and not the other way.
	for _, o := range st.owned {
		if o.owner == p.Clone {
			base = slices.DeleteFunc(slices.Clone(base), func(g grant) bool { return g.kind == o.grant.kind && g.object == o.grant.object })
		}
	}
	return append(statements(p.Clone, sorted(append(slices.Clone(base), shared...)), sorted(slices.Clone(clone))),
		statements(p.Base, sorted(needed), nil)...)
}
