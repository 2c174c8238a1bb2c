package redshift

import (
	"cmp"
	"slices"
	"strings"
)

// self stands for the user that a grant is of, so that the grants of two users
// can be compared. No name has it.
const self = "\x00"

// grant is one privilege that a user has by itself: not through a group, a role
// or everyone.
type grant struct {
	privilege string // "SELECT", `ROLE "reporting"`
	kind      string // " ON TABLE ", or "" where the privilege is of no object
	object    string // "schema"."table", quoted
	before    string // "ALTER DEFAULT PRIVILEGES FOR USER … "
	to        string // who has it; self but for default privileges
	after     string // " FOR COPY"
	option    bool   // the user may grant it on
	// attach, in place of all that: a policy, and the table behind it.
	attach string
}

// lists are the kinds of which one statement takes many objects.
var lists = []string{" ON TABLE ", " ON SCHEMA ", " ON DATABASE ", " ON FUNCTION ", " ON PROCEDURE ", " ON LANGUAGE ", " ON MODEL "}

// most objects of one statement: far below the 100 KB that the Data API takes.
const most = 100

// statements give user what is in want and not in have, and take what is in have
// and not in want. Each may run twice.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_REVOKE.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_DEFAULT_PRIVILEGES.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_ATTACH_RLS_POLICY.html
func statements(user string, want, have []grant) []string {
	give, lessen, take := differences(want, have)
	all := render(user, take, func(g grant, privileges, objects string) string {
		if g.attach != "" {
			return "DETACH RLS POLICY " + g.attach + " FROM " + self
		}
		return g.before + "REVOKE " + privileges + g.kind + objects + " FROM " + g.to + g.after
	})
	all = append(all, render(user, lessen, func(g grant, privileges, objects string) string {
		option := "GRANT OPTION FOR "
		if isRole(g) {
			option = "ADMIN OPTION FOR "
		}
		return g.before + "REVOKE " + option + privileges + g.kind + objects + " FROM " + g.to + g.after
	})...)
	return append(all, render(user, give, func(g grant, privileges, objects string) string {
		s := g.before + "GRANT " + privileges + g.kind + objects + " TO " + g.to + g.after
		switch {
		case g.attach != "":
			return "ATTACH RLS POLICY " + g.attach + " TO " + self
		case g.option && isRole(g):
			s += " WITH ADMIN OPTION"
		case g.option:
			s += " WITH GRANT OPTION"
		}
		return s
	})...)
}

// differences are what is to be given, whose option is to be taken, and what is to
// be taken, in the reverse order of when.
func differences(want, have []grant) (give, lessen, take []grant) {
	for _, g := range have {
		other := g
		other.option = !g.option
		switch {
		case slices.Contains(want, g):
		case !slices.Contains(want, other):
			take = append(take, g)
		case g.option:
			lessen = append(lessen, g)
		}
	}
	for _, g := range want {
		other := g
		other.option = true
		// Taken from a table, a privilege is taken from its columns too.
		lost := slices.ContainsFunc(take, func(t grant) bool {
			return t.object == g.object && t.kind == g.kind && strings.HasPrefix(g.privilege, t.privilege+" (")
		})
		if lost || !slices.Contains(have, g) && !slices.Contains(have, other) {
			give = append(give, g)
		}
	}
	return give, lessen, take
}

func isRole(g grant) bool { return g.kind == "" && strings.HasPrefix(g.privilege, "ROLE ") }

// render makes few statements of many grants: first the privileges on one object
// become one, then the objects with the same privileges.
func render(user string, grants []grant, say func(g grant, privileges, objects string) string) (all []string) {
	type group struct {
		first   grant
		objects []string
	}
	var byObject []grant
	for _, g := range grants {
		same := func(o grant) bool {
			return o.kind == g.kind && o.object == g.object && o.before == g.before && o.to == g.to && o.after == g.after && o.option == g.option && o.attach == "" && g.attach == "" &&
				(g.kind != "" || isRole(o) && isRole(g)) // system privileges have statements of their own
		}
		i := slices.IndexFunc(byObject, same)
		if i < 0 {
			byObject = append(byObject, g)
			continue
		}
		byObject[i].privilege += ", " + g.privilege
	}
	var groups []group
	for _, g := range byObject {
		same := func(o group) bool {
			f := o.first
			return f.kind == g.kind && f.privilege == g.privilege && f.before == g.before && f.to == g.to && f.after == g.after && f.option == g.option && len(o.objects) < most
		}
		i := slices.IndexFunc(groups, same)
		if i < 0 || !slices.Contains(lists, g.kind) {
			groups = append(groups, group{g, []string{g.object}})
			continue
		}
		groups[i].objects = append(groups[i].objects, g.object)
	}
	for _, g := range groups {
		statement := say(g.first, g.first.privilege, strings.Join(g.objects, ", "))
		all = append(all, strings.ReplaceAll(statement, self, identifier(user)))
	}
	return all
}

func sorted(grants []grant) []grant {
	slices.SortFunc(grants, func(a, b grant) int {
		return cmp.Or(cmp.Compare(a.before, b.before), cmp.Compare(a.kind, b.kind), cmp.Compare(a.object, b.object), cmp.Compare(a.to, b.to), cmp.Compare(a.privilege, b.privilege))
	})
	return slices.Compact(grants)
}
