package mysql_test

import (
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// account is a state that an account can be in, and what rotations make of it.
type account struct {
	name  string
	alter []string // %a is the account
	asked string   // the secret's "strategy"
	dual  bool     // it rotates so
	kind  error    // nil: it rotates
	says  string   // the error, or the log line of setSecret
}

func testAccounts(t *testing.T, engine database.Engine, accounts []account) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	server := databasetest.Start(t, database.Options{Engine: engine, LogStatements: true})
	if engine == database.MariaDB {
		if err := server.Exec(t.Context(), "INSTALL SONAME 'auth_ed25519'"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range accounts {
		t.Run(c.name, func(t *testing.T) {
			target := target(engine, "")
			target.Dual = c.dual
			extra := map[string]any{}
			if c.asked != "" {
				extra["strategy"] = c.asked
			}
			b := dbusertest.NewBench(t, target, server, c.name, "Old-Password-of-"+c.name, extra)
			for _, statement := range c.alter {
				if err := server.Exec(t.Context(), strings.ReplaceAll(statement, "%a", c.name+"@'%'")); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				err := b.Rotate(t)
				if c.kind != nil {
					dbusertest.MustFail(t, err, c.kind, c.says)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				b.MustBeConsistent(t)
			}
			b.MustNotBeLogged(t)
			if !strings.Contains(b.Logs(), c.says) {
				t.Errorf("the log does not say %q:\n%s", c.says, b.Logs())
			}
		})
	}
}

const (
	mayKeep   = "GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO %a"
	mayManage = "GRANT CREATE USER ON *.* TO %a"
)

func TestMySQLAccounts(t *testing.T) {
	testAccounts(t, database.MySQL, []account{
		{name: "ordinary", says: "APPLICATION_PASSWORD_ADMIN is not granted to `ordinary`@`%`"},
		{name: "asks_too_much", asked: "dual", kind: rotation.ErrDenied, says: "APPLICATION_PASSWORD_ADMIN is not granted"},
		{name: "keeper", alter: []string{mayKeep}, dual: true, says: `"strategy":"dual"`},
		{name: "keeper_asks", alter: []string{mayKeep}, asked: "dual", dual: true},
		{name: "keeper_declines", alter: []string{mayKeep}, asked: "single", says: "the secret asks for it"},
		{name: "by_role", alter: []string{"CREATE ROLE keepers", "GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO keepers", "GRANT keepers TO %a", "SET DEFAULT ROLE keepers TO %a"}, dual: true},
		{name: "manager", alter: []string{mayManage}, dual: true},
		{name: "manager_declines", alter: []string{mayManage}, asked: "single"},
		{name: "seer", alter: []string{mayKeep, "GRANT SELECT ON mysql.user TO %a"}, dual: true},
		{name: "older_plugin", alter: []string{"ALTER USER %a IDENTIFIED WITH sha256_password BY 'Old-Password-of-older_plugin'"}},
		{name: "older_keeper", alter: []string{"ALTER USER %a IDENTIFIED WITH sha256_password BY 'Old-Password-of-older_keeper'", mayKeep}, dual: true},
		{name: "expired", alter: []string{"ALTER USER %a PASSWORD EXPIRE"}, kind: rotation.ErrDenied, says: "has expired"},
		{name: "require_current", alter: []string{"ALTER USER %a PASSWORD REQUIRE CURRENT"}},
		{name: "require_keeper", alter: []string{"ALTER USER %a PASSWORD REQUIRE CURRENT", mayKeep}, says: "has PASSWORD REQUIRE CURRENT"},
		{name: "require_ssl", alter: []string{"ALTER USER %a REQUIRE SSL"}},
		{name: "history", alter: []string{"ALTER USER %a PASSWORD HISTORY 5", "ALTER USER %a IDENTIFIED BY 'Old-Password-of-history'", mayKeep}, says: "password policy"},
		{name: "history_manager", alter: []string{"ALTER USER %a PASSWORD HISTORY 5", mayManage}, dual: true},
		{name: "locked", alter: []string{"ALTER USER %a ACCOUNT LOCK"}, kind: rotation.ErrDenied, says: "locked"},
		{name: "mistyped", asked: "duel", kind: rotation.ErrConfig, says: `"strategy"`},
	})
}

// native is what CREATE USER gave the account, and a further password.
func native(name string) string {
	return "ALTER USER %a IDENTIFIED VIA mysql_native_password USING PASSWORD('Another-Password') OR mysql_native_password USING PASSWORD('Old-Password-of-" + name + "')"
}

func TestMariaDBAccounts(t *testing.T) {
	testAccounts(t, database.MariaDB, []account{
		{name: "ordinary", says: "CREATE USER is not granted to `ordinary`@`%`"},
		{name: "asks_too_much", asked: "dual", kind: rotation.ErrDenied, says: "CREATE USER is not granted"},
		{name: "manager", alter: []string{mayManage}, dual: true},
		{name: "manager_asks", alter: []string{mayManage}, asked: "dual", dual: true},
		{name: "manager_declines", alter: []string{mayManage}, asked: "single"},
		{name: "by_role", alter: []string{"CREATE ROLE managers", "GRANT CREATE USER ON *.* TO managers", "GRANT managers TO %a", "SET DEFAULT ROLE managers FOR %a"}, dual: true},
		{name: "edwards", alter: []string{"ALTER USER %a IDENTIFIED VIA ed25519 USING PASSWORD('Old-Password-of-edwards')"}, says: "authenticates by ed25519"},
		{name: "edwards_asks", alter: []string{"ALTER USER %a IDENTIFIED VIA ed25519 USING PASSWORD('Old-Password-of-edwards_asks')", mayManage}, asked: "dual", kind: rotation.ErrConfig, says: "authenticates by ed25519"},
		{name: "socket_too", alter: []string{"ALTER USER %a IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('Old-Password-of-socket_too')"}},
		{name: "socket_manager", alter: []string{"ALTER USER %a IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('Old-Password-of-socket_manager')", mayManage}, dual: true},
		{name: "expired", alter: []string{"ALTER USER %a PASSWORD EXPIRE"}, kind: rotation.ErrDenied, says: "has expired"},
		{name: "require_ssl", alter: []string{"ALTER USER %a REQUIRE SSL"}},
		{name: "locked", alter: []string{"ALTER USER %a ACCOUNT LOCK"}, kind: rotation.ErrDenied, says: "locked"},
		{name: "two_passwords", alter: []string{native("two_passwords")}, kind: rotation.ErrDenied, says: "2 passwords"},
		{name: "two_manager", alter: []string{native("two_manager"), mayManage}, dual: true},
		{name: "two_declines", alter: []string{native("two_declines"), mayManage}, asked: "single"},
	})
}

// A secret that rotated with dual passwords is switched to single: the next
// rotation ends both.
func TestBackToSingle(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	for _, engine := range []database.Engine{database.MySQL, database.MariaDB} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			server := databasetest.Start(t, database.Options{Engine: engine})
			before := dbusertest.NewBench(t, dual(engine, ""), server, "returns", "Old-Password-of-returns")
			for range 2 {
				if err := before.Rotate(t); err != nil {
					t.Fatal(err)
				}
				before.MustBeConsistent(t)
			}
			after := before.With(t, target(engine, ""), map[string]any{"strategy": "single"})
			if err := after.Rotate(t); err != nil {
				t.Fatal(err)
			}
			after.MustBeConsistent(t) // neither previous nor anything older logs in
		})
	}
}

