package mysql_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/mysql"
	"github.com/rekey-aws/rekey/shared/rotation"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

// literal quotes for a server without NO_BACKSLASH_ESCAPES.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(s) + "'"
}

func target(engine database.Engine, version string) dbusertest.Target {
	return dbusertest.Target{
		Engine: string(engine), Server: engine, Version: version,
		Driver: func(roots *x509.CertPool) dbuser.Driver {
			return mysql.Driver{MariaDB: engine == database.MariaDB, Roots: roots}
		},
		CreateUser: func(user, password string) []string {
			return []string{"CREATE USER " + literal(user) + "@'%' IDENTIFIED BY " + literal(password)}
		},
		ChangePassword: func(user, password string) string {
			return "ALTER USER " + literal(user) + "@'%' IDENTIFIED BY " + literal(password)
		},
	}
}

// dual is the target whose users may keep their old password.
func dual(engine database.Engine, version string) dbusertest.Target {
	target := target(engine, version)
	target.Dual = true
	create := target.CreateUser
	target.CreateUser = func(user, password string) []string {
		privilege := "CREATE USER"
		if engine == database.MySQL {
			privilege = "APPLICATION_PASSWORD_ADMIN"
		}
		return append(create(user, password), "GRANT "+privilege+" ON *.* TO "+literal(user)+"@'%'")
	}
	return target
}

func TestMySQL9(t *testing.T) { t.Parallel(); dbusertest.Exercise(t, target(database.MySQL, "9")) }
func TestMariaDB(t *testing.T) {
	t.Parallel()
	dbusertest.Exercise(t, target(database.MariaDB, "10.11"))
}

func TestDualMySQL9(t *testing.T) {
	t.Parallel()
	dbusertest.Exercise(t, dual(database.MySQL, "9"))
}

func TestDualMariaDB(t *testing.T) {
	t.Parallel()
	dbusertest.Exercise(t, dual(database.MariaDB, "10.11"))
}

func TestReadOnlyReplica(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	for _, engine := range []database.Engine{database.MySQL, database.MariaDB} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			server := databasetest.Start(t, database.Options{Engine: engine})
			b := dbusertest.NewBench(t, target(engine, ""), server, "replicated", "Old-Password-of-replicated")
			// An account that may write all the same must not make the replica
			// differ from its source.
			b2 := dbusertest.NewBench(t, target(engine, ""), server, "mighty", "Old-Password-of-mighty")
			if err := server.Exec(t.Context(), "GRANT ALL ON *.* TO mighty@'%'"); err != nil {
				t.Fatal(err)
			}
			if err := server.SetReadOnly(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			dbusertest.MustFail(t, b.Rotate(t), rotation.ErrConfig, "read-only")
			b.MustFind(t, b.Diagnose(t), "login:ok server:fail", "read-only")
			dbusertest.MustFail(t, b2.Rotate(t), rotation.ErrConfig, "read-only")
		})
	}
}

// A backslash in a literal means what the server's sql_mode says.
func TestNoBackslashEscapes(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	server := databasetest.Start(t, database.Options{Engine: database.MySQL, Settings: map[string]string{"sql-mode": "NO_BACKSLASH_ESCAPES"}})
	b := dbusertest.NewBench(t, target(database.MySQL, ""), server, "backslashes", "Old-Password-of-backslashes")
	if err := b.RotateTo(t, `New\Pass\\word\'`); err != nil {
		t.Fatal(err)
	}
	b.MustBeConsistent(t)
	// The current password, which has backslashes now, must be told too.
	if err := server.Exec(t.Context(), "ALTER USER backslashes@'%' PASSWORD REQUIRE CURRENT"); err != nil {
		t.Fatal(err)
	}
	if err := b.RotateTo(t, "New-Password-without"); err != nil {
		t.Fatal(err)
	}
	b.MustBeConsistent(t)
}
