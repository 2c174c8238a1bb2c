package redshift

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// held are grants of a user, by what they are: statements change them as a server
// does.
type held map[grant]bool

func table(privilege string, option bool) grant {
	return grant{privilege: privilege, kind: " ON TABLE ", object: `"s"."t"`, to: self, option: option}
}

func TestStatements(t *testing.T) {
	other := func(g grant, object string) grant { g.object = object; return g }
	role := grant{privilege: `ROLE "r"`, to: self}
	for name, c := range map[string]struct {
		want, have []grant
		says       []string
	}{
		"nothing":             {nil, nil, nil},
		"alike":               {[]grant{table("SELECT", true)}, []grant{table("SELECT", true)}, nil},
		"one":                 {[]grant{table("SELECT", false)}, nil, []string{`GRANT SELECT ON TABLE "s"."t" TO "u"`}},
		"privileges together": {[]grant{table("SELECT", false), table("INSERT", false)}, nil, []string{`GRANT SELECT, INSERT ON TABLE "s"."t" TO "u"`}},
		"tables together": {
			[]grant{table("SELECT", false), other(table("SELECT", false), `"s"."x"`)},
			nil,
			[]string{`GRANT SELECT ON TABLE "s"."t", "s"."x" TO "u"`},
		},
		"option apart":     {[]grant{table("SELECT", true), table("INSERT", false)}, nil, []string{`GRANT SELECT ON TABLE "s"."t" TO "u" WITH GRANT OPTION`, `GRANT INSERT ON TABLE "s"."t" TO "u"`}},
		"option more":      {[]grant{table("SELECT", true)}, []grant{table("SELECT", false)}, []string{`GRANT SELECT ON TABLE "s"."t" TO "u" WITH GRANT OPTION`}},
		"option less":      {[]grant{table("SELECT", false)}, []grant{table("SELECT", true)}, []string{`REVOKE GRANT OPTION FOR SELECT ON TABLE "s"."t" FROM "u"`}},
		"too much":         {nil, []grant{table("SELECT", true)}, []string{`REVOKE SELECT ON TABLE "s"."t" FROM "u"`}},
		"taken with table": {[]grant{table(`SELECT ("n")`, false)}, []grant{table(`SELECT ("n")`, false), table("SELECT", false)}, []string{`REVOKE SELECT ON TABLE "s"."t" FROM "u"`, `GRANT SELECT ("n") ON TABLE "s"."t" TO "u"`}},
		"roles":            {[]grant{role, {privilege: `ROLE "a"`, to: self, option: true}}, nil, []string{`GRANT ROLE "r" TO "u"`, `GRANT ROLE "a" TO "u" WITH ADMIN OPTION`}},
		"role less":        {[]grant{role}, []grant{{privilege: role.privilege, to: self, option: true}}, []string{`REVOKE ADMIN OPTION FOR ROLE "r" FROM "u"`}},
		"system apart":     {[]grant{{privilege: "EXPLAIN RLS", to: self}, {privilege: "IGNORE RLS", to: self}, role}, nil, []string{`GRANT EXPLAIN RLS TO "u"`, `GRANT IGNORE RLS TO "u"`, `GRANT ROLE "r" TO "u"`}},
		"datashares apart": {
			[]grant{{privilege: "SHARE", kind: " ON DATASHARE ", object: `"a"`, to: self}, {privilege: "SHARE", kind: " ON DATASHARE ", object: `"b"`, to: self}},
			nil,
			[]string{`GRANT SHARE ON DATASHARE "a" TO "u"`, `GRANT SHARE ON DATASHARE "b" TO "u"`},
		},
		"scoped":   {[]grant{{privilege: "SELECT", kind: scope("SCHEMA", "TABLES"), object: `"s"`, to: self}}, nil, []string{`GRANT SELECT FOR TABLES IN SCHEMA "s" TO "u"`}},
		"policies": {[]grant{{attach: `"p" ON TABLE "s"."t"`, to: self}}, []grant{{attach: `"q" ON TABLE "s"."t"`, to: self}}, []string{`DETACH RLS POLICY "q" ON TABLE "s"."t" FROM "u"`, `ATTACH RLS POLICY "p" ON TABLE "s"."t" TO "u"`}},
		"default": {
			[]grant{{before: `ALTER DEFAULT PRIVILEGES FOR USER ` + self + ` IN SCHEMA "s" `, privilege: "SELECT", kind: " ON TABLES", to: `GROUP "g"`}},
			nil,
			[]string{`ALTER DEFAULT PRIVILEGES FOR USER "u" IN SCHEMA "s" GRANT SELECT ON TABLES TO GROUP "g"`},
		},
		"assumed": {[]grant{{privilege: "ASSUMEROLE", kind: " ON ", object: "'arn:x'", after: " FOR COPY", to: self}}, nil, []string{`GRANT ASSUMEROLE ON 'arn:x' TO "u" FOR COPY`}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.says, statements("u", c.want, c.have)); d != "" {
				t.Error(d)
			}
		})
	}
}

