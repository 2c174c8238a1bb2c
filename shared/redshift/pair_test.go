package redshift_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// Two users take turns and have the same rights, of every kind, in all
// databases, by statements that Redshift's grammar has.
func TestAlternatingUsers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	c.furnish()
	for n, want := range []string{"app_clone", "app", "app_clone"} {
		before := len(c.Statements())
		c.rotate()
		if user, _ := c.credential(rotation.Current); user != want {
			t.Errorf("rotation %d: AWSCURRENT is %s, want %s", n, user, want)
		}
		rights := c.mustBeAlike()
		if len(rights) < 35 {
			t.Errorf("%d rights are not all there are: %q", len(rights), rights)
		}
		if n == 0 {
			continue
		}
		for _, s := range c.Statements()[before:] {
			if !strings.HasPrefix(s, "SELECT ") && !strings.HasPrefix(s, "ALTER USER "+id(want)+" PASSWORD ") && !strings.HasPrefix(s, "BEGIN") && s != "ROLLBACK" && s != ";" {
				t.Errorf("rotation %d, of a pair that is alike, changes: %s", n, s)
			}
		}
	}
	if !strings.Contains(c.log.String(), `"strategy":"alternating"`) || !strings.Contains(c.log.String(), `created the user`) {
		t.Errorf("the log does not tell of the strategy and the changes:\n%s", c.log.String())
	}
	c.mustNotLeak()
}

// What drifted is brought back, either way, whoever's turn it is.
func TestDriftIsRepaired(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	c.furnish()
	c.rotate()
	c.exec("dev",
		`ALTER GROUP analysts DROP USER app_clone`, `REVOKE reporting FROM app`, `REVOKE ADMIN OPTION FOR "Admin's" FROM app`,
		"SELECT redshift.system_privilege('GRANT', 'IGNORE RLS', 'app_clone')", "SELECT redshift.system_privilege('REVOKE', 'EXPLAIN RLS', 'app')",
		`ALTER USER app_clone NOCREATEDB CONNECTION LIMIT 3`, `ALTER USER app RESET search_path`, `ALTER USER app_clone SET work_mem TO '9MB'`,
		"SELECT redshift.note('app', 'syslog', '\"RESTRICTED\"'), redshift.note('app', 'timeout', '0')",
		`REVOKE GRANT OPTION FOR SELECT ON "Shop".orders FROM app`, `REVOKE ALL ON "Shop".report FROM app_clone`, `GRANT DELETE ON "Shop".report TO app_clone WITH GRANT OPTION`,
		`SELECT redshift.grants('REVOKE', ARRAY['SHARE'], 'DATASHARE', ARRAY['"partners"'], '"app"', false)`,
		`SELECT redshift.grants('GRANT', ARRAY['ALTER'], 'DATASHARE', ARRAY['"theirs"'], '"app_clone"', false)`,
		`SELECT redshift.grants('REVOKE', ARRAY['RLS'], 'RLS', ARRAY['"own_rows" ON "Shop"."orders"'], '"app"', false)`,
		`SELECT redshift.grants('REVOKE', ARRAY['EXECUTE'], 'MODEL', ARRAY['"public"."churn"'], '"app"', true)`,
		`ALTER DEFAULT PRIVILEGES FOR USER maker IN SCHEMA "Shop" REVOKE INSERT ON TABLES FROM app`,
		`ALTER DEFAULT PRIVILEGES FOR USER maker GRANT SELECT ON TABLES TO app_clone`,
		`ALTER DEFAULT PRIVILEGES FOR USER app_clone GRANT INSERT ON TABLES TO other`,
	)
	c.exec("Sales", `REVOKE USAGE ON SCHEMA north FROM app_clone`, `CREATE SCHEMA south`, `GRANT CREATE ON SCHEMA south TO app`)
	c.rotate() // app's turn
	c.mustBeAlike()
	c.exec("dev", `GRANT TRUNCATE ON "Shop".report TO app`, `ALTER USER app VALID UNTIL 'infinity'`)
	c.rotate() // app_clone's
	c.mustBeAlike()
}

