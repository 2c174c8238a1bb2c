package redshift_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/redshift/redshifttest"
	"github.com/rekey-aws/rekey/shared/dbuser"
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