// However many there are, a statement stays far below the 100 KB of the Data API.
func TestStatementsHaveASize(t *testing.T) {
	var want []grant
	for n := range 1000 {
		g := table("SELECT", false)
		g.object = fmt.Sprintf(`%q."t%d"`, strings.Repeat("s", 127), n)
		want = append(want, g)
	}
	all := statements("u", want, nil)
	if len(all) != 10 {
		t.Errorf("%d statements", len(all))
	}
	for _, s := range all {
		if len(s) > 50_000 {
			t.Errorf("a statement of %d bytes", len(s))
		}
	}
}

// Whatever two users have, the differences make one like the other.
func TestDifferencesMakeEqual(t *testing.T) {
	drawn := rapid.Custom(func(t *rapid.T) grant {
		privilege := rapid.SampledFrom([]string{"SELECT", "INSERT", `SELECT ("n")`, `SELECT ("m")`}).Draw(t, "privilege")
		g := table(privilege, rapid.Bool().Draw(t, "option") && !strings.Contains(privilege, "("))
		g.object = rapid.SampledFrom([]string{`"a"`, `"b"`}).Draw(t, "object")
		return g
	})
	// A user has a privilege with the option or without it, not both.
	grants := func(t *rapid.T, label string) []grant {
		return rapid.SliceOfDistinct(drawn, func(g grant) string { return g.privilege + g.object }).Draw(t, label)
	}
	rapid.Check(t, func(t *rapid.T) {
		want, have := grants(t, "want"), grants(t, "have")
		server := held{}
		for _, g := range have {
			server[g] = true
		}
		give, lessen, take := differences(want, have)
		for _, g := range take {
			for h := range server {
				if h.object == g.object && (h.privilege == g.privilege || strings.HasPrefix(h.privilege, g.privilege+" (")) {
					delete(server, h)
				}
			}
		}
		for _, g := range lessen {
			delete(server, g)
			g.option = false
			server[g] = true
		}
		for _, g := range give {
			other := g
			other.option = false
			delete(server, other)
			server[g] = true
		}
		for _, g := range want {
			if !server[g] {
				t.Errorf("%v is missing", g)
			}
		}
		if len(server) != len(want) {
			t.Errorf("it has %v, and should have %v", server, want)
		}
	})
}

var texts = regexp.MustCompile(`^'(?:[^'\\]|'')*'(?: \|\| CHR\(92\) \|\| '(?:[^'\\]|'')*')*$`)

// A text is literals without a backslash, with nothing in them that ends one, and
// CHR(92) between them: reading it back gives what was written.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "quo'te", `back\slash`, `\`, `'\'`, "ünï'", "' || CHR(92) || '"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		written := text(s)
		if !texts.MatchString(written) {
			t.Fatalf("%q is written %s", s, written)
		}
		var read strings.Builder
		for rest := written; rest != ""; {
			end := 1
			for end < len(rest) && (rest[end] != '\'' || end+1 < len(rest) && rest[end+1] == '\'') {
				if rest[end] == '\'' {
					end++
				}
				end++
			}
			read.WriteString(strings.ReplaceAll(rest[1:end], "''", "'"))
			if rest = rest[end+1:]; rest != "" {
				read.WriteByte('\\')
				rest = strings.TrimPrefix(rest, " || CHR(92) || ")
			}
		}
		if read.String() != s {
			t.Errorf("%q reads as %q", s, read.String())
		}
	})
}

func TestVerifiers(t *testing.T) {
	const password, user = "Rekey-Vector-1", "app"
	if got := md5Verifier(password, user); got != "md5ea95b76a2d52ee435204ed1cdc55f3a2" {
		t.Errorf("md5: %s", got)
	}
	salted := sha256Verifier(password, newSalt())
	if parts := strings.Split(salted, "|"); len(parts) != 3 || len(parts[1]) != 64 || len(parts[2]) != 64 {
		t.Errorf("sha256: %s", salted)
	}
	for _, v := range []string{md5Verifier(password, user), salted} {
		if !verifies(v, password, user) || verifies(v, password+"x", user) || verifies(v, "", user) {
			t.Errorf("%s", v)
		}
	}
}

func TestPath(t *testing.T) {
	for list, want := range map[string][]string{
		`"$user", public`: {`"$user"`, `"public"`}, `a,b`: {`"a"`, `"b"`}, ``: nil, `"with "" and ,", x`: {`"with "" and ,"`, `"x"`},
	} {
		if got := path(list); !slices.Equal(got, want) {
			t.Errorf("%s: %q", list, got)
		}
	}
}
