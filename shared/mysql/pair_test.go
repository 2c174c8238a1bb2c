package mysql_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/mysql"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// onBoth runs a test on the shared servers of both engines.
func onBoth(t *testing.T, test func(t *testing.T, server *database.Server)) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	for engine, version := range map[database.Engine]string{database.MySQL: "9", database.MariaDB: "10.11"} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			test(t, databasetest.Shared(t, engine, version))
		})
	}
}

// duo is a pair of users on a server.
type duo struct {
	server *database.Server
	dbuser.Pair
}

const firstPassword = "First-Password-of-a-pair"

// newDuo makes the base user and runs statements, in which %b is its account,
// %c the clone's, and %n a name that no other test has. What the same test left
// when it ran before goes first.
func newDuo(t *testing.T, server *database.Server, name string, statements ...string) duo {
	t.Helper()
	d := duo{server, dbuser.Pair{Base: name, Clone: name + "_clone"}}
	var all []string
	for _, host := range []string{"", "@'127.0.0.1'", "@'10.%'", "@'10.0.0.0/255.0.0.0'"} {
		all = append(all, "DROP USER IF EXISTS %b"+host+", %c"+host)
	}
	all = append(all, "CREATE USER %b IDENTIFIED BY '"+firstPassword+"'")
	d.run(t, append(all, statements...)...)
	return d
}

func (d duo) account(user string) string { return literal(user) + "@'%'" }

func (d duo) run(t *testing.T, statements ...string) {
	t.Helper()
	fill := strings.NewReplacer(
		"%b@", literal(d.Base)+"@", "%c@", literal(d.Clone)+"@", "%b", d.account(d.Base), "%c", d.account(d.Clone),
		"%n", strings.ToLower(regexp.MustCompile(`\W`).ReplaceAllString(d.Base, "_")))
	filled := make([]string, len(statements))
	for i, s := range statements {
		filled[i] = fill.Replace(s)
	}
	if err := d.server.Exec(t.Context(), filled...); err != nil {
		t.Fatalf("%s: %v", strings.Join(filled, ";\n"), err)
	}
}