// What one of the two owns, the other can use after the next rotation; nothing
// changes hands, and nothing is granted to an owner.
func TestOwnedByOneUsedByBoth(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	c.furnish()
	c.exec("dev", `CREATE SCHEMA mine AUTHORIZATION app`, `CREATE TABLE mine.t (n int)`, `ALTER TABLE mine.t OWNER TO app`,
		`CREATE FUNCTION mine.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`, `ALTER FUNCTION mine.f() OWNER TO app`, `REVOKE ALL ON FUNCTION mine.f() FROM PUBLIC`, `GRANT SELECT ON mine.t TO other`)
	c.rotate()
	c.exec("dev", `CREATE TABLE mine.of_clone (n int)`, `ALTER TABLE mine.of_clone OWNER TO app_clone`)
	c.rotate()
	before := len(c.Statements())
	c.rotate()
	for _, s := range c.Statements()[before:] {
		if strings.HasPrefix(s, "GRANT") || strings.HasPrefix(s, "REVOKE") {
			t.Errorf("a pair that is alike: %s", s)
		}
	}
	for user, uses := range map[string]string{"app": "SELECT n FROM mine.of_clone", "app_clone": "SELECT n, mine.f() FROM mine.t"} {
		c.exec("dev", "SET ROLE "+id(user), uses, "RESET ROLE")
	}
}

// A pair that the official template made: the clone has been granted what the
// base could do, bears no mark, and its password is in AWSPREVIOUS.
func TestPairOfTheOfficialTemplate(t *testing.T) {
	t.Parallel()
	for _, current := range []string{"app", "app_clone"} {
		t.Run(current, func(t *testing.T) {
			t.Parallel()
			other := map[string]string{"app": "app_clone", "app_clone": "app"}[current]
			c := newCluster(t, map[string]any{"username": current})
			c.furnish()
			c.exec("dev", "CREATE ROLE app_clone LOGIN PASSWORD "+lit(basePassword), `GRANT SELECT, INSERT ON "Shop".orders TO app_clone`, `GRANT USAGE ON SCHEMA "Shop" TO app_clone`)
			_, v := c.store.Labelled(rotation.Current)
			doc, err := rotation.ParseDocument(v)
			if err != nil {
				t.Fatal(err)
			}
			if v, err = doc.With("username", other); err != nil {
				t.Fatal(err)
			}
			err = rotationtest.Run(t.Context(), c.machine, c.store.Begin())
			dbusertest.MustFail(t, err, rotation.ErrConfig, "rekey:app") // nothing proves it yet
			c.store.Plant("previous-000000000000000000000000000000", v, rotation.Previous)
			c.store.Unlabel(rotation.Pending)
			c.rotate()
			c.rotate() // VALID UNTIL is set with the password, so at the clone's turn
			c.mustBeAlike()
		})
	}
}

// What setSecret would lack, createSecret finds, before it stores anything.
func TestPreflight(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	c.furnish()
	for _, s := range []struct {
		name       string
		do, undo   string
		kind       error
		says, hint string
	}{
		{"no superuser", "ALTER ROLE root NOSUPERUSER", "ALTER ROLE root SUPERUSER", rotation.ErrDenied, "no superuser", `ALTER USER "root" CREATEUSER`},
		{"a superuser", "ALTER ROLE app SUPERUSER", "ALTER ROLE app NOSUPERUSER", rotation.ErrConfig, "is a superuser", "single user"},
		{"a foreign clone", "CREATE ROLE app_clone LOGIN", "DROP ROLE app_clone", rotation.ErrConfig, "is there already", `CREATE GROUP "rekey:app" WITH USER "app_clone"`},
		{"refused", "ALTER ROLE app PASSWORD 'Other-Password-1'", "ALTER ROLE app PASSWORD " + lit(basePassword), rotation.ErrRefused, "AWSCURRENT", ""},
		{"an unknown privilege", `SELECT redshift.system_privilege('GRANT', 'fly"', 'app')`, `SELECT redshift.system_privilege('REVOKE', 'fly"', 'app')`, rotation.ErrConfig, "not one that is known", "single"},
		{"a backslash", `ALTER ROLE app SET application_name TO 'a\b'`, "ALTER ROLE app RESET application_name", rotation.ErrConfig, "application_name", "by hand"},
	} {
		c.exec("dev", s.do)
		r := c.store.Begin()
		for _, step := range []rotation.Step{rotation.CreateSecret, rotation.TestSecret} {
			err := rotationtest.RunStep(t.Context(), c.machine, r, step)
			dbusertest.MustFail(t, err, s.kind, s.says)
			if !strings.Contains(rotation.Hint(err), s.hint) {
				t.Errorf("%s: the hint is %q", s.name, rotation.Hint(err))
			}
		}
		c.exec("dev", s.undo)
		c.store.Unlabel(rotation.Pending)
	}
	if n := len(c.store.Faults.Effects()); n != 0 {
		t.Errorf("%d writes, want none", n)
	}
	for _, s := range c.Statements() {
		if !strings.HasPrefix(s, "SELECT") && s != ";" {
			t.Errorf("it changed something: %s", s)
		}
	}
}

