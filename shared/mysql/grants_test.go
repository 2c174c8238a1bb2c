package mysql

import (
	"maps"
	"reflect"
	"strings"
	"testing"
)

func setOf(t *testing.T, rows ...string) grantSet {
	t.Helper()
	set := grantSet{}
	for _, row := range rows {
		grants, err := parseGrants(row)
		if err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		for _, g := range grants {
			set[g] = true
		}
	}
	return set
}

// Rows as MySQL 9.7 and MariaDB 10.11 answer them.
var rows = []struct {
	row  string
	want string // as list tells it; "" for an unknown form
}{
	{"GRANT USAGE ON *.* TO `a`@`%`", "nothing"},
	{"GRANT SELECT, PROCESS ON *.* TO `o'dd ``x`` TO y`@`%`", "PROCESS on *.*, SELECT on *.*"},
	{"GRANT BACKUP_ADMIN,ROLE_ADMIN ON *.* TO `a`@`%` WITH GRANT OPTION", "BACKUP_ADMIN on *.*, BACKUP_ADMIN WITH GRANT OPTION on *.*, ROLE_ADMIN on *.*, ROLE_ADMIN WITH GRANT OPTION on *.*"},
	{"GRANT SELECT ON `d\\_1`.* TO `a`@`%` WITH GRANT OPTION", "GRANT OPTION on `d\\_1`.*, SELECT on `d\\_1`.*"},
	{"GRANT USAGE ON `d`.* TO `a`@`%` WITH GRANT OPTION", "GRANT OPTION on `d`.*"},
	{"REVOKE SELECT ON `mysql`.* FROM `a`@`%`", "the restriction of SELECT on `mysql`.*"},
	{"GRANT SELECT (`a`, `c,d)`), INSERT (`b`), UPDATE ON `d1`.`t1` TO `a`@`%`", "INSERT (`b`) on `d1`.`t1`, SELECT (`a`) on `d1`.`t1`, SELECT (`c,d)`) on `d1`.`t1`, UPDATE on `d1`.`t1`"},
	{"GRANT SELECT ON `d1`.`x TO y ON z` TO `a`@`%`", "SELECT on `d1`.`x TO y ON z`"},
	{"GRANT EXECUTE, ALTER ROUTINE ON PROCEDURE `d1`.`p1` TO `a`@`%` WITH GRANT OPTION", "ALTER ROUTINE on PROCEDURE `d1`.`p1`, EXECUTE on PROCEDURE `d1`.`p1`, GRANT OPTION on PROCEDURE `d1`.`p1`"},
	{"GRANT EXECUTE ON PACKAGE BODY `d1`.`p1` TO `a`@`%`", "EXECUTE on PACKAGE BODY `d1`.`p1`"},
	{"GRANT `r 2`@`%`,`r1`@`%` TO `a`@`%`", "role `r 2`@`%`, role `r1`@`%`"},
	{"GRANT `r1`@`%` TO `a`@`%` WITH ADMIN OPTION", "role `r1`@`%`, ADMIN OPTION of role `r1`@`%`"},
	{"GRANT `WITH ADMIN OPTION`@`%` TO `WITH ADMIN OPTION`@`%`", "role `WITH ADMIN OPTION`@`%`"},
	{"GRANT `r1` TO `a`@`%`", "role `r1`"},
	{"SET DEFAULT ROLE `r1` FOR `a`@`%`", "default role `r1`"},
	{"GRANT PROXY ON `p`@`%` TO `a`@`%` WITH GRANT OPTION", "PROXY on `p`@`%`"},
	{"GRANT PROXY ON ''@'%' TO 'a'@'%' WITH GRANT OPTION", "PROXY on ``@`%`"},
	{"GRANT READ_ONLY ADMIN, SUPER ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*F8' REQUIRE ISSUER 'c\\\\ WITH GRANT OPTION' SUBJECT 'a''b' WITH MAX_QUERIES_PER_HOUR 7 MAX_STATEMENT_TIME 2.500000", "READ_ONLY ADMIN on *.*, SUPER on *.*"},
	{"GRANT SELECT ON *.* TO `a`@`%` IDENTIFIED VIA ed25519 USING 'x' OR unix_socket WITH GRANT OPTION MAX_QUERIES_PER_HOUR 7", "GRANT OPTION on *.*, SELECT on *.*"},
	{"GRANT SELECT ON `ünï`.`😀` TO `a`@`%`", "SELECT on `ünï`.`😀`"},
	{"", ""},
	{"GRANT", ""},
	{"GRANT SELECT", ""},
	{"GRANT SELECT ON", ""},
	{"GRANT SELECT ON *.`t` TO `a`@`%`", ""},
	{"GRANT SELECT ON `d`.`t TO `a`@`%`", ""},
	{"GRANT SELECT (a) ON `d`.`t` TO `a`@`%`", ""},
	{"GRANT SELECT ON EACH OTHER `d` TO `a`@`%`", ""},
	{"DENY SELECT ON `d`.* TO `a`@`%`", ""},
}

func TestParseGrants(t *testing.T) {
	for _, c := range rows {
		grants, err := parseGrants(c.row)
		set := grantSet{}
		for _, g := range grants {
			set[g] = true
		}
		if got := list(set.sorted()); err == nil && got != c.want && (got != "" || c.want != "nothing") || (err == nil) != (c.want != "") {
			t.Errorf("%s\ngot  %s, %v\nwant %s", c.row, got, err, c.want)
		}
		if err != nil && len(c.row) > 10 && strings.Contains(err.Error(), c.row) {
			t.Errorf("the error quotes the row: %v", err)
		}
	}
}

