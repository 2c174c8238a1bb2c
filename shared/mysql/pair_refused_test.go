package mysql_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// mustRefuse asserts that both CheckPair and SetPair refuse for a reason, and
// that nothing changed.
func (d duo) mustRefuse(t *testing.T, kind error, says, hint string, credential ...string) {
	t.Helper()
	before := d.shape(t, d.Base) + d.shape(t, d.Clone)
	s := d.admin(t, credential...)
	_, err := s.SetPair(t.Context(), d.pending(d.Clone), rotation.TextValue("Refused-Password-of-pair"))
	for _, err := range []error{s.CheckPair(t.Context(), d.pending(d.Clone)), err} {
		if !errors.Is(err, kind) || !strings.Contains(err.Error(), says) || !strings.Contains(rotation.Hint(err), hint) {
			t.Errorf("got %v (hint: %s)\nwant %v, %q, hint %q", err, rotation.Hint(err), kind, says, hint)
		}
	}
	if after := d.shape(t, d.Base) + d.shape(t, d.Clone); after != before {
		t.Errorf("something changed:\n%s\n--- to\n%s", before, after)
	}
}

func TestPairRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		longest := strings.Repeat("ü", 32-len("_clone"))
		if server.Engine == database.MariaDB {
			longest = strings.Repeat("ü", 80-len("_clone"))
		}
		newDuo(t, server, longest, "GRANT SELECT ON `l`.* TO %b").rotate(t, longest+"_clone", "Second-Password-of-pair")
		longer := duo{server, dbuser.Pair{Base: longest + "y", Clone: longest + "y_clone"}}
		longer.mustRefuse(t, rotation.ErrConfig, "characters", "shorter")

		d := newDuo(t, server, "absent", "DROP USER %b")
		d.mustRefuse(t, rotation.ErrConfig, "no such user", "Create the user")
		d = newDuo(t, server, "shut", "ALTER USER %b ACCOUNT LOCK")
		d.mustRefuse(t, rotation.ErrConfig, "is locked", "ACCOUNT UNLOCK")
		d = newDuo(t, server, "proxying", "CREATE USER IF NOT EXISTS someone_%n", "REPLACE INTO mysql.proxies_priv (Host, User, Proxied_host, Proxied_user, Grantor) VALUES ('%', 'proxying', '%', 'someone_proxying', '')", "FLUSH PRIVILEGES")
		d.mustRefuse(t, rotation.ErrConfig, "PROXY", "role")

		if server.Engine == database.MariaDB {
			d = newDuo(t, server, "a_role", "DROP USER %b", "DROP ROLE IF EXISTS a_role", "CREATE ROLE a_role")
			d.mustRefuse(t, rotation.ErrConfig, "is a role", "Name a user")
		} else {
			d = newDuo(t, server, "old_plugin", "ALTER USER %b IDENTIFIED WITH sha256_password BY 'x-Aa1-Password'")
			d.mustRefuse(t, rotation.ErrConfig, "sha256_password", "caching_sha2_password")
		}

		for _, system := range []string{"root", "mysql.sys", "rdsadmin", server.AdminUser} {
			p := duo{server, d.Pair}.Pair
			p.Base, p.Clone, p.Pending = system, system+"_clone", system+"_clone"
			if err := d.admin(t).CheckPair(t.Context(), p); !errors.Is(err, rotation.ErrConfig) {
				t.Errorf("%s: got %v", system, err)
			}
		}
		if err := d.admin(t).SetPasswordOf(t.Context(), "nobody_at_all", rotation.TextValue("x")); !errors.Is(err, rotation.ErrConfig) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPairOfAForeignClone(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		d := newDuo(t, server, "taken", "GRANT SELECT ON `d_%n`.* TO %b", "CREATE USER %c IDENTIFIED BY 'Password-of-another'", "GRANT SELECT, DROP ON `d_%n`.* TO %c")
		d.mustRefuse(t, rotation.ErrConfig, "DROP on `d_taken`.*", "revoke")
		d.mustLogin(t, d.Clone, "Password-of-another")
		// If it is the one in use, it is left alone, and the base user's turn goes on.
		if told := d.set(t, d.Base, "Second-Password-of-pair"); len(told) != 1 || !strings.Contains(told[0], "left alone") {
			t.Errorf("changes: %q", told)
		}
		d = newDuo(t, server, "role_taken", "DROP ROLE IF EXISTS role_taken_clone", "CREATE ROLE role_taken_clone", "GRANT role_taken_clone TO %b")
		d.mustRefuse(t, rotation.ErrConfig, "is a role", "rename")
		if server.Engine == database.MySQL {
			d = newDuo(t, server, "marked", "CREATE USER %c IDENTIFIED BY 'Password-of-another' ATTRIBUTE '{\"rekey\": {\"clone_of\": \"other\"}}'")
			d.mustRefuse(t, rotation.ErrConfig, `the clone of "other"`, "rename")
		}
	})
}

