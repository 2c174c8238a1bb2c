package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/postgres"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// couple is a base user on a server, and an administrator who may manage it and
// no more.
type couple struct {
	t      *testing.T
	server *database.Server
	base   string
	admin  string
}

const adminPassword, basePassword = "Password-of-the-admin", "Password-of-the-base"

func newCouple(t *testing.T, version, base string) *couple {
	t.Helper()
	c := &couple{t: t, server: databasetest.Shared(t, database.Postgres, version), base: base, admin: base + " admin"}
	c.exec(
		"CREATE ROLE "+id(c.admin)+" LOGIN CREATEROLE PASSWORD '"+adminPassword+"'",
		"CREATE ROLE "+id(base)+" LOGIN PASSWORD '"+basePassword+"'",
		"CREATE SCHEMA "+id(base)+" AUTHORIZATION "+id(base),
	)
	if version != "15" {
		c.exec("GRANT " + id(base) + " TO " + id(c.admin) + " WITH ADMIN OPTION, INHERIT FALSE, SET FALSE")
	}
	t.Cleanup(func() { c.drop(c.admin, base, base+"_clone") })
	return c
}

// drop removes roles with what they own, so that tests can run again on a
// shared server.
func (c *couple) drop(roles ...string) {
	var statements []string
	for _, what := range []string{"DROP OWNED BY %I CASCADE", "DROP ROLE %I"} {
		for _, r := range roles {
			statements = append(statements, fmt.Sprintf(`DO $$ BEGIN
				IF EXISTS (SELECT FROM pg_roles WHERE rolname = %s) THEN EXECUTE format('%s', %[1]s); END IF; END $$`, pq.QuoteLiteral(r), what))
		}
	}
	if err := c.server.Exec(context.WithoutCancel(c.t.Context()), statements...); err != nil {
		c.t.Error(err)
	}
}

func id(name string) string { return pq.QuoteIdentifier(name) }

func (c *couple) exec(statements ...string) {
	c.t.Helper()
	if err := c.server.Exec(c.t.Context(), statements...); err != nil {
		c.t.Fatal(err)
	}
}

// administrator logs in.
func (c *couple) administrator(user, password string) dbuser.Administrator {
	c.t.Helper()
	s, err := postgres.Driver{Roots: dbusertest.Roots(c.server)}.Login(c.t.Context(), dbuser.Login{
		Host: c.server.Host, Port: c.server.Port, Database: "postgres", ServerName: c.server.Host,
		Username: user, Password: rotation.TextValue(password),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = s.Close() })
	return s.(dbuser.Administrator)
}

func (c *couple) pair(pending string) dbuser.Pair {
	return dbuser.Pair{Base: c.base, Clone: c.base + "_clone", Pending: pending}
}

// setPair sets a password and returns the changes besides.
func (c *couple) setPair(pending, password string) []string {
	c.t.Helper()
	a := c.administrator(c.admin, adminPassword)
	if err := a.CheckPair(c.t.Context(), c.pair(pending)); err != nil {
		c.t.Fatalf("CheckPair: %v", err)
	}
	changes, err := a.SetPair(c.t.Context(), c.pair(pending), rotation.TextValue(password))
	if err != nil {
		c.t.Fatalf("SetPair: %v", err)
	}
	return changes
}

// as runs statements as a user of the pair.
func (c *couple) as(user, password string, statements ...string) error {
	db, err := c.server.Open(user, password, "")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := db.ExecContext(c.t.Context(), s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func (c *couple) mustAs(user, password string, statements ...string) {
	c.t.Helper()
	if err := c.as(user, password, statements...); err != nil {
		c.t.Errorf("as %s: %v", user, err)
	}
}

func eachVersion(t *testing.T, test func(t *testing.T, version string)) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	for _, version := range []string{"15", "18"} {
		t.Run("PostgreSQL "+version, func(t *testing.T) {
			t.Parallel()
			test(t, version)
		})
	}
}

// What either of the two makes, both can use, change and drop.
func TestPairSharesObjects(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		c := newCouple(t, version, `Shop "ü" 100%`)
		clone := c.base + "_clone"
		c.mustAs(c.base, basePassword, "CREATE TABLE "+id(c.base)+".by_base (n int)")
		want := []string{fmt.Sprintf("created the role %q", clone), fmt.Sprintf("made it a member of %q", c.base), "set its setting role"}
		if d := cmp.Diff(want, c.setPair(clone, "First-Password")); d != "" {
			t.Error(d)
		}
		c.mustAs(clone, "First-Password",
			"ALTER TABLE "+id(c.base)+".by_base ADD m int", "CREATE TABLE "+id(c.base)+".by_clone (n int)")
		c.mustAs(c.base, basePassword, "ALTER TABLE "+id(c.base)+".by_clone ADD m int", "DROP TABLE "+id(c.base)+".by_clone")
		c.mustAs(clone, "First-Password", "DROP TABLE "+id(c.base)+".by_base")

		if changes := c.setPair(c.base, "Second-Password"); changes != nil {
			t.Errorf("a healthy pair was changed: %v", changes)
		}
		c.mustAs(c.base, "Second-Password", "SELECT 1")
		c.mustAs(clone, "First-Password", "SELECT 1") // the other's password stays
		if c.as(c.base, basePassword, "SELECT 1") == nil {
			t.Error("the old password of the base still logs in")
		}
		logs, err := c.server.Logs()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"First-Password", "Second-Password"} {
			if strings.Contains(logs, p) {
				t.Error("a password is in the server's log")
			}
		}
	})
}

