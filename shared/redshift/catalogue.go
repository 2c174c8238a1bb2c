package redshift

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// What the system views tell of a pair. Each query reads one view: views of the
// leader node do not join with others, and the Data API takes one statement.

// user is what the catalogue says of one user.
type user struct {
	name       string
	id         string
	superuser  bool
	createDB   bool
	validUntil string
	settings   []string // name=value
	limit      string   // of connections
	syslog     string
	timeout    string // of sessions, in seconds; "0": the cluster's
	groups     []string
	grants     []grant
}

// pairState is the whole cluster's.
type pairState struct {
	admin     user
	base      *user // nil: there is none
	clone     *user
	databases []string
	marked    bool     // the clone is in the group that marks it
	groups    []string // all that there are
	owned     []owned  // in one database
}

// mark is the group that a clone of ours is in, from the moment it is made. Only
// a superuser puts users into groups.
func mark(base string) string { return "rekey:" + base }

// names are the two users, for a WHERE.
func names(base, clone string) string { return "(" + text(base) + ", " + text(clone) + ")" }

// Queries for what every user may see of the two, and of itself.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_Users-creatingaltering-and-deleting-users.html (pg_user)
// https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_GROUP.html (pg_group)
const (
	usersQuery  = "SELECT usename, usesysid, usesuper, usecreatedb, valuntil, useconfig, usename = current_user FROM pg_user WHERE usename = current_user OR usename IN "
	groupsQuery = "SELECT groname, grolist FROM pg_group"
)

// readUsers reads what every user may see of the two, and of itself.
func readUsers(ctx context.Context, r runner, base, clone string) (st pairState, err error) {
	tables, err := r.read(ctx, []string{usersQuery + names(base, clone), groupsQuery})
	if err != nil {
		return st, err
	}
	return st, st.users(tables[0], tables[1], base, clone)
}

func (st *pairState) users(users, groups [][]string, base, clone string) (err error) {
	for _, row := range users {
		u := user{name: row[0], id: row[1], superuser: isTrue(row[2]), createDB: isTrue(row[3]), validUntil: never(row[4])}
		if u.settings, err = array(row[5]); err != nil {
			return err
		}
		if isTrue(row[6]) {
			st.admin = u
		}
		switch u.name {
		case base:
			st.base = &u
		case clone:
			st.clone = &u
		}
	}
	return st.memberships(groups, base)
}

// readPair reads what is the same in all databases.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_USER_INFO.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_REDSHIFT_DATABASES.html
func readPair(ctx context.Context, r runner, base, clone string) (st pairState, err error) {
	both := names(base, clone)
	tables, err := r.read(ctx, append([]string{
		usersQuery + both, groupsQuery,
		"SELECT user_name, connection_limit, syslog_access, session_timeout FROM svv_user_info WHERE user_name IN " + both,
		"SELECT database_name FROM svv_redshift_databases WHERE database_type = 'local'",
	}, queries(clusterViews, both)...))
	if err != nil {
		return st, err
	}
	if err := st.users(tables[0], tables[1], base, clone); err != nil {
		return st, err
	}
	for _, row := range tables[2] {
		if u := st.user(row[0]); u != nil {
			u.limit, u.syslog, u.timeout = unlimited(row[1]), row[2], zero(row[3])
		}
	}
	for _, row := range tables[3] {
		st.databases = append(st.databases, row[0])
	}
	slices.Sort(st.databases)
	return st, st.addGrants(clusterViews, tables[4:])
}

// user is the one of the pair with a name, or nil.
func (st *pairState) user(name string) *user {
	for _, u := range []*user{st.base, st.clone} {
		if u != nil && u.name == name {
			return u
		}
	}
	return nil
}

// memberships are the groups that the two are in.
func (st *pairState) memberships(groups [][]string, base string) error {
	for _, row := range groups {
		members, err := array(row[1])
		if err != nil {
			return err
		}
		st.groups = append(st.groups, row[0])
		for _, u := range []*user{st.base, st.clone} {
			switch {
			case u == nil || !slices.Contains(members, u.id):
			case row[0] == mark(base):
				st.marked = st.marked || u == st.clone
			default:
				u.groups = append(u.groups, row[0])
			}
		}
	}
	return nil
}

