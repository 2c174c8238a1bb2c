package mysql

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// grant is one thing that an account holds. Two accounts are equal in what they
// may do when their sets of these are.
type grant struct {
	kind   grantKind
	what   string // the privilege, or the role as SQL
	column string // of a privilege on one column
	on     object
}

type grantKind int

const (
	privilege grantKind = iota
	// restriction is a partial revoke: what a global privilege does not reach.
	restriction
	roleGrant
	// roleAdmin is the ADMIN OPTION of a role.
	roleAdmin
	defaultRole
	proxyGrant
)

const (
	everything      = "ALL PRIVILEGES"
	grantOption     = "GRANT OPTION"
	withGrantOption = " WITH GRANT OPTION"
)

// object is what a privilege is on. The zero object is *.*.
type object struct {
	kind         string // "", or of routines PROCEDURE, FUNCTION, PACKAGE, …
	schema, name string
}

func (o object) String() string {
	schema, name := "*", "*"
	if o.schema != "" {
		schema = identifier(o.schema)
	}
	if o.name != "" {
		name = identifier(o.name)
	}
	if o.kind != "" {
		schema = o.kind + " " + schema
	}
	return schema + "." + name
}

// identifier quotes a name, for sessions without ANSI_QUOTES as with it.
func identifier(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// dynamic privileges are those that MySQL's components define. Their names are
// one word with underscores; static ones have spaces instead, and MariaDB's
// "READ_ONLY ADMIN" has both.
//
// https://dev.mysql.com/doc/refman/8.4/en/privileges-provided.html#privileges-provided-summary
func (g grant) dynamic() bool {
	what := strings.TrimSuffix(g.what, withGrantOption)
	return g.kind == privilege && g.on == object{} && strings.Contains(what, "_") && !strings.Contains(what, " ")
}

// String tells a person.
func (g grant) String() string {
	switch g.kind {
	case restriction:
		return "the restriction of " + g.what + " on " + g.on.String()
	case roleGrant:
		return "role " + g.what
	case roleAdmin:
		return "ADMIN OPTION of role " + g.what
	case defaultRole:
		return "default role " + g.what
	case proxyGrant:
		return "PROXY on " + g.what
	case privilege:
	}
	return g.term() + " on " + g.on.String()
}

func (g grant) term() string {
	if g.column != "" {
		return g.what + " (" + identifier(g.column) + ")"
	}
	return g.what
}

// grantSet is all that an account holds.
type grantSet map[grant]bool

// without are the grants of a that b lacks, in a stable order.
func (a grantSet) without(b grantSet) []grant {
	var rest []grant
	for _, g := range a.sorted() {
		if !b[g] {
			rest = append(rest, g)
		}
	}
	return rest
}

func (a grantSet) sorted() []grant {
	return slices.SortedFunc(maps.Keys(a), func(x, y grant) int {
		return cmp.Or(cmp.Compare(x.kind, y.kind), cmp.Compare(x.on.schema, y.on.schema), cmp.Compare(x.on.kind, y.on.kind),
			cmp.Compare(x.on.name, y.on.name), cmp.Compare(x.what, y.what), cmp.Compare(x.column, y.column))
	})
}

// some are the grants of one kind.
func (a grantSet) some(kind grantKind) []grant {
	return slices.DeleteFunc(a.sorted(), func(g grant) bool { return g.kind != kind })
}

func list(grants []grant) string {
	text := make([]string, len(grants))
	for i, g := range grants {
		text[i] = g.String()
	}
	return clipped(text, ", ")
}

// clipped joins what goes into an error, which is one line of a log.
func clipped(text []string, separator string) string {
	const most = 12
	if len(text) > most {
		text = append(slices.Clone(text[:most]), "…")
	}
	return strings.Join(text, separator)
}

// group is what one statement can grant or revoke.
type group []grant

// grouped splits sorted grants by statement: what is static and on one object
// goes together; each other grant alone. Default roles are not in it: they are
// set together, see setDefaultRoles.
func grouped(grants []grant) []group {
	var groups []group
	for _, g := range grants {
		if g.kind == defaultRole {
			continue
		}
		if n := len(groups) - 1; n >= 0 && g.together(groups[n][0]) {
			groups[n] = append(groups[n], g)
			continue
		}
		groups = append(groups, group{g})
	}
	return groups
}

func (g grant) together(h grant) bool {
	return g.kind == h.kind && (g.kind == privilege || g.kind == restriction) && g.on == h.on && !g.dynamic() && !h.dynamic()
}

// grantTo is the statement that gives the group to an account.
func (p group) grantTo(account string) string {
	switch p[0].kind {
	case restriction:
		return "REVOKE " + p.terms() + " ON " + p[0].on.String() + " FROM " + account
	case roleGrant:
		return "GRANT " + p[0].what + " TO " + account
	case roleAdmin:
		return "GRANT " + p[0].what + " TO " + account + " WITH ADMIN OPTION"
	case privilege, defaultRole, proxyGrant:
	}
	statement := "GRANT " + p.terms() + " ON " + p[0].on.String() + " TO " + account
	if slices.ContainsFunc(p, grant.isOption) {
		statement += withGrantOption
	}
	return statement
}

// revokeFrom is the statement that takes the group away. MySQL has none for
// ADMIN OPTION alone, nor for the grant option of a dynamic privilege: there all
// of it goes, and comes back without the option in the next pass. The grants
// here are not revoked from a user that is in use.
func (p group) revokeFrom(account string, mariadb bool) string {
	g := p[0]
	switch {
	case g.kind == restriction:
		return "GRANT " + p.terms() + " ON " + g.on.String() + " TO " + account
	case g.kind == roleAdmin && mariadb:
		return "REVOKE ADMIN OPTION FOR " + g.what + " FROM " + account
	case g.kind == roleGrant || g.kind == roleAdmin:
		return "REVOKE " + g.what + " FROM " + account
	case g.dynamic():
		return "REVOKE " + strings.TrimSuffix(g.what, withGrantOption) + " ON *.* FROM " + account
	}
	terms := p.terms()
	if slices.ContainsFunc(p, grant.isOption) {
		terms = strings.TrimPrefix(terms+", "+grantOption, "USAGE, ")
	}
	return "REVOKE " + terms + " ON " + g.on.String() + " FROM " + account
}

func (g grant) isOption() bool {
	return g.kind == privilege && (g.what == grantOption || strings.HasSuffix(g.what, withGrantOption))
}

// terms are the privileges of a group, columns of one together; USAGE if there
// is none but the grant option.
func (p group) terms() string {
	var names []string
	columns := map[string][]string{}
	for _, g := range p {
		if g.what == grantOption {
			continue
		}
		name := strings.TrimSuffix(g.what, withGrantOption)
		if g.column == "" {
			names = append(names, name)
			continue
		}
		columns[name] = append(columns[name], identifier(g.column))
	}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		names = append(names, name+" ("+strings.Join(columns[name], ", ")+")")
	}
	if len(names) == 0 {
		return "USAGE"
	}
	return strings.Join(names, ", ")
}