// What is granted, revoked or set on the base between rotations holds for the
// clone after the next.
func TestPairFollowsTheBase(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		c := newCouple(t, version, "follows")
		clone := "follows_clone"
		c.setPair(clone, "First-Password")
		c.exec("CREATE TABLE IF NOT EXISTS of_admin (n int)", "GRANT SELECT ON of_admin TO follows WITH GRANT OPTION",
			`ALTER ROLE follows SET search_path = follows, "$user", "with ""quote"", and comma"`,
			"ALTER ROLE follows IN DATABASE postgres SET statement_timeout = '77s'",
			"ALTER ROLE follows SET application.tenant = 'it''s \\ here'",
			"ALTER ROLE follows CONNECTION LIMIT 7 VALID UNTIL '2099-01-01'",
			"ALTER ROLE follows_clone SET work_mem = '5MB'")
		c.mustAs(clone, "First-Password", "TABLE of_admin", "GRANT SELECT ON of_admin TO PUBLIC") // at once, even

		// What only a superuser may set, a superuser must copy.
		a := c.administrator(c.admin, adminPassword)
		if err := a.CheckPair(t.Context(), c.pair(c.base)); !errors.Is(err, rotation.ErrDenied) || !strings.Contains(rotation.Hint(err), `ALTER ROLE "follows_clone" SET "application.tenant"`) {
			t.Errorf("got %v (%s)", err, rotation.Hint(err))
		}
		c.exec("ALTER ROLE follows_clone SET application.tenant = 'it''s \\ here'")

		changes := c.setPair(c.base, "Second-Password")
		want := []string{
			"set its option CONNECTION LIMIT 7", "set its option VALID UNTIL", "reset its setting work_mem",
			"set its setting search_path", `set its setting statement_timeout in database "postgres"`,
		}
		for _, w := range want {
			if !strings.Contains(strings.Join(changes, "\n"), w) {
				t.Errorf("%q is not among the changes %q", w, changes)
			}
		}
		if len(changes) != len(want) {
			t.Errorf("%d changes, want %d: %q", len(changes), len(want), changes)
		}
		for _, show := range []string{"search_path", "statement_timeout", "application.tenant", "current_user"} {
			if a, b := c.show(c.base, "Second-Password", show), c.show(clone, "First-Password", show); a != b || a == "" {
				t.Errorf("%s is %q for the base and %q for the clone", show, a, b)
			}
		}
		if changes := c.setPair(clone, "Third-Password"); changes != nil {
			t.Errorf("an equal pair was changed: %v", changes)
		}
		tester := c.administrator(clone, "Third-Password").(dbuser.PairTester)
		if err := tester.TestPair(t.Context(), c.pair(clone)); err != nil {
			t.Errorf("an equal pair: %v", err)
		}
		revoke := "REVOKE follows FROM follows_clone"
		if version != "15" {
			revoke += " GRANTED BY " + id(c.admin)
		}
		c.exec("ALTER ROLE follows SET work_mem = '9MB'", "ALTER ROLE follows CONNECTION LIMIT 8", revoke)
		err := tester.TestPair(t.Context(), c.pair(clone))
		if !errors.Is(err, rotation.ErrDenied) {
			t.Fatalf("a pair that differs: %v", err)
		}
		for _, says := range []string{"work_mem", "CONNECTION LIMIT 8", "member"} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("the error does not tell of %s: %v", says, err)
			}
		}
	})
}

func (c *couple) show(user, password, what string) (value string) {
	c.t.Helper()
	db, err := c.server.Open(user, password, "")
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	query := "SELECT current_setting('" + what + "')"
	if what == "current_user" {
		query = "SELECT current_user"
	}
	if err := db.QueryRowContext(c.t.Context(), query).Scan(&value); err != nil {
		c.t.Error(err)
	}
	return value
}

