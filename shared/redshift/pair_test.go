package redshift_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/redshift/redshifttest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/redshift"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

const (
	adminARN      = "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf"
	adminPassword = "Password-1-of-the-admin"
	basePassword  = "Password-1-of-the-base"
)

// cluster is a stand-in for Redshift with an administrator, and a user whose
// secret is rotated.
type cluster struct {
	*redshifttest.Cluster
	t       *testing.T
	store   *rotationtest.Store
	machine *rotation.Machine
	log     strings.Builder
}

func newCluster(t *testing.T, extra map[string]any) *cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a database server")
	}
	c := &cluster{Cluster: redshifttest.Start(t), t: t}
	if err := c.Database.Exec(t.Context(), "CREATE ROLE root LOGIN SUPERUSER PASSWORD "+lit(adminPassword), "CREATE ROLE app LOGIN PASSWORD "+lit(basePassword)); err != nil {
		t.Fatal(err) // it leaves no trace in the logs
	}
	secret := map[string]any{
		"engine": "redshift", "host": c.Host, "port": c.Port, "username": "app", "password": basePassword, "masterarn": adminARN, "note": "kept",
	}
	maps.Copy(secret, extra)
	c.store = rotationtest.NewStore(t, document(t, secret))
	c.store.Others = map[string]rotation.Value{adminARN: document(t, map[string]any{
		"engine": "redshift", "host": c.Host, "port": c.Port, "username": "root", "password": adminPassword,
	})}
	policy, err := dbuser.PolicyFrom(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	c.machine = &rotation.Machine{
		Store: c.store, Log: slog.New(slog.NewJSONHandler(&c.log, nil)),
		Engine: &dbuser.Engine{Drivers: map[string]dbuser.Driver{"redshift": redshift.Driver{Roots: c.Roots}}, Policy: policy},
	}
	return c
}

func document(t *testing.T, doc map[string]any) rotation.Value {
	t.Helper()
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return rotation.TextValue(string(raw))
}

// exec runs statements of PostgreSQL's, round the filter.
func (c *cluster) exec(database string, statements ...string) {
	c.t.Helper()
	if err := c.Exec(c.t.Context(), database, statements...); err != nil {
		c.t.Fatal(err)
	}
}