// The administrator that lacks something learns what, before anything changes.
func TestPairOfAnAdministratorWithout(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		const password = "Password-of-limited"
		d := newDuo(t, server, "privileged", rich(server.Engine)...)
		d.run(t, "DROP USER IF EXISTS lim1", "CREATE USER lim1 IDENTIFIED BY '"+password+"'", "GRANT CREATE USER ON *.* TO lim1")
		d.mustRefuse(t, rotation.ErrDenied, "privileged", "GRANT SELECT ON mysql.* TO 'lim1'@'%'", "lim1", password)
		d.run(t, "DROP USER IF EXISTS lim2", "CREATE USER lim2 IDENTIFIED BY '"+password+"'", "GRANT SELECT ON mysql.* TO lim2")
		d.mustRefuse(t, rotation.ErrDenied, "CREATE USER on *.*", "GRANT CREATE USER ON *.* TO 'lim2'@'%'", "lim2", password)
		d.run(t, "DROP USER IF EXISTS lim3", "CREATE USER lim3 IDENTIFIED BY '"+password+"'", "GRANT ALL ON *.* TO lim3")
		d.mustRefuse(t, rotation.ErrDenied, "GRANT OPTION on *.*", "WITH GRANT OPTION", "lim3", password)
		d.run(t, "DROP USER IF EXISTS lim4", "CREATE USER lim4 IDENTIFIED BY '"+password+"'", "GRANT SELECT, INSERT, PROCESS, CREATE USER ON *.* TO lim4 WITH GRANT OPTION")
		d.mustRefuse(t, rotation.ErrDenied, "ALL PRIVILEGES on `all_privileged`.*", "GRANT ALL PRIVILEGES ON `all_privileged`.* TO 'lim4'@'%' WITH GRANT OPTION", "lim4", password)

		// What the hints say is enough: carry them out until it works.
		d.run(t, "DROP USER IF EXISTS lim5", "CREATE USER lim5 IDENTIFIED BY '"+password+"'")
		for range 9 {
			s := d.admin(t, "lim5", password)
			err := s.CheckPair(t.Context(), d.pending(d.Clone))
			if err == nil {
				break
			}
			for _, statement := range strings.Split(strings.TrimPrefix(rotation.Hint(err), "The administrator must read accounts: "), "; ") {
				if statement = strings.TrimRight(statement, ";.… "); statement != "" {
					d.run(t, statement)
				}
			}
		}
		if _, err := d.admin(t, "lim5", password).SetPair(t.Context(), d.pending(d.Clone), rotation.TextValue("Second-Password-of-pair")); err != nil {
			t.Error(err)
		}
		d.mustLogin(t, d.Clone, "Second-Password-of-pair")
		d.mustBeEqual(t)

		if server.Engine == database.MySQL {
			e := newDuo(t, server, "systemic")
			e.rotate(t, e.Clone, "Second-Password-of-pair")
			e.run(t, "GRANT SYSTEM_USER ON *.* TO %b, %c")
			e.mustRefuse(t, rotation.ErrDenied, "SYSTEM_USER", "GRANT SYSTEM_USER ON *.* TO 'lim5'@'%';", "lim5", password)
		}

		// The privileges may come by a role that is active in the session.
		d.run(t, "DROP ROLE IF EXISTS boss", "CREATE ROLE boss", "GRANT ALL ON *.* TO boss WITH GRANT OPTION", "DROP USER IF EXISTS lim6", "CREATE USER lim6 IDENTIFIED BY '"+password+"'", "GRANT boss TO lim6")
		if server.Engine == database.MariaDB {
			d.run(t, "SET DEFAULT ROLE boss FOR lim6")
		} else {
			d.run(t, "SET DEFAULT ROLE boss TO lim6")
		}
		e := newDuo(t, server, "by_role", "GRANT SELECT ON x.* TO %b")
		if _, err := e.admin(t, "lim6", password).SetPair(t.Context(), e.pending(e.Clone), rotation.TextValue("Second-Password-of-pair")); err != nil {
			t.Error(err)
		}
		e.mustBeEqual(t)
	})
}