// Objects can be adopted nowhere.
func TestAdoptIsRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, map[string]any{"adoptObjects": true})
	dbusertest.MustFail(t, rotationtest.Run(t.Context(), c.machine, c.store.Begin()), rotation.ErrConfig, "adoptObjects")
}

// A clone that is half made cannot log in, and is completed.
func TestHalfMadePair(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	c.furnish()
	c.exec("dev", `SELECT redshift.create_group('rekey:app', 'group')`, `SELECT redshift.create_user('app_clone', 'rekey:app')`, `GRANT USAGE ON SCHEMA "Shop" TO app_clone`)
	c.rotate()
	c.mustBeAlike()
}

// Two invocations at once make a pair alike, and neither fails.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	c.furnish()
	for range 3 {
		r := c.store.Begin()
		for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret} {
			errs := make([]error, 2)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() { errs[i] = rotationtest.RunStep(t.Context(), c.machine, r, step) })
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatalf("%s: %v", step, err)
			}
		}
		c.mustBeAlike()
	}
}

// Someone takes the clone out of a group between setSecret and testSecret: it is
// not promoted with less than the base has.
func TestUnequalPairIsNotPromoted(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	c.furnish()
	r := c.store.Begin()
	for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret} {
		if err := rotationtest.RunStep(t.Context(), c.machine, r, step); err != nil {
			t.Fatal(err)
		}
	}
	c.exec("dev", "ALTER GROUP analysts DROP USER app_clone")
	dbusertest.MustFail(t, rotationtest.RunStep(t.Context(), c.machine, r, rotation.TestSecret), rotation.ErrDenied, "analysts")
	if err := rotationtest.Run(t.Context(), c.machine, r); err != nil {
		t.Errorf("run again: %v", err)
	}
}

// An administrator sets the password of a user that may not, with ALTER USER
// alone.
func TestAdministeredSingleUser(t *testing.T) {
	t.Parallel()
	c := newCluster(t, map[string]any{"strategy": "single"})
	for range 2 {
		if err := rotationtest.Run(t.Context(), c.machine, c.store.Begin()); err != nil {
			t.Fatal(err)
		}
		c.mustLogIn(rotation.Current)
		if user, password := c.credential(rotation.Previous); user != "app" {
			t.Errorf("AWSPREVIOUS is of %s", user)
		} else if s, err := c.login(t.Context(), user, password); err == nil {
			_ = s.Close()
			t.Error("the old password still logs in")
		}
	}
}

// A user whose password is stored as SHA-256 is not taken for one with another
// password.
func TestStoredAsSHA256(t *testing.T) {
	t.Parallel()
	c := newCluster(t, map[string]any{"strategy": "single"})
	c.exec("dev", fmt.Sprintf("SELECT redshift.set_digest('app', 'sha256|%064x|%064x', '')", 1, 2))
	err := rotationtest.Run(t.Context(), c.machine, c.store.Begin())
	dbusertest.MustFail(t, err, rotation.ErrConfig, "SHA-256")
}
