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

func TestMySQL9(t *testing.T) { t.Parallel(); dbusertest.Exercise(t, target(database.MySQL, "9")) }
func TestMariaDB(t *testing.T) {
	t.Parallel()
	dbusertest.Exercise(t, target(database.MariaDB, "10.11"))
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
			dbusertest.MustFail(t, b2.Rotate(t), rotation.ErrConfig, "read-only")
		})
	}
}

// account is a state that an account can be in, and what a rotation makes of it.
type account struct {
	name  string
	alter []string // %a is the account
	kind  error    // nil: it rotates
	says  string
}

func testAccounts(t *testing.T, engine database.Engine, accounts []account) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	server := databasetest.Start(t, database.Options{Engine: engine, LogStatements: true})
	for _, c := range accounts {
		b := dbusertest.NewBench(t, target(engine, ""), server, c.name, "Old-Password-of-"+c.name)
		for _, statement := range c.alter {
			if err := server.Exec(t.Context(), strings.ReplaceAll(statement, "%a", c.name+"@'%'")); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		t.Run(c.name, func(t *testing.T) {
			err := b.Rotate(t)
			if c.kind != nil {
				dbusertest.MustFail(t, err, c.kind, c.says)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b.MustBeConsistent(t)
			b.MustNotBeLogged(t)
		})
	}
}

func TestMySQLAccounts(t *testing.T) {
	testAccounts(t, database.MySQL, []account{
		{"ordinary", nil, nil, ""},
		{"manager", []string{"GRANT CREATE USER ON *.* TO %a"}, nil, ""},
		{"older_plugin", []string{"ALTER USER %a IDENTIFIED WITH sha256_password BY 'Old-Password-of-older_plugin'"}, nil, ""},
		{"expired", []string{"ALTER USER %a PASSWORD EXPIRE"}, rotation.ErrDenied, "has expired"},
		{"require_current", []string{"ALTER USER %a PASSWORD REQUIRE CURRENT"}, nil, ""},
		{"require_ssl", []string{"ALTER USER %a REQUIRE SSL"}, nil, ""},
		{"locked", []string{"ALTER USER %a ACCOUNT LOCK"}, rotation.ErrDenied, "locked"},
	})
}

func TestMariaDBAccounts(t *testing.T) {
	testAccounts(t, database.MariaDB, []account{
		{"ordinary", nil, nil, ""},
		{"edwards", []string{"INSTALL SONAME 'auth_ed25519'", "ALTER USER %a IDENTIFIED VIA ed25519 USING PASSWORD('Old-Password-of-edwards')"}, nil, ""},
		{"socket_too", []string{"ALTER USER %a IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('Old-Password-of-socket_too')"}, nil, ""},
		{"expired", []string{"ALTER USER %a PASSWORD EXPIRE"}, rotation.ErrDenied, "has expired"},
		{"require_ssl", []string{"ALTER USER %a REQUIRE SSL"}, nil, ""},
		{"locked", []string{"ALTER USER %a ACCOUNT LOCK"}, rotation.ErrDenied, "locked"},
		{
			"two_passwords",
			[]string{"ALTER USER %a IDENTIFIED VIA mysql_native_password USING PASSWORD('Old-Password-of-two_passwords') OR mysql_native_password USING PASSWORD('Another-Password')"},
			rotation.ErrConfig, "2 passwords",
		},
	})
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
}
