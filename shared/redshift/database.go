package redshift

import (
	"context"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/dbuser"
)

// readDatabase reads what the two users of a pair have in one database, into
// users of its own.
func readDatabase(ctx context.Context, r runner, p dbuser.Pair) (pairState, error) {
	here := pairState{base: &user{name: p.Base}, clone: &user{name: p.Clone}}
	both := names(p.Base, p.Clone)
	all := append([]string{proceduresQuery, strings.ReplaceAll(defaultsQuery, "$both", both)}, queries(databaseViews, both)...)
	views := len(all)
	all = append(all, functionsQuery+both)
	for _, o := range owners {
		all = append(all, o.query+both)
	}
	tables, err := r.read(ctx, all)
	if err != nil {
		return here, err
	}
	procedures := map[string]bool{}
	for _, row := range tables[0] {
		procedures[routine(row[0], row[1], row[2])] = true
	}
	if err := here.addGrants(append(slices.Clone(databaseViews), functionView(procedures)), tables[2:views+1]); err != nil {
		return here, err
	}
	here.addOwned(tables[views+1:], procedures)
	return here, here.addDefaults(tables[1])
}

// proceduresQuery tells which of the functions are procedures: the view of
// privileges does not.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_PG_PROC_INFO.html
const proceduresQuery = "SELECT n.nspname, p.proname, oidvectortypes(p.proargtypes) FROM pg_proc_info p, pg_namespace n WHERE n.oid = p.pronamespace AND p.prokind = 'p'"

// routine names a function as GRANT does. The types of its arguments are the
// server's own words.
func routine(schema, name, arguments string) string {
	return identifier(schema) + "." + identifier(name) + "(" + arguments + ")"
}

func routineKind(procedures map[string]bool, name string) string {
	if procedures[name] {
		return " ON PROCEDURE "
	}
	return " ON FUNCTION "
}

// functionsQuery tells of functions and procedures.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_FUNCTION_PRIVILEGES.html
const functionsQuery = "SELECT identity_name, namespace_name, function_name, argument_types, privilege_type, admin_option FROM svv_function_privileges WHERE identity_type = 'user' AND identity_name IN "

func functionView(procedures map[string]bool) view {
	return view{functionsQuery, func(row []string) (grant, bool) {
		name := routine(row[1], row[2], row[3])
		return grant{privilege: row[4], kind: routineKind(procedures, name), object: name, option: isTrue(row[5]), to: self}, !internalSchema(row[1])
	}}
}

// defaultsQuery tells of the default privileges that others give to the two, and
// of those that the two give to others on what they will create.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_DEFAULT_PRIVILEGES.html
const defaultsQuery = "SELECT owner_name, schema_name, object_type, privilege_type, grantee_name, grantee_type, admin_option FROM svv_default_privileges" +
	" WHERE (grantee_type = 'user' AND grantee_name IN $both) OR (owner_type = 'user' AND owner_name IN $both)"

func (st *pairState) addDefaults(rows [][]string) error {
	for _, row := range rows {
		owner, grantee := st.user(row[0]), st.user(row[4])
		if row[5] != "user" {
			grantee = nil
		}
		if owner != nil && grantee != nil {
			continue // between the two, or to itself: see addOwned
		}
		g := grant{privilege: row[3], kind: map[string]string{"RELATION": " ON TABLES", "FUNCTION": " ON FUNCTIONS", "PROCEDURE": " ON PROCEDURES"}[row[2]], option: isTrue(row[6])}
		if g.kind == "" || g.privilege == "RULE" || g.privilege == "TRIGGER" {
			continue
		}
		u, of, to := owner, self, grantees(row[5], row[4])
		if u == nil {
			u, of, to = grantee, identifier(row[0]), self
		}
		g.to, g.before = to, "ALTER DEFAULT PRIVILEGES FOR USER "+of+" "
		if row[1] != "" {
			g.before += "IN SCHEMA " + identifier(row[1]) + " "
		}
		if err := g.check(); err != nil {
			return err
		}
		u.grants = append(u.grants, g)
	}
	return nil
}

func grantees(kind, name string) string {
	switch kind {
	case "group", "role":
		return strings.ToUpper(kind) + " " + identifier(name)
	case "public":
		return "PUBLIC"
	}
	return identifier(name)
}

// owners are queries for what a user owns, and what the other of the pair gets on
// it: an owner's rights stand in no list.
//
// https://docs.aws.amazon.com/redshift/latest/dg/c_join_PG.html
var owners = []struct {
	query      string
	privileges []string
}{
	{
		"SELECT u.usename, n.nspname, c.relname FROM pg_class c, pg_namespace n, pg_user u WHERE n.oid = c.relnamespace AND u.usesysid = c.relowner AND c.relkind IN ('r', 'v') AND u.usename IN ",
		[]string{"SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES", "DROP", "ALTER", "TRUNCATE"},
	},
	{"SELECT u.usename, n.nspname FROM pg_namespace n, pg_user u WHERE u.usesysid = n.nspowner AND u.usename IN ", []string{"CREATE", "USAGE"}},
	{
		"SELECT u.usename, n.nspname, p.proname, oidvectortypes(p.proargtypes) FROM pg_proc_info p, pg_namespace n, pg_user u WHERE n.oid = p.pronamespace AND u.usesysid = p.proowner AND u.usename IN ",
		[]string{"EXECUTE"},
	},
}

// addOwned notes what each of the two needs on what the other owns.
func (st *pairState) addOwned(tables [][][]string, procedures map[string]bool) {
	for i, o := range owners {
		for _, row := range tables[i] {
			if internalSchema(row[1]) {
				continue
			}
			kind, object := " ON SCHEMA ", identifier(row[1])
			switch len(row) {
			case 3:
				kind, object = " ON TABLE ", object+"."+identifier(row[2])
			case 4:
				object = routine(row[1], row[2], row[3])
				kind = routineKind(procedures, object)
			}
			for _, p := range o.privileges {
				st.owned = append(st.owned, owned{row[0], grant{privilege: p, kind: kind, object: object, to: self}})
			}
		}
	}
}

// owned is what one of the two owns and the other is to have.
type owned struct {
	owner string
	grant grant
}