// What is read can be written, and reads the same again.
func FuzzParseGrants(f *testing.F) {
	for _, c := range rows {
		f.Add(c.row)
	}
	f.Fuzz(func(t *testing.T, row string) {
		grants, err := parseGrants(row)
		if err != nil {
			return
		}
		before, after := grantSet{}, grantSet{}
		for _, g := range grants {
			if g.kind == defaultRole || g.kind == proxyGrant {
				return // not granted by a statement of the same form
			}
			before[g] = true
		}
		for _, p := range grouped(before.sorted()) {
			statement := p.grantTo("`u`@`h`")
			again, err := parseGrants(statement)
			if err != nil {
				t.Fatalf("%q was written as %q: %v", row, statement, err)
			}
			for _, g := range again {
				after[g] = true
			}
		}
		if !maps.Equal(before, after) {
			t.Errorf("%q\nread    %v\nwritten %v", row, before.sorted(), after.sorted())
		}
	})
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		has, asked string
		want       bool
	}{
		{"SELECT ON *.*", "SELECT ON `d`.`t`", true},
		{"SELECT ON `d`.*", "SELECT (`a`) ON `d`.`t`", true},
		{"SELECT ON `d`.*", "SELECT ON *.*", false},
		{"SELECT ON `d`.*", "SELECT ON `e`.*", false},
		{"SELECT ON `d`.*", "INSERT ON `d`.*", false},
		{"SELECT (`a`) ON `d`.`t`", "SELECT ON `d`.`t`", false},
		{"SELECT ON `d\\_%`.*", "SELECT ON `d_x`.`t`", true},
		{"SELECT ON `d\\_%`.*", "SELECT ON `dxx`.`t`", false},
		{"SELECT ON `d_x`.*", "SELECT ON `d\\_%`.*", false},
		{"ALL PRIVILEGES ON `d`.*", "TRIGGER ON `d`.`t`", true},
		{"ALL PRIVILEGES ON `d`.*", "SHOW CREATE ROUTINE ON `d`.*", true},
		{"ALL PRIVILEGES ON `d`.*", "SELECT ON *.*", false},
		{strings.Join(ordinary, ", ") + " ON *.*", "ALL PRIVILEGES ON `d`.*", true},
		{strings.Join(ordinary[1:], ", ") + " ON *.*", "ALL PRIVILEGES ON `d`.*", false},
		{strings.Join(ordinaryOnTables, ", ") + " ON `d`.*", "ALL PRIVILEGES ON `d`.`t`", true},
		{"EXECUTE ON `d`.*", "EXECUTE ON PROCEDURE `d`.`p`", true},
		{"EXECUTE ON FUNCTION `d`.`p`", "EXECUTE ON PROCEDURE `d`.`p`", false},
		{"ALL PRIVILEGES ON *.*", "ROLE_ADMIN ON *.*", false},
	} {
		has, asked := setOf(t, "GRANT "+c.has+" TO `u`@`%`"), setOf(t, "GRANT "+c.asked+" TO `u`@`%`")
		if got := has.holds(asked.sorted()[0]); got != c.want {
			t.Errorf("%s holds %s: got %t", c.has, c.asked, got)
		}
	}
	if all := setOf(t, "GRANT ALL PRIVILEGES ON *.* TO `u`@`%`"); all.holds(grant{what: grantOption}) {
		t.Error("ALL PRIVILEGES has no GRANT OPTION in it")
	}
}

func TestGroups(t *testing.T) {
	set := setOf(t,
		"GRANT SELECT (`a`), UPDATE, SELECT (`b`) ON `d`.`t` TO `u`@`%` WITH GRANT OPTION",
		"GRANT USAGE ON `e`.* TO `u`@`%` WITH GRANT OPTION",
		"GRANT ROLE_ADMIN ON *.* TO `u`@`%`", "GRANT `r` TO `u`@`%` WITH ADMIN OPTION", "REVOKE SELECT ON `m`.* FROM `u`@`%`")
	var give, take []string
	for _, p := range grouped(set.sorted()) {
		give, take = append(give, p.grantTo("x")), append(take, p.revokeFrom("x", true))
	}
	wantGive := []string{
		"GRANT ROLE_ADMIN ON *.* TO x", "GRANT UPDATE, SELECT (`a`, `b`) ON `d`.`t` TO x WITH GRANT OPTION", "GRANT USAGE ON `e`.* TO x WITH GRANT OPTION",
		"REVOKE SELECT ON `m`.* FROM x", "GRANT `r` TO x", "GRANT `r` TO x WITH ADMIN OPTION",
	}
	wantTake := []string{
		"REVOKE ROLE_ADMIN ON *.* FROM x", "REVOKE UPDATE, SELECT (`a`, `b`), GRANT OPTION ON `d`.`t` FROM x", "REVOKE GRANT OPTION ON `e`.* FROM x",
		"GRANT SELECT ON `m`.* TO x", "REVOKE `r` FROM x", "REVOKE ADMIN OPTION FOR `r` FROM x",
	}
	if !reflect.DeepEqual(give, wantGive) {
		t.Errorf("grants:\n%s", strings.Join(give, "\n"))
	}
	if !reflect.DeepEqual(take, wantTake) {
		t.Errorf("revocations:\n%s", strings.Join(take, "\n"))
	}
}