// The server's policy changes: it no longer lets the account keep its old
// password, but the account still has one of before.
func TestHistoryAfterDual(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	server := databasetest.Start(t, database.Options{Engine: database.MySQL})
	before := dbusertest.NewBench(t, dual(database.MySQL, ""), server, "remembers", "Old-Password-of-remembers")
	if err := server.Exec(t.Context(), "ALTER USER remembers@'%' PASSWORD HISTORY 5"); err != nil {
		t.Fatal(err)
	}
	if err := before.Rotate(t); err != nil {
		t.Fatal(err)
	}
	before.MustBeConsistent(t)
	after := before.With(t, target(database.MySQL, ""), nil)
	if err := after.Rotate(t); err != nil {
		t.Fatal(err)
	}
	after.MustBeConsistent(t)
}

// One user, accounts on two hosts.
func TestSeveralHosts(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	const password = "Old-Password-of-hosted"
	for engine, table := range map[database.Engine]string{database.MySQL: "mysql.user", database.MariaDB: "mysql.global_priv"} {
		server := databasetest.Start(t, database.Options{Engine: engine, LogStatements: true})
		bench := func(t *testing.T, user, otherPassword string, grants ...string) *dbusertest.Bench {
			b := dbusertest.NewBench(t, target(engine, ""), server, user, password)
			// The test's logins come from 127.0.0.1, the function's account is the
			// more specific one.
			statements := []string{"CREATE USER " + user + "@'127.0.0.1' IDENTIFIED BY '" + password + "'", "ALTER USER " + user + "@'%' IDENTIFIED BY '" + otherPassword + "'"}
			for _, g := range grants {
				statements = append(statements, "GRANT "+g+" TO "+user+"@'127.0.0.1'")
			}
			if err := server.Exec(t.Context(), statements...); err != nil {
				t.Fatal(err)
			}
			return b
		}
		// other is whether a password is that of the account on the other host.
		other := func(t *testing.T, b *dbusertest.Bench, user, p string) bool {
			if err := server.Exec(t.Context(), "DROP USER "+user+"@'127.0.0.1'"); err != nil {
				t.Fatal(err)
			}
			return server.Login(t.Context(), user, p) == nil
		}
		see := "SELECT ON " + table
		if engine == database.MariaDB {
			see = "SELECT ON mysql.*" // SHOW CREATE USER asks for all of it
		}
		t.Run(string(engine)+" seen and allowed", func(t *testing.T) {
			b := bench(t, "hosted", password, see, "CREATE USER ON *.*")
			for range 2 {
				if err := b.Rotate(t); err != nil {
					t.Fatal(err)
				}
			}
			if !other(t, b, "hosted", b.Password(t, rotation.Current)) {
				t.Error("the account on the other host was left behind")
			}
			if server.Login(t.Context(), "hosted", b.Password(t, rotation.Previous)) != nil {
				t.Error("the old password does not log in on the other host")
			}
			b.MustNotBeLogged(t)
		})
		t.Run(string(engine)+" seen and not allowed", func(t *testing.T) {
			b := bench(t, "refusing", password, see)
			dbusertest.MustFail(t, b.Rotate(t), rotation.ErrDenied, "`refusing`@`%`")
			if server.Login(t.Context(), "refusing", password) != nil {
				t.Error("the password changed")
			}
		})
		t.Run(string(engine)+" with another password", func(t *testing.T) {
			b := bench(t, "stranger", "Somebody-Elses", see, "CREATE USER ON *.*")
			if err := b.Rotate(t); err != nil {
				t.Fatal(err)
			}
			if !other(t, b, "stranger", "Somebody-Elses") {
				t.Error("an account that was not ours was changed")
			}
		})
	}
}
