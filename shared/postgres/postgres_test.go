package postgres_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/postgres"
	"github.com/rekey-aws/rekey/shared/rotation"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

func target(version string) dbusertest.Target {
	return dbusertest.Target{
		Engine: "postgres", Server: database.Postgres, Version: version,
		Driver: func(roots *x509.CertPool) dbuser.Driver { return postgres.Driver{Roots: roots} },
		CreateUser: func(user, password string) []string {
			return []string{"CREATE ROLE " + pq.QuoteIdentifier(user) + " LOGIN PASSWORD " + pq.QuoteLiteral(password)}
		},
		ChangePassword: func(user, password string) string {
			return "ALTER ROLE " + pq.QuoteIdentifier(user) + " PASSWORD " + pq.QuoteLiteral(password)
		},
	}
}

func TestPostgreSQL15(t *testing.T) { t.Parallel(); dbusertest.Exercise(t, target("15")) }
func TestPostgreSQL18(t *testing.T) { t.Parallel(); dbusertest.Exercise(t, target("18")) }

func TestReadOnlyReplica(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	primary := databasetest.Start(t, database.Options{Engine: database.Postgres, Version: "15"})
	replica := databasetest.StartReplica(t, primary)
	b := dbusertest.NewBench(t, target("15"), primary, "replicated", "Old-Password-of-replicated", map[string]any{"port": replica.Port})
	awaitReplay(t, primary, replica)
	dbusertest.MustFail(t, b.Rotate(t), rotation.ErrConfig, "read-only replica")
	b.MustFind(t, b.Diagnose(t), "login:ok server:fail", "read-only replica")
}

// awaitReplay waits until the replica has what the primary has.
func awaitReplay(t *testing.T, primary, replica *database.Server) {
	t.Helper()
	lsn, err := primary.Query(t.Context(), "SELECT pg_current_wal_lsn()")
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		rows, err := replica.Query(t.Context(), "SELECT pg_last_wal_replay_lsn() >= '"+lsn[0][0]+"'")
		if err != nil {
			t.Fatal(err)
		}
		if rows[0][0] == "true" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the replica does not follow")
}

// A server that is set to md5 may have clients that know nothing newer.
func TestServerSetToMD5(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	server := databasetest.Start(t, database.Options{Engine: database.Postgres, Version: "15", Auth: "md5"})
	b := dbusertest.NewBench(t, target("15"), server, "old_client", "Old-Password-of-old-client")
	if err := b.Rotate(t); err != nil {
		t.Fatal(err)
	}
	b.MustBeConsistent(t)
	stored, err := server.Query(t.Context(), "SELECT rolpassword FROM pg_authid WHERE rolname = 'old_client'")
	if err != nil || !strings.HasPrefix(stored[0][0], "md5") {
		t.Errorf("stored as %v, %v, want md5", stored, err)
	}
}

func TestRoles(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	server := databasetest.Shared(t, database.Postgres, "18")
	for _, c := range []struct {
		name  string
		alter []string
		kind  error
		says  string
	}{
		{"default_role", []string{"CREATE ROLE owner_of_default", "GRANT owner_of_default TO default_role", "ALTER ROLE default_role SET role = owner_of_default"}, nil, ""},
		{"more_rounds", []string{"ALTER ROLE more_rounds SET scram_iterations = 10000"}, nil, ""},
		{"expired", []string{"ALTER ROLE expired VALID UNTIL '2020-01-01'"}, rotation.ErrRefused, "expired"},
		{"nologin", []string{"ALTER ROLE nologin NOLOGIN"}, rotation.ErrDenied, "not permitted to log in"},
		{"crowded", []string{"ALTER ROLE crowded CONNECTION LIMIT 0"}, rotation.ErrUnreachable, "too many connections"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := dbusertest.NewBench(t, target("18"), server, c.name, "Old-Password-of-"+c.name)
			if err := server.Exec(t.Context(), c.alter...); err != nil {
				t.Fatal(err)
			}
			err := b.Rotate(t)
			if c.kind != nil {
				dbusertest.MustFail(t, err, c.kind, c.says)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b.MustBeConsistent(t)
		})
	}
}

// What a diagnosis looks for beside the login: a replica, and what RDS or a person forbids.
func TestDiagnosis(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	// The setting is RDS's; any server takes one with a dot in its name.
	server := databasetest.Start(t, database.Options{Engine: database.Postgres, Version: "18", Settings: map[string]string{"rds.restrict_password_commands": "on"}})
	if err := server.Exec(t.Context(), "CREATE ROLE rds_password"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, alter, finding, says string }{
		{"restricted", "ALTER ROLE restricted CONNECTION LIMIT 5", "login:ok server:ok privileges:fail", "rds_password"},
		{"member", "GRANT rds_password TO member", "login:ok server:ok privileges:ok", "one password per user"},
		{"ending", "ALTER ROLE ending VALID UNTIL 'tomorrow'", "login:ok server:ok account:warn", "no password of the role is taken after"},
		{"over", "ALTER ROLE over VALID UNTIL '2020-01-01'", "tls:ok login:fail", "refused"},
		{"nologin", "ALTER ROLE nologin NOLOGIN", "tls:ok login:fail", "not permitted to log in"},
	} {
		b := dbusertest.NewBench(t, target("18"), server, c.name, "Old-Password-of-"+c.name)
		if err := server.Exec(t.Context(), c.alter); err != nil {
			t.Fatal(err)
		}
		b.MustFind(t, b.Diagnose(t), c.finding, c.says)
	}
}