// admin logs in as the server's administrator, or as another.
func (d duo) admin(t *testing.T, credential ...string) dbuser.Administrator {
	t.Helper()
	user, password := d.server.AdminUser, d.server.AdminPassword
	if len(credential) > 0 {
		user, password = credential[0], credential[1]
	}
	driver := mysql.Driver{MariaDB: d.server.Engine == database.MariaDB, Roots: dbusertest.Roots(d.server)}
	session, err := driver.Login(t.Context(), dbuser.Login{
		Host: d.server.Host, Port: d.server.Port, ServerName: d.server.Host, Username: user, Password: rotation.TextValue(password),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session.(dbuser.Administrator)
}

func (d duo) pending(user string) dbuser.Pair {
	p := d.Pair
	p.Pending = user
	return p
}

// rotate sets the password of one of the two, and asserts that it works and that
// the two are equal.
func (d duo) rotate(t *testing.T, user, password string) []string {
	t.Helper()
	changes := d.set(t, user, password)
	d.mustLogin(t, user, password)
	d.mustBeEqual(t)
	return changes
}

func (d duo) set(t *testing.T, user, password string) []string {
	t.Helper()
	s := d.admin(t)
	if err := s.CheckPair(t.Context(), d.pending(user)); err != nil {
		t.Fatalf("CheckPair: %v", err)
	}
	changes, err := s.SetPair(t.Context(), d.pending(user), rotation.TextValue(password))
	if err != nil {
		t.Fatalf("SetPair: %v (%s)", err, rotation.Hint(err))
	}
	s.Close()
	return changes
}

func (d duo) mustLogin(t *testing.T, user, password string) {
	t.Helper()
	if err := d.server.Login(t.Context(), user, password); err != nil {
		t.Errorf("%q does not log in: %v", user, err)
	}
}

// verifiers are what differs between equal accounts: verifiers, the mark, and
// limits that MySQL shows to be none if they were ever named.
var verifiers = regexp.MustCompile(`( WITH)?( MAX_\w+ 0)+( PASSWORD)| MAX_\w+ 0|IDENTIFIED (BY PASSWORD|VIA|WITH) (?:'[^']*'(?: AS (?:'(?:[^'\\]|\\.|'')*'|<secret>|0x\w+))?|\w+ USING '[^']*')|, "rekey": \{"clone_of": "(?:[^"\\]|\\.)*"\}|"rekey": \{"clone_of": "(?:[^"\\]|\\.)*"\}(, )?| ATTRIBUTE '\{"rekey": .*\}'$`)

// shape is all that the server says of a user, without its name and password.
func (d duo) shape(t *testing.T, user string) string {
	t.Helper()
	stored := strings.Map(func(c rune) rune {
		if c > 0xFFFF {
			return '?'
		}
		return c
	}, user)
	table := "mysql.user"
	if d.server.Engine == database.MariaDB {
		table = "mysql.global_priv"
	}
	hosts, err := d.server.Query(t.Context(), "SELECT Host FROM "+table+" WHERE User = "+literal(stored)+" AND Host <> '' ORDER BY Host")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, h := range hosts {
		for _, show := range []string{"SHOW GRANTS FOR ", "SHOW CREATE USER "} {
			rows, err := d.server.Query(t.Context(), show+literal(stored)+"@"+literal(h[0]))
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				line := row[0]
				for _, q := range []string{"`", `"`} { // the latter under ANSI_QUOTES
					line = strings.ReplaceAll(line, q+strings.ReplaceAll(stored, q, q+q)+q+"@", "USER@")
				}
				lines = append(lines, h[0]+": "+verifiers.ReplaceAllString(line, "$3"))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (d duo) mustBeEqual(t *testing.T) {
	t.Helper()
	if base, clone := d.shape(t, d.Base), d.shape(t, d.Clone); base != clone || clone == "" {
		t.Errorf("the pair differs:\n--- base\n%s\n--- clone\n%s", base, clone)
	}
}

// rich is an account that has something of everything.
func rich(engine database.Engine) []string {
	statements := []string{
		"DROP DATABASE IF EXISTS `d_%n`", "DROP ROLE IF EXISTS r_%n, `s TO %n`", "CREATE DATABASE `d_%n`",
		"CREATE TABLE `d_%n`.t (a INT, `c,d)` INT)", "CREATE TABLE `d_%n`.`x TO y ON z` (a INT)", "CREATE TABLE `d_%n`.`q``'t` (a INT)",
		"CREATE PROCEDURE `d_%n`.p() SELECT 1", "CREATE FUNCTION `d_%n`.f() RETURNS INT DETERMINISTIC RETURN 1",
		"CREATE ROLE r_%n", "CREATE ROLE `s TO %n`", "GRANT r_%n TO %b WITH ADMIN OPTION", "GRANT `s TO %n` TO %b",
		"GRANT SELECT, PROCESS ON *.* TO %b WITH GRANT OPTION",
		"GRANT SELECT ON `d\\_%n`.* TO %b WITH GRANT OPTION", "GRANT ALL ON `all_%n`.* TO %b", "GRANT INSERT ON `%%_%n`.* TO %b",
		"GRANT SELECT (a, `c,d)`), UPDATE (a), DELETE ON `d_%n`.t TO %b", "GRANT SELECT ON `d_%n`.`x TO y ON z` TO %b WITH GRANT OPTION", "GRANT ALL ON `d_%n`.`q``'t` TO %b",
		"GRANT EXECUTE ON PROCEDURE `d_%n`.p TO %b WITH GRANT OPTION", "GRANT EXECUTE, ALTER ROUTINE ON FUNCTION `d_%n`.f TO %b",
		"ALTER USER %b REQUIRE SSL WITH MAX_USER_CONNECTIONS 17 MAX_QUERIES_PER_HOUR 10000 PASSWORD EXPIRE INTERVAL 90 DAY",
	}
	if engine == database.MariaDB {
		return append(statements, "SET DEFAULT ROLE r_%n FOR %b", "ALTER USER %b WITH MAX_STATEMENT_TIME 2.5")
	}
	return append(statements, "SET DEFAULT ROLE r_%n, `s TO %n` TO %b",
		"GRANT BACKUP_ADMIN ON *.* TO %b", "GRANT CONNECTION_ADMIN, XA_RECOVER_ADMIN ON *.* TO %b WITH GRANT OPTION",
		"ALTER USER %b PASSWORD HISTORY 3 PASSWORD REUSE INTERVAL 2 DAY PASSWORD REQUIRE CURRENT OPTIONAL FAILED_LOGIN_ATTEMPTS 50 PASSWORD_LOCK_TIME 1 ATTRIBUTE '{\"team\": {\"a\": [12345678901234567, \"ü😀''\"]}}'")
}

func TestPairFirstRotationAndToggle(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		d := newDuo(t, server, "toggled", rich(server.Engine)...)
		if changes := d.rotate(t, d.Clone, "Second-Password-of-pair"); len(changes) < 10 {
			t.Errorf("changes: %q", changes)
		}
		d.mustLogin(t, d.Base, firstPassword)
		for i, user := range []string{d.Base, d.Clone, d.Base, d.Clone} {
			if changes := d.rotate(t, user, fmt.Sprintf("Password-of-round-%d", i)); len(changes) != 0 {
				t.Errorf("equal users were changed: %q", changes)
			}
		}
		d.mustLogin(t, d.Base, "Password-of-round-2")
		d.mustNotBeLogged(t, firstPassword, "Second-Password-of-pair", "Password-of-round-2", "Password-of-round-3")
	})
}

func (d duo) mustNotBeLogged(t *testing.T, passwords ...string) {
	t.Helper()
	logs, err := d.server.Logs()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logs, d.Clone) {
		t.Fatal("the log does not speak of the pair: it proves nothing")
	}
	for _, p := range passwords {
		if strings.Contains(logs, p) {
			t.Errorf("a password is in the server's log")
		}
	}
}

func TestPairRepairsDrift(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		d := newDuo(t, server, "drifted", rich(server.Engine)...)
		d.rotate(t, d.Clone, "Second-Password-of-pair")
		// The base user changed, or someone took from the clone.
		d.run(t, "GRANT UPDATE (`c,d)`) ON `d_%n`.t TO %b", "REVOKE GRANT OPTION ON `d\\_%n`.* FROM %c", "REVOKE ALL ON `all_%n`.* FROM %c", "REVOKE INSERT ON `d_%n`.`q``'t` FROM %c",
			"REVOKE r_%n FROM %c", "ALTER USER %c REQUIRE NONE WITH MAX_USER_CONNECTIONS 1")
		d.rotate(t, d.Clone, "Third-Password-of-pair")
		if server.Engine == database.MySQL { // its clones are marked
			d.run(t, "REVOKE ALL ON `all_%n`.* FROM %b", "GRANT SELECT ON `all_%n`.* TO %b", "GRANT ALL ON `d_%n`.t TO %c", "GRANT FILE, BACKUP_ADMIN ON *.* TO %c WITH GRANT OPTION",
				"GRANT `s TO %n` TO %c WITH ADMIN OPTION", "GRANT EXECUTE ON `other`.* TO %c WITH GRANT OPTION", "ALTER USER %c ATTRIBUTE '{\"team\": {\"b\": 1}, \"x\": 2}'")
			d.rotate(t, d.Clone, "Fourth-Password-of-pair")
		}
	})
}

