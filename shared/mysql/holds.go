package mysql

import (
	"slices"
	"strings"
)

// ordinary are the privileges that GRANT ALL gives on databases, and on tables,
// in every version of both servers. A later version may have more: what needs
// the list to be whole reads back and compares.
//
// https://dev.mysql.com/doc/refman/8.4/en/grant.html#grant-privileges
var (
	ordinaryOnTables = []string{
		"INSERT", "SELECT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER",
		"CREATE VIEW", "SHOW VIEW", "TRIGGER",
	}
	ordinary = append(slices.Clone(ordinaryOnTables), "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE",
		"CREATE ROUTINE", "ALTER ROUTINE", "EVENT")
)

func (o object) ordinary() []string {
	if o.name != "" {
		return ordinaryOnTables
	}
	return ordinary
}

// above are the objects on which a privilege reaches o too, o included.
func (o object) above() []object {
	all := []object{{}}
	if o.schema != "" {
		all = append(all, object{schema: o.schema})
	}
	if o.name != "" {
		all = append(all, o)
	}
	return all
}

// reaches tells whether a grant on o is one on all of other. Databases are
// granted as patterns, see like.
func (o object) reaches(other object) bool {
	for _, above := range other.above() {
		if o == above || o.name == "" && above.name == "" && o.schema != "" && like(o.schema, above.schema) {
			return true
		}
	}
	return false
}

// like matches a database's name as GRANT does: % any text, _ any character, a
// backslash before one that is meant.
//
// https://dev.mysql.com/doc/refman/8.4/en/grant.html#grant-quoting
func like(pattern, name string) bool {
	for pattern != "" {
		switch {
		case pattern[0] == '%':
			for i := 0; i <= len(name); i++ {
				if like(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		case name == "":
			return false
		case pattern[0] == '\\' && len(pattern) > 1:
			pattern = pattern[1:]
			if pattern[0] != name[0] {
				return false
			}
		case pattern[0] != '_' && pattern[0] != name[0]:
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return name == ""
}

// holds tells whether an account with these grants may do what g allows, be it
// by a wider grant. Restrictions take away and so are always held.
func (a grantSet) holds(g grant) bool {
	if a[g] || g.kind == restriction {
		return true
	}
	if g.kind != privilege {
		return false
	}
	for h := range a {
		if h.kind == privilege && h.on.reaches(g.on) &&
			(h.what == g.what && (h.column == "" || h.column == g.column) ||
				h.what == everything && !g.isOption() && !g.dynamic()) {
			return true
		}
	}
	if g.what != everything {
		return false
	}
	return !slices.ContainsFunc(g.on.ordinary(), func(what string) bool {
		return !a.holds(grant{what: what, on: g.on})
	})
}

// mayGrant tells whether an administrator with these grants may grant g. It errs
// on the side of yes: a partial revoke of the administrator's own, say, is not
// looked at. The server then refuses, and the account stays locked.
//
// https://dev.mysql.com/doc/refman/8.4/en/grant.html
// https://mariadb.com/kb/en/grant/
func (a grantSet) mayGrant(g grant, mariadb bool) bool {
	global := func(what string) bool { return a.holds(grant{what: what}) }
	switch g.kind {
	case roleGrant, roleAdmin:
		return a[grant{kind: roleAdmin, what: g.what}] || !mariadb && (global("ROLE_ADMIN") || global("SUPER"))
	case defaultRole: // MySQL asks for CREATE USER, which is checked for all
		return !mariadb || a.holds(grant{what: "UPDATE", on: object{schema: "mysql"}})
	case restriction:
		return true // follows from the global privilege that it restricts
	case proxyGrant:
		return false
	case privilege:
	}
	if g.dynamic() {
		return global(strings.TrimSuffix(g.what, withGrantOption) + withGrantOption)
	}
	return a.holds(g) && a.holds(grant{what: grantOption, on: g.on})
}

// allow is the statement that lets an administrator grant the group.
func (p group) allow(admin string, mariadb bool) string {
	switch role := p[0].kind == roleGrant || p[0].kind == roleAdmin; {
	case role && !mariadb:
		return "GRANT ROLE_ADMIN ON *.* TO " + admin
	case role:
		return "GRANT " + p[0].what + " TO " + admin + " WITH ADMIN OPTION"
	case p[0].kind == defaultRole:
		return "GRANT UPDATE ON mysql.* TO " + admin
	}
	return append(slices.Clone(p), grant{what: grantOption}).grantTo(admin)
}