// view is one that tells of grants: a query without its WHERE, whose first column
// is who has the grant, and what a row of it means. ok is false for what cannot
// be granted by a statement, and need not.
type view struct {
	query string // ends where the names go: "… identity_name IN "
	read  func(row []string) (g grant, ok bool)
}

// clusterViews tell of what is the same in all databases.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_USER_GRANTS.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_SYSTEM_PRIVILEGES.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_DATABASE_PRIVILEGES.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_DATASHARE_PRIVILEGES.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_IAM_PRIVILEGES.html
var clusterViews = []view{
	{"SELECT user_name, role_name, admin_option FROM svv_user_grants WHERE user_name IN ", func(row []string) (grant, bool) {
		return grant{privilege: "ROLE " + identifier(row[1]), option: isTrue(row[2]), to: self}, true
	}},
	{"SELECT identity_name, system_privilege FROM svv_system_privileges WHERE identity_type = 'user' AND identity_name IN ", func(row []string) (grant, bool) {
		return grant{privilege: row[1], to: self}, true
	}},
	{"SELECT identity_name, database_name, privilege_type, privilege_scope, admin_option FROM svv_database_privileges WHERE identity_type = 'user' AND identity_name IN ", func(row []string) (grant, bool) {
		return grant{privilege: row[2], kind: scope("DATABASE", row[3]), object: identifier(row[1]), option: isTrue(row[4]), to: self}, true
	}},
	{"SELECT identity_name, datashare_name, privilege_type, admin_option FROM svv_datashare_privileges WHERE identity_type = 'user' AND identity_name IN ", func(row []string) (grant, bool) {
		return grant{privilege: row[2], kind: " ON DATASHARE ", object: identifier(row[1]), option: isTrue(row[3]), to: self}, true
	}},
	{"SELECT identity_name, iam_arn, command_type FROM svv_iam_privileges WHERE identity_type = 'user' AND identity_name IN ", func(row []string) (grant, bool) {
		return grant{privilege: "ASSUMEROLE", kind: " ON ", object: roleOfIAM(row[1]), after: " FOR " + row[2], to: self}, true
	}},
}

// databaseViews tell of what is in one database.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_SCHEMA_PRIVILEGES.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_RELATION_PRIVILEGES.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMN_PRIVILEGES.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_LANGUAGE_PRIVILEGES.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_ML_MODEL_PRIVILEGES.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_RLS_ATTACHED_POLICY.html
var databaseViews = []view{
	{"SELECT identity_name, namespace_name, privilege_type, privilege_scope, admin_option FROM svv_schema_privileges WHERE identity_type = 'user' AND identity_name IN ", func(row []string) (grant, bool) {
		return grant{privilege: row[2], kind: scope("SCHEMA", row[3]), object: identifier(row[1]), option: isTrue(row[4]), to: self}, !internalSchema(row[1])
	}},
	{"SELECT identity_name, namespace_name, relation_name, privilege_type, admin_option FROM svv_relation_privileges WHERE identity_type = 'user' AND identity_name IN ", func(row []string) (grant, bool) {
		return grant{privilege: row[3], kind: " ON TABLE ", object: identifier(row[1]) + "." + identifier(row[2]), option: isTrue(row[4]), to: self}, !internalSchema(row[1])
	}},
	{"SELECT identity_name, namespace_name, relation_name, column_name, privilege_type FROM svv_column_privileges WHERE identity_type = 'user' AND identity_name IN ", func(row []string) (grant, bool) {
		return grant{privilege: row[4] + " (" + identifier(row[3]) + ")", kind: " ON TABLE ", object: identifier(row[1]) + "." + identifier(row[2]), to: self}, !internalSchema(row[1])
	}},
	{"SELECT identity_name, language_name, privilege_type, admin_option FROM svv_language_privileges WHERE identity_type = 'user' AND identity_name IN ", func(row []string) (grant, bool) {
		return grant{privilege: row[2], kind: " ON LANGUAGE ", object: identifier(row[1]), option: isTrue(row[3]), to: self}, true
	}},
	{"SELECT identity_name, namespace_name, model_name, privilege_type, admin_option FROM svv_ml_model_privileges WHERE identity_type = 'user' AND identity_name IN ", func(row []string) (grant, bool) {
		return grant{privilege: row[3], kind: " ON MODEL ", object: identifier(row[1]) + "." + identifier(row[2]), option: isTrue(row[4]), to: self}, true
	}},
	{"SELECT grantee, polname, relschema, relname FROM svv_rls_attached_policy WHERE granteekind = 'user' AND grantee IN ", func(row []string) (grant, bool) {
		return grant{attach: identifier(row[1]) + " ON TABLE " + identifier(row[2]) + "." + identifier(row[3]), to: self}, true
	}},
}

