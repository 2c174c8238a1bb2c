package mysql_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/mysql"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// fault loses one statement: before the server sees it, or its reply.
type fault struct {
	at   int
	done bool
	seen []string
}

func (f *fault) through(statement string, run func() error) error {
	verb, _, _ := strings.Cut(statement, " ")
	if verb == "DO" || strings.HasPrefix(statement, "SET NAMES") {
		return run()
	}
	f.seen = append(f.seen, statement)
	if len(f.seen)-1 != f.at {
		return run()
	}
	if f.done {
		if err := run(); err != nil {
			return err
		}
	}
	return driver.ErrInvalidConn
}

// TestPairAfterACrash loses each statement of a rotation in turn. The user that
// consumers have must log in all the time, the other only once it is complete;
// and the rotation that is run again must finish.
func TestPairAfterACrash(t *testing.T) {
	onBoth(t, func(t *testing.T, server *database.Server) {
		for name, prepare := range map[string]func(*testing.T, duo) (current, pending string){
			"new": func(_ *testing.T, d duo) (string, string) { return d.Base, d.Clone },
			"old": func(t *testing.T, d duo) (string, string) {
				d.set(t, d.Clone, "Password-of-before")
				d.run(t, "REVOKE GRANT OPTION ON `d\\_%n`.* FROM %c", "REVOKE INSERT ON `d_%n`.`q``'t` FROM %c", "REVOKE r_%n FROM %c", "ALTER USER %c REQUIRE NONE")
				if server.Engine == database.MySQL {
					d.run(t, "GRANT ALL ON `d_%n`.* TO %c", "GRANT FILE, XA_RECOVER_ADMIN ON *.* TO %c", "REVOKE CONNECTION_ADMIN ON *.* FROM %b", "GRANT CONNECTION_ADMIN ON *.* TO %b", "ALTER USER %c ATTRIBUTE '{\"team\": null}'")
				}
				return d.Base, d.Clone
			},
			"used": func(t *testing.T, d duo) (string, string) {
				d.set(t, d.Clone, firstPassword)
				d.run(t, "GRANT EVENT ON `d_%n`.* TO %b", "REVOKE r_%n FROM %c", "REVOKE EXECUTE ON PROCEDURE `d_%n`.p FROM %c")
				return d.Clone, d.Base
			},
			"hosts": func(t *testing.T, d duo) (string, string) {
				d.run(t, "CREATE USER %b@'127.0.0.1' IDENTIFIED BY '"+firstPassword+"'", "GRANT SELECT ON `h`.* TO %b@'127.0.0.1'", "CREATE USER %b@'10.%' IDENTIFIED BY 'x-Aa1-Password'")
				d.set(t, d.Clone, "Password-of-before")
				d.run(t, "DROP USER %b@'10.%'", "REVOKE SELECT ON `h`.* FROM %c@'127.0.0.1'", "ALTER USER %c@'127.0.0.1' REQUIRE SSL")
				return d.Base, d.Clone
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				statements := crash(t, server, "whole_"+name, prepare, &fault{at: -1})
				t.Logf("%d statements", len(statements))
				for at := range statements {
					for _, done := range []bool{false, true} {
						f := &fault{at: at, done: done}
						crash(t, server, fmt.Sprintf("%s_%d_%t", name, at, done), prepare, f)
						if t.Failed() {
							t.Fatalf("lost: %s (done: %t)", f.seen[at], done)
						}
					}
				}
			})
		}
	})
}

// crash rotates a pair with a fault, and again without.
func crash(t *testing.T, server *database.Server, name string, prepare func(*testing.T, duo) (string, string), f *fault) []string {
	t.Helper()
	const password = "Second-Password-of-pair"
	d := newDuo(t, server, name, rich(server.Engine)...)
	current, pending := prepare(t, d)
	s := d.admin(t)
	if err := mysql.Intercept(s, f.through); err != nil {
		t.Fatal(err)
	}
	_, err := s.SetPair(t.Context(), d.pending(pending), rotation.TextValue(password))
	if f.at < 0 && err != nil || f.at >= 0 && !errors.Is(err, rotation.ErrUnreachable) {
		t.Fatalf("got %v", err)
	}
	s.Close() // as the server does for a function that died
	d.mustLogin(t, current, firstPassword)
	if server.Login(t.Context(), pending, password) == nil {
		d.mustBeEqual(t)
	}
	d.rotate(t, pending, password)
	d.mustLogin(t, current, firstPassword)
	return f.seen
}

// Restrictions of global privileges are copied, where the server has them.
func TestPairWithPartialRevokes(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	server := databasetest.Start(t, database.Options{Engine: database.MySQL, Settings: map[string]string{"partial-revokes": "ON"}})
	d := newDuo(t, server, "restricted", "GRANT SELECT, INSERT, UPDATE ON *.* TO %b", "REVOKE SELECT, UPDATE ON mysql.* FROM %b", "REVOKE INSERT ON `secret`.* FROM %b")
	d.rotate(t, d.Clone, "Second-Password-of-pair")
	d.run(t, "GRANT INSERT ON `secret`.* TO %c", "REVOKE INSERT ON `other`.* FROM %c")
	d.rotate(t, d.Clone, "Third-Password-of-pair")
	// To the user in use no global privilege is given before its restrictions.
	d.run(t, "GRANT DELETE ON *.* TO %b")
	if told := d.set(t, d.Base, "Fourth-Password-of-pair"); strings.Contains(strings.Join(told, "\n"), "granted") {
		t.Errorf("changes: %q", told)
	}
	d.rotate(t, d.Clone, "Fifth-Password-of-pair")
}