// query reads rows as the administrator, round the filter.
func (c *cluster) query(database, query string) (rows []string) {
	c.t.Helper()
	db, err := c.Open(database)
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	result, err := db.QueryContext(c.t.Context(), query)
	if err != nil {
		c.t.Fatalf("%s: %v", query, err)
	}
	defer result.Close()
	for result.Next() {
		var row string
		if err := result.Scan(&row); err != nil {
			c.t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if err := result.Err(); err != nil {
		c.t.Fatal(err)
	}
	slices.Sort(rows)
	return rows
}

func (c *cluster) rotate() {
	c.t.Helper()
	if err := rotationtest.Run(c.t.Context(), c.machine, c.store.Begin()); err != nil {
		c.t.Fatalf("%v\nrefused: %v", err, c.Refused())
	}
	if refused := c.Refused(); len(refused) > 0 {
		c.t.Fatalf("Redshift would not take: %v", refused)
	}
	for _, label := range []string{rotation.Current, rotation.Previous} {
		c.mustLogIn(label)
	}
}

func (c *cluster) credential(label string) (user, password string) {
	c.t.Helper()
	_, v := c.store.Labelled(label)
	var doc struct{ Username, Password, Note string }
	if err := json.Unmarshal([]byte(v.Reveal()), &doc); err != nil || doc.Note != "kept" {
		c.t.Fatalf("the value labelled %s is not the secret: %v", label, err)
	}
	return doc.Username, doc.Password
}

func (c *cluster) login(ctx context.Context, user, password string) (dbuser.Session, error) {
	return redshift.Driver{Roots: c.Roots}.Login(ctx, dbuser.Login{
		Host: c.Host, Port: c.Port, ServerName: c.Host, Database: "dev", Username: user, Password: rotation.TextValue(password),
	})
}

func (c *cluster) mustLogIn(label string) {
	c.t.Helper()
	user, password := c.credential(label)
	s, err := c.login(c.t.Context(), user, password)
	if err != nil {
		c.t.Fatalf("%s does not log in: %v", label, err)
	}
	_ = s.Close()
}

// rights is all that the views tell of a user, with its name taken out: what two
// users of a pair must have in common.
func (c *cluster) rights(user string) (all []string) {
	c.t.Helper()
	who := lit(user)
	cluster := []string{
		"SELECT 'user ' || coalesce(valuntil, '') || coalesce(useconfig::text, '') || usecreatedb FROM redshift.pg_user WHERE usename = " + who,
		"SELECT connection_limit || ' ' || syslog_access || ' ' || session_timeout FROM redshift.svv_user_info WHERE user_name = " + who,
		"SELECT 'group ' || groname FROM redshift.pg_group, pg_catalog.pg_user WHERE usesysid = ANY (grolist) AND groname NOT LIKE 'rekey:%' AND usename = " + who,
		"SELECT 'role ' || role_name || admin_option FROM redshift.svv_user_grants WHERE user_name = " + who,
		"SELECT 'system ' || system_privilege FROM redshift.svv_system_privileges WHERE identity_name = " + who,
	}
	each := []string{
		"SELECT 'database ' || database_name || privilege_type || privilege_scope || admin_option FROM redshift.svv_database_privileges WHERE identity_name = " + who,
		"SELECT 'datashare ' || datashare_name || privilege_type || admin_option FROM redshift.svv_datashare_privileges WHERE identity_name = " + who,
		"SELECT 'iam ' || iam_arn || command_type FROM redshift.svv_iam_privileges WHERE identity_name = " + who,
		"SELECT 'schema ' || namespace_name || privilege_type || privilege_scope || admin_option FROM redshift.svv_schema_privileges WHERE identity_name = " + who,
		"SELECT 'table ' || namespace_name || relation_name || privilege_type || admin_option FROM redshift.svv_relation_privileges WHERE identity_name = " + who,
		"SELECT 'column ' || namespace_name || relation_name || column_name || privilege_type FROM redshift.svv_column_privileges WHERE identity_name = " + who,
		"SELECT 'function ' || namespace_name || function_name || argument_types || privilege_type || admin_option FROM redshift.svv_function_privileges WHERE identity_name = " + who,
		"SELECT 'language ' || language_name || privilege_type || admin_option FROM redshift.svv_language_privileges WHERE identity_name = " + who,
		"SELECT 'model ' || namespace_name || model_name || privilege_type || admin_option FROM redshift.svv_ml_model_privileges WHERE identity_name = " + who,
		"SELECT 'policy ' || polname || relschema || relname FROM redshift.svv_rls_attached_policy WHERE grantee = " + who,
		"SELECT 'default ' || schema_name || object_type || privilege_type || CASE WHEN owner_name = " + who + " THEN 'own to ' || grantee_name ELSE 'of ' || owner_name END || admin_option FROM redshift.svv_default_privileges WHERE grantee_name = " + who + " OR owner_name = " + who,
	}
	for _, q := range cluster {
		all = append(all, c.query("dev", q)...)
	}
	for _, d := range []string{"dev", "Sales"} {
		for _, q := range each {
			for _, row := range c.query(d, q) {
				all = append(all, d+": "+row)
			}
		}
	}
	return all
}

func (c *cluster) mustBeAlike() []string {
	c.t.Helper()
	base, clone := c.rights("app"), c.rights("app_clone")
	if d := cmp.Diff(base, clone); d != "" {
		c.t.Errorf("the clone (+) is not like the base (-):\n%s", d)
	}
	return base
}

// furnish makes two databases full of what can be granted, and grants it to app.
func (c *cluster) furnish() {
	c.exec("postgres", `CREATE DATABASE "Sales"`)
	c.exec("postgres",
		"CREATE ROLE other LOGIN", "CREATE ROLE maker LOGIN")
	c.exec("dev",
		"SELECT redshift.create_group('analysts', 'group'), redshift.create_group('Loaders \"ü\"', 'group'), redshift.create_group('reporting', 'role'), redshift.create_group('Admin''s', 'role')",
		`ALTER GROUP analysts ADD USER app`, `ALTER GROUP "Loaders ""ü""" ADD USER app`,
		`GRANT reporting TO app`, `GRANT "Admin's" TO app WITH ADMIN OPTION`,
		"SELECT redshift.system_privilege('GRANT', 'EXPLAIN RLS', 'app')",
		`ALTER USER app CREATEDB CONNECTION LIMIT 7 VALID UNTIL '2041-05-06 07:08:09+00'`,
		"SELECT redshift.note('app', 'syslog', '\"UNRESTRICTED\"'), redshift.note('app', 'timeout', '3600')",
		`ALTER USER app SET search_path TO "$user", "Shop", public`, `ALTER USER app SET statement_timeout TO 90000`,
		`GRANT CREATE, TEMP ON DATABASE dev TO app`, `GRANT CREATE ON DATABASE "Sales" TO app WITH GRANT OPTION`,
		`SELECT redshift.grants('GRANT', ARRAY['SHARE','ALTER'], 'DATASHARE', ARRAY['"partners"'], '"app"', false)`,
		`SELECT redshift.grants('GRANT', ARRAY['COPY'], 'ASSUMEROLE', ARRAY['''arn:aws:iam::123456789012:role/loader'''], '"app"', false)`,
		`SELECT redshift.grants('GRANT', ARRAY['EXECUTE'], 'MODEL', ARRAY['"public"."churn"'], '"app"', true)`,
		`SELECT redshift.grants('GRANT', ARRAY['RLS'], 'RLS', ARRAY['"own_rows" ON "Shop"."orders"'], '"app"', false)`,
		`CREATE SCHEMA "Shop"`, `CREATE SCHEMA empty`,
		`GRANT USAGE ON SCHEMA "Shop" TO app`, `GRANT USAGE, CREATE ON SCHEMA empty TO app WITH GRANT OPTION`,
		`SELECT redshift.grants('GRANT', ARRAY['SELECT', 'INSERT'], 'FOR TABLES IN SCHEMA', ARRAY['"Shop"'], '"app"', false)`,
		`CREATE TABLE "Shop".orders (n int, secret text, price int)`, `CREATE TABLE "Shop"."odd "" name" (n int)`, `CREATE VIEW "Shop".report AS SELECT 1 AS n`,
		`GRANT SELECT, INSERT ON "Shop".orders TO app WITH GRANT OPTION`, `GRANT UPDATE ON "Shop".orders TO app`,
		`GRANT SELECT (n), UPDATE (price) ON "Shop"."orders" TO app`,
		`GRANT SELECT ON "Shop"."odd "" name", "Shop".report TO app`,
		`SELECT redshift.grants('GRANT', ARRAY['DROP'], 'TABLE', ARRAY['"Shop"."orders"'], '"app"', false)`,
		`CREATE FUNCTION "Shop".total(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'`, `CREATE PROCEDURE "Shop".load() LANGUAGE sql AS 'SELECT 1'`,
		`GRANT EXECUTE ON FUNCTION "Shop".total(int, text) TO app`, `GRANT EXECUTE ON PROCEDURE "Shop".load() TO app WITH GRANT OPTION`,
		`GRANT USAGE ON LANGUAGE plpgsql TO app`,
		`ALTER DEFAULT PRIVILEGES FOR USER maker IN SCHEMA "Shop" GRANT SELECT, INSERT ON TABLES TO app WITH GRANT OPTION`,
		`ALTER DEFAULT PRIVILEGES FOR USER maker GRANT EXECUTE ON FUNCTIONS TO app`,
		`ALTER DEFAULT PRIVILEGES FOR USER app GRANT SELECT ON TABLES TO analysts`,
	)
	c.exec("Sales", `CREATE SCHEMA north`, `GRANT USAGE ON SCHEMA north TO app`, `CREATE TABLE north.t (n int)`, `GRANT SELECT, DELETE, TRUNCATE ON north.t TO app`)
}

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

func (c *cluster) mustNotLeak() {
	c.t.Helper()
	logs, err := c.Database.Logs()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, label := range []string{rotation.Current, rotation.Previous} {
		_, password := c.credential(label)
		for where, text := range map[string]string{"the server's log": logs, "what clients sent": redshifttest.Log(c.Server), "the machine's log": c.log.String()} {
			if strings.Contains(text, password) || strings.Contains(text, adminPassword) {
				c.t.Errorf("a password is in %s", where)
			}
		}
	}
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