func TestPairOnAReadOnlyServer(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	for _, engine := range []database.Engine{database.MySQL, database.MariaDB} {
		server := databasetest.Start(t, database.Options{Engine: engine})
		d := newDuo(t, server, "replicated")
		if err := server.SetReadOnly(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		d.mustRefuse(t, rotation.ErrConfig, "read-only", "writer")
	}
}

// A pair that the official template for MySQL made: a password at once, grants
// after it, statement by statement, and no GRANT OPTION.
func TestPairOfTheOfficialTemplate(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		d := newDuo(t, server, "template", rich(server.Engine)...)
		d.run(t, "CREATE USER %c IDENTIFIED BY 'Password-by-template'", "GRANT SELECT ON `d\\_%n`.* TO %c", "GRANT SELECT, PROCESS ON *.* TO %c", "GRANT ALL ON `all_%n`.* TO %c")
		if told := strings.Join(d.rotate(t, d.Clone, "Second-Password-of-pair"), "\n"); strings.Contains(told, "created") || strings.Contains(told, "revoked") {
			t.Errorf("changes:\n%s", told)
		}
	})
}

func TestPairOfOddNames(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		for _, odd := range []string{`qu'o"te` + "`", `back\slash\`, "per%cent%s", "a TO b ON `c`", "ünïcødé", "emo😀ji", "semi;colon--", "at@host", "%", "two  spaces", "Case", "$1"} {
			d := newDuo(t, server, odd, "GRANT SELECT ON `d_%n`.* TO %b WITH GRANT OPTION")
			d.rotate(t, d.Clone, "Second-Password-of-pair")
			d.rotate(t, d.Base, "Third-Password-of-pair")
			if err := d.admin(t).SetPasswordOf(t.Context(), odd, rotation.TextValue("Fourth-Password-of-pair")); err != nil {
				t.Error(err)
			}
			d.mustLogin(t, d.Base, "Fourth-Password-of-pair")
			d.mustLogin(t, d.Clone, "Second-Password-of-pair")
		}
	})
}

// What the server would let nobody grant is left out, and told.
func TestPairWithGrantsOnWhatIsGone(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		d := newDuo(t, server, "orphaned", rich(server.Engine)...)
		d.run(t, "ALTER TABLE `d_%n`.t DROP COLUMN `c,d)`", "DROP TABLE `d_%n`.`q``'t`", "CREATE TABLE `d_%n`.u (a INT)", "GRANT SELECT, UPDATE (a) ON `d_%n`.u TO %b", "DROP TABLE `d_%n`.u")
		told := strings.Join(d.set(t, d.Clone, "Second-Password-of-pair"), "\n")
		for _, want := range []string{"could not grant SELECT (`c,d)`)", "could not grant UPDATE (`a`) on `d_orphaned`.`u`", "granted SELECT (`a`)"} {
			if !strings.Contains(told, want) {
				t.Errorf("%q is not in the changes:\n%s", want, told)
			}
		}
		d.mustLogin(t, d.Clone, "Second-Password-of-pair")
		d.run(t, "CREATE TABLE `d_%n`.u (a INT)", "CREATE TABLE `d_%n`.`q``'t` (a INT)", "ALTER TABLE `d_%n`.t ADD COLUMN `c,d)` INT")
		d.rotate(t, d.Clone, "Third-Password-of-pair")
	})
}

func TestPairTwiceAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		d := newDuo(t, server, "hasty", rich(server.Engine)...)
		var all sync.WaitGroup
		failed := make([]error, 4)
		for i := range failed {
			s := d.admin(t)
			all.Go(func() {
				_, failed[i] = s.SetPair(t.Context(), d.pending(d.Clone), rotation.TextValue("Second-Password-of-pair"))
			})
		}
		all.Wait()
		if err := errors.Join(failed...); err != nil {
			t.Error(err)
		}
		d.mustLogin(t, d.Clone, "Second-Password-of-pair")
		d.mustBeEqual(t)
	})
}

// A password that is set ends those that were valid beside the one before.
func TestPairEndsOlderPasswords(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		d := newDuo(t, server, "dual")
		d.rotate(t, d.Clone, "Second-Password-of-pair")
		second := []string{"ALTER USER %b IDENTIFIED BY 'Later-Password-of-pair' RETAIN CURRENT PASSWORD", "ALTER USER %c IDENTIFIED BY 'Later-Password-of-pair' RETAIN CURRENT PASSWORD"}
		if server.Engine == database.MariaDB {
			both := " IDENTIFIED VIA mysql_native_password USING PASSWORD('Later-Password-of-pair') OR mysql_native_password USING PASSWORD('" + firstPassword + "')"
			second = []string{"ALTER USER %b" + both + " OR unix_socket", "ALTER USER %c" + both}
		}
		d.run(t, second...)
		d.mustLogin(t, d.Base, firstPassword)
		d.set(t, d.Clone, "Third-Password-of-pair")
		d.mustLogin(t, d.Base, firstPassword)
		d.mustLogin(t, d.Base, "Later-Password-of-pair")
		d.mustLogin(t, d.Clone, "Third-Password-of-pair")
		d.set(t, d.Base, "Fourth-Password-of-pair")
		d.mustLogin(t, d.Base, "Fourth-Password-of-pair")
		for _, old := range []string{firstPassword, "Second-Password-of-pair", "Later-Password-of-pair"} {
			if d.server.Login(t.Context(), d.Base, old) == nil || d.server.Login(t.Context(), d.Clone, old) == nil {
				t.Errorf("%s still logs in", old)
			}
		}
		if server.Engine == database.MariaDB && (!strings.Contains(d.shape(t, d.Base), "unix_socket") || strings.Contains(d.shape(t, d.Clone), "unix_socket")) {
			t.Error("unix_socket belongs to the base user alone")
		}
	})
}

func TestPairOfEd25519(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	server := databasetest.Start(t, database.Options{Engine: database.MariaDB, LogStatements: true})
	d := newDuo(t, server, "edwards", "INSTALL SONAME 'auth_ed25519'", "ALTER USER %b IDENTIFIED VIA ed25519 USING PASSWORD('"+firstPassword+"')")
	d.rotate(t, d.Clone, "Second-Password-of-pair")
	d.rotate(t, d.Base, "Third-Password-of-pair")
	d.mustNotBeLogged(t, "Second-Password-of-pair", "Third-Password-of-pair")
}

// The server's own sql_mode changes neither what is sent nor what is read.
func TestPairUnderAnotherSQLMode(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	for _, engine := range []database.Engine{database.MySQL, database.MariaDB} {
		server := databasetest.Start(t, database.Options{Engine: engine, Settings: map[string]string{"sql-mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"}})
		d := newDuo(t, server, `qu'o"te`, append(rich(engine), `ALTER USER %b REQUIRE SUBJECT '/CN=a\b'`)...)
		d.set(t, d.Clone, "Second-Password-of-pair")
		d.run(t, "ALTER USER %b REQUIRE SSL")
		d.rotate(t, d.Clone, "Third-Password-of-pair")
	}
}

func TestPairRequirements(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		for i, require := range []string{"NONE", "SSL", "X509", `CIPHER 'x''y' AND ISSUER 'a\\b' AND SUBJECT '/CN=O''Neill'`} {
			d := newDuo(t, server, fmt.Sprintf("requiring_%d", i), "ALTER USER %b REQUIRE "+require)
			d.set(t, d.Clone, "Second-Password-of-pair")
			d.mustBeEqual(t)
			d.run(t, "ALTER USER %b REQUIRE SSL")
			d.rotate(t, d.Clone, "Third-Password-of-pair")
		}
	})
}