// While consumers use the clone, nothing is taken from it.
func TestPairAddsOnlyToTheUserInUse(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		d := newDuo(t, server, "in_use", rich(server.Engine)...)
		d.rotate(t, d.Clone, "Second-Password-of-pair")
		d.run(t, "GRANT DELETE ON `d_%n`.* TO %b", "GRANT EVENT ON `more`.* TO %b, %c", "ALTER USER %b WITH MAX_USER_CONNECTIONS 3", "CREATE USER %b@'10.%' IDENTIFIED BY '"+firstPassword+"'")
		changes := d.set(t, d.Base, "Third-Password-of-pair")
		d.mustLogin(t, d.Clone, "Second-Password-of-pair")
		d.mustLogin(t, d.Base, "Third-Password-of-pair")
		told := strings.Join(changes, "\n")
		if !strings.Contains(told, "granted DELETE on `d_in_use`.*") || !strings.Contains(told, "no account on 10.%") || !strings.Contains(told, "other settings") || strings.Contains(told, "created") {
			t.Errorf("changes:\n%s", told)
		}
		if server.Engine == database.MySQL {
			d.run(t, "REVOKE EVENT ON `more`.* FROM %b")
			if told := strings.Join(d.set(t, d.Base, "Third-Password-of-pair"), "\n"); !strings.Contains(told, "holds more: EVENT on `more`.*") || strings.Contains(told, "revoked") {
				t.Errorf("changes:\n%s", told)
			}
		}
		d.rotate(t, d.Clone, "Fourth-Password-of-pair")
	})
}

func TestPairOnSeveralHosts(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		d := newDuo(t, server, "hosts", "CREATE USER %b@'127.0.0.1' IDENTIFIED BY 'x-Aa1-Password'", "CREATE USER %b@'10.0.0.0/255.0.0.0' IDENTIFIED BY 'x-Aa1-Password'",
			"GRANT SELECT ON `h`.* TO %b", "GRANT INSERT ON `h`.* TO %b@'127.0.0.1'")
		d.rotate(t, d.Clone, "Second-Password-of-pair") // as 127.0.0.1, the closest
		d.run(t, "DROP USER %c@'127.0.0.1'")
		d.mustLogin(t, d.Clone, "Second-Password-of-pair") // as %: all have it
		d.set(t, d.Base, "Third-Password-of-pair")
		d.mustLogin(t, d.Base, "Third-Password-of-pair")
		d.run(t, "DROP USER %b@'127.0.0.1'")
		d.mustLogin(t, d.Base, "Third-Password-of-pair")
		d.rotate(t, d.Clone, "Fourth-Password-of-pair")
		d.run(t, "DROP USER %b@'10.0.0.0/255.0.0.0'")
		changes := d.rotate(t, d.Clone, "Fifth-Password-of-pair")
		if !strings.Contains(strings.Join(changes, "\n"), "dropped") {
			t.Errorf("changes: %q", changes)
		}
	})
}
