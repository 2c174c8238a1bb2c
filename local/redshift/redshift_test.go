package redshift_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/redshift"
	"github.com/rekey-aws/rekey/local/redshift/redshifttest"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

// as is a pool of a user's, through the filter.
func as(t *testing.T, s *redshift.Server, user, password string) *sql.DB {
	t.Helper()
	connector, err := pq.NewConnectorConfig(pq.Config{Host: "127.0.0.1", Port: uint16(s.Port), User: user, Password: password, Database: redshift.Database, SSLMode: pq.SSLModeRequire})
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

// What Redshift's documentation has passes; what it has not is refused, as are
// the ways of writing it that only PostgreSQL knows.
func TestFilter(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	c := redshifttest.Start(t)
	if err := c.Database.Exec(t.Context(), "CREATE ROLE root LOGIN SUPERUSER PASSWORD 'Password-1'", "CREATE ROLE app LOGIN"); err != nil {
		t.Fatal(err)
	}
	db := as(t, c.Server, "root", "Password-1")
	const verifier = "md5ea95b76a2d52ee435204ed1cdc55f3a2"
	for _, statement := range []string{
		`SELECT 1`, `SELECT current_user`, `SELECT usename FROM pg_user WHERE usename = 'a' || CHR(92) || 'b'`, `SELECT groname, grolist FROM pg_group`,
		`SELECT n.nspname, c.relname FROM pg_class c, pg_namespace n WHERE n.oid = c.relnamespace`, `SELECT 1; SELECT 'a;b'; SELECT ";" FROM (SELECT 1 AS ";") x`,
		`ALTER USER "app" PASSWORD '` + verifier + `'`, `ALTER USER "app" PASSWORD '` + verifier + `' VALID UNTIL '2041-01-01'`,
		`CREATE GROUP "g"`, `CREATE USER "x" PASSWORD DISABLE IN GROUP "g"`, `ALTER GROUP "g" ADD USER "app"`, `ALTER USER "x" CONNECTION LIMIT UNLIMITED`,
		`ALTER USER "x" SYSLOG ACCESS UNRESTRICTED`, `ALTER USER "x" SESSION TIMEOUT 60`, `ALTER USER "x" SET "search_path" TO "$user", "public"`,
		`GRANT CREATE, TEMP ON DATABASE "dev" TO "x"`, `GRANT SHARE ON DATASHARE "d" TO "x"`, `REVOKE SHARE ON DATASHARE "d" FROM "x"`,
		`GRANT EXPLAIN RLS TO "x"`, `GRANT ASSUMEROLE ON 'arn:aws:iam::123456789012:role/r' TO "x" FOR COPY`, `GRANT SELECT FOR TABLES IN SCHEMA "public" TO "x"`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for statement, says := range map[string]string{
		`ALTER USER "app" PASSWORD 'Clear-Text-1'`:                "clear text",
		`ALTER ROLE "app" PASSWORD '` + verifier + `'`:            "syntax error",
		`ALTER USER "app" PASSWORD 'SCRAM-SHA-256$4096:a$b:c'`:    "clear text",
		`SELECT 'back\slash'`:                                     "backslash",
		`SELECT E'x'`:                                             "syntax error",
		`SELECT 1::text`:                                          "syntax error",
		`SELECT $$x$$`:                                            "syntax error",
		`SELECT pg_advisory_lock(1)`:                              "does not exist",
		`SELECT FROM pg_user`:                                     "syntax error",
		`SELECT rolname FROM pg_roles`:                            "does not exist",
		`SELECT usename FROM pg_user, svv_user_info`:              "not supported",
		`SELECT passwd FROM pg_shadow`:                            "does not exist",
		`SELECT nothing FROM svv_user_info`:                       "does not exist",
		`COMMENT ON ROLE "app" IS 'x'`:                            "syntax error",
		`DO $$ BEGIN END $$`:                                      "syntax error",
		`GRANT ROLE "none" TO "app"`:                              "does not exist",
		`GRANT USAGE ON DATASHARE "d" TO "app"`:                   "syntax error",
		`GRANT SHARE ON DATASHARE "d", "e" TO "app"`:              "syntax error",
		`GRANT CREATE USER TO "app"`:                              "syntax error",
		`CREATE USER "y" PASSWORD NULL`:                           "syntax error",
		`REASSIGN OWNED BY "app" TO "root"`:                       "syntax error",
		`SELECT 1; ALTER USER "app" PASSWORD 'Clear-Text-1'`:      "clear text",
		`ALTER USER "app" RENAME TO "other"`:                      "syntax error",
		`SELECT set_config('x', 'y', false)`:                      "does not exist",
		`ALTER USER "app" PASSWORD '` + verifier + `' CREATEUSER`: "syntax error",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if n := len(c.Refused()); n != 23 { // two are refused behind the filter
		t.Errorf("%d statements were refused: %q", n, c.Refused())
	}
}

// Passwords: PostgreSQL 8.0's code, no SCRAM, a question of its own for SHA-256;
// and what regular users see of others.
func TestLogins(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	c := redshifttest.Start(t)
	if err := c.Database.Exec(t.Context(), "CREATE ROLE app LOGIN PASSWORD 'Password-1'", "CREATE ROLE other LOGIN PASSWORD 'Password-1'", "CREATE ROLE hashed LOGIN PASSWORD 'Password-1'"); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(t.Context(), "dev", fmt.Sprintf("SELECT redshift.set_digest('hashed', 'sha256|%064x|%064x', '')", 1, 2)); err != nil {
		t.Fatal(err)
	}
	var refused *pq.Error
	if err := as(t, c.Server, "app", "Password-2").PingContext(t.Context()); !errors.As(err, &refused) || refused.Code != "28000" || !strings.Contains(refused.Message, "password authentication failed") {
		t.Errorf("a wrong password: %v", err)
	}
	if err := as(t, c.Server, "hashed", "Password-1").PingContext(t.Context()); err == nil || !strings.Contains(err.Error(), "unknown authentication response") {
		t.Errorf("a password stored as SHA-256: %v", err)
	}
	app := as(t, c.Server, "app", "Password-1")
	var seen int
	if err := app.QueryRowContext(t.Context(), "SELECT count(*) FROM svv_user_info").Scan(&seen); err != nil || seen != 1 {
		t.Errorf("a user sees %d users' details, %v", seen, err)
	}
	for _, statement := range []string{`ALTER USER "other" PASSWORD 'md5ea95b76a2d52ee435204ed1cdc55f3a2'`, `GRANT EXPLAIN RLS TO "app"`, `CREATE GROUP "mine"`} {
		if _, err := app.ExecContext(t.Context(), statement); !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("a regular user: %s: %v", statement, err)
		}
	}

	scram := databasetest.Start(t, database.Options{Engine: database.Postgres, Version: "15"})
	if err := scram.Exec(t.Context(), "CREATE ROLE app LOGIN PASSWORD 'Password-1'"); err != nil {
		t.Fatal(err)
	}
	if err := as(t, redshifttest.Before(t, scram), "app", "Password-1").PingContext(t.Context()); err == nil || !strings.Contains(err.Error(), "unsupported authentication method") {
		t.Errorf("SCRAM: %v", err)
	}
}