// queries of views, about users.
func queries(views []view, both string) (all []string) {
	for _, v := range views {
		all = append(all, v.query+both)
	}
	return all
}

// addGrants adds what views tell to the two users.
func (st *pairState) addGrants(views []view, tables [][][]string) error {
	for i, v := range views {
		for _, row := range tables[i] {
			u := st.user(row[0])
			g, ok := v.read(row)
			if u == nil || !ok || g.privilege == "RULE" || g.privilege == "TRIGGER" { // not Redshift's to grant
				continue
			}
			if err := g.check(); err != nil {
				return err
			}
			u.grants = append(u.grants, g)
		}
	}
	return nil
}

var keywords = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z]+( [A-Z]+)*$`) })

// check refuses what a view tells and no statement is known for.
func (g grant) check() error {
	bare, _, _ := strings.Cut(g.privilege, ` "`)
	bare, _, _ = strings.Cut(bare, " (")
	if g.attach == "" && (!keywords().MatchString(bare) || g.after != "" && !keywords().MatchString(strings.TrimSpace(g.after)) || !keywords().MatchString(strings.TrimSpace(g.kind)) && g.kind != "") {
		return rotation.WithHint(fmt.Errorf("reading the grants of the pair: the privilege %q is not one that is known here: %w", clip(g.privilege+g.kind), rotation.ErrConfig),
			"Give it to a group or role that the user is in, and take it from the user; or rotate with \"strategy\": \"single\".")
	}
	return nil
}

// scope is where a privilege of a database or schema holds: on it, or for all
// that is in it.
//
// https://docs.aws.amazon.com/redshift/latest/dg/t_scoped-permissions.html
func scope(of, scope string) string {
	if scope = strings.ToUpper(scope); scope == "" || scope == of {
		return " ON " + of + " "
	}
	return " FOR " + scope + " IN " + of + " "
}

// roleOfIAM is an ARN, or one of two words.
func roleOfIAM(arn string) string {
	switch strings.ToLower(arn) {
	case "default":
		return "default"
	case "all":
		return "ALL"
	}
	return "'" + strings.NewReplacer("'", "''", `\`, "").Replace(arn) + "'"
}

// internalSchema tells the schemas that are the system's.
func internalSchema(name string) bool {
	return strings.HasPrefix(name, "pg_") || name == "information_schema"
}

func isTrue(s string) bool { return s == "true" || s == "t" || s == "True" }

// array takes a text array apart.
func array(s string) (elements []string, err error) {
	if s == "" {
		return nil, nil
	}
	if err := (*pq.StringArray)(&elements).Scan(s); err != nil {
		return nil, fmt.Errorf("reading the catalogue: a list is not one: %w", rotation.ErrVendor)
	}
	return elements, nil
}

// never, unlimited and zero give what stands for no limit one form.
func never(s string) string {
	if s == "infinity" {
		return ""
	}
	return s
}

func unlimited(s string) string {
	if s == "" || s == "-1" || strings.EqualFold(s, "unlimited") {
		return "UNLIMITED"
	}
	return s
}

func zero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// clip keeps a hostile value from filling the log.
func clip(s string) string {
	if len(s) > 253 {
		s = s[:253] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