// A pair that the official template made: the clone is a member of the base,
// and owns what it created.
func TestPairOfTheTemplate(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for _, adopt := range []bool{false, true} {
			c := newCouple(t, version, fmt.Sprintf("template_%t", adopt))
			clone := c.base + "_clone"
			c.exec("CREATE ROLE "+id(clone)+" WITH LOGIN PASSWORD 'Template-Password'", "GRANT "+id(c.base)+" TO "+id(clone))
			if version != "15" {
				c.exec("GRANT " + id(clone) + " TO " + id(c.admin) + " WITH ADMIN OPTION")
			}
			c.mustAs(clone, "Template-Password", "CREATE TABLE "+id(c.base)+".own (n int)")
			if adopt {
				c.exec("GRANT " + id(c.base) + ", " + id(clone) + " TO " + id(c.admin))
			}
			pair := c.pair(c.base) // the clone is current
			pair.Adopt = adopt
			changes, err := c.administrator(c.admin, adminPassword).SetPair(t.Context(), pair, rotation.TextValue("First-Password"))
			if err != nil {
				t.Fatal(err)
			}
			told := strings.Join(changes, "\n")
			if adopt != strings.Contains(told, "gave the objects") || adopt == strings.Contains(told, "owns by itself") {
				t.Errorf("adopt %v: %s", adopt, told)
			}
			err = c.as(c.base, "First-Password", "ALTER TABLE "+id(c.base)+".own ADD m int")
			if (err == nil) != adopt {
				t.Errorf("adopt %v: the base changes the clone's old table: %v", adopt, err)
			}
			c.mustAs(clone, "Template-Password", "CREATE TABLE "+id(c.base)+".shared (n int)")
			c.mustAs(c.base, "First-Password", "DROP TABLE "+id(c.base)+".shared")
		}
	})
}

// What must not be touched is refused before anything changes.
func TestPairsRefused(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for name, r := range map[string]struct {
			prepare func(c *couple)
			kind    error
			says    string
		}{
			"foreign clone": {func(c *couple) { c.exec("CREATE ROLE " + id(c.base+"_clone") + " LOGIN PASSWORD 'Foreign-Password'") }, rotation.ErrConfig, "is not a member"},
			"no base":       {func(c *couple) { c.exec("DROP OWNED BY "+id(c.base), "DROP ROLE "+id(c.base)) }, rotation.ErrConfig, "no role"},
			"superuser":     {func(c *couple) { c.exec("ALTER ROLE " + id(c.base) + " SUPERUSER") }, rotation.ErrConfig, "superuser"},
			"no CREATEROLE": {func(c *couple) { c.exec("ALTER ROLE " + id(c.admin) + " NOCREATEROLE") }, rotation.ErrDenied, "CREATEROLE"},
			"no ADMIN OPTION": {func(c *couple) {
				if version != "15" {
					c.exec("REVOKE " + id(c.base) + " FROM " + id(c.admin))
				} else {
					c.exec("ALTER ROLE " + id(c.admin) + " NOCREATEROLE") // what stands for it there
				}
			}, rotation.ErrDenied, "has no"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := newCouple(t, version, "refused "+name)
				r.prepare(c)
				a := c.administrator(c.admin, adminPassword)
				clone := c.base + "_clone"
				_, set := a.SetPair(t.Context(), c.pair(clone), rotation.TextValue("New-Password"))
				for _, err := range []error{a.CheckPair(t.Context(), c.pair(clone)), set} {
					if !errors.Is(err, r.kind) || !strings.Contains(err.Error(), r.says) || rotation.Hint(err) == "" {
						t.Errorf("got %v", err)
					}
				}
				if c.as(clone, "New-Password", "SELECT 1") == nil {
					t.Error("the password was set all the same")
				}
			})
		}
	})
}

func TestPairsAtOnce(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		c := newCouple(t, version, "at_once")
		errs := make([]error, 5)
		var wg sync.WaitGroup
		for i := range errs {
			a := c.administrator(c.admin, adminPassword)
			wg.Go(func() {
				_, errs[i] = a.SetPair(t.Context(), c.pair("at_once_clone"), rotation.TextValue("First-Password"))
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		c.mustAs("at_once_clone", "First-Password", "SELECT 1")
	})
}

func TestSetPasswordOf(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		c := newCouple(t, version, "assisted")
		if err := c.administrator(c.admin, adminPassword).SetPasswordOf(t.Context(), "assisted", rotation.TextValue("New-Password")); err != nil {
			t.Fatal(err)
		}
		c.mustAs("assisted", "New-Password", "SELECT 1")
	})
}
