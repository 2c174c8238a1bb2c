// Package mysql is the [dbuser.Driver] of MySQL 8 and 9 and of MariaDB 10.11
// and 11, Amazon RDS and Aurora included.
package mysql

import (
	"context"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Driver logs in to MySQL or MariaDB; which of the two a server is, the session
// finds out. They differ in the rules alone. The zero value is MySQL's.
type Driver struct {
	MariaDB bool
	// Roots are the authorities of the servers' certificates. Nil: the system's
	// and those of RDS.
	Roots *x509.CertPool
}

// Rules are the server's limits.
//
// https://dev.mysql.com/doc/refman/8.4/en/user-names.html
// https://dev.mysql.com/doc/refman/8.4/en/caching-sha2-pluggable-authentication.html
// https://mariadb.com/kb/en/identifier-names/#maximum-length
func (d Driver) Rules() dbuser.Rules {
	r := dbuser.Rules{
		DefaultPort:    3306,
		MaxUsername:    32,
		UsernameLength: utf8.RuneCountInString,
		MaxPassword:    128, // well under the servers' 255, and what poolers and clients take
		Dual:           true,
		Administered:   true,
	}
	if d.MariaDB {
		r.MaxUsername = 80
	}
	return r
}

// Login opens one session.
func (d Driver) Login(ctx context.Context, l dbuser.Login) (dbuser.Session, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd = l.Username, l.Password.Reveal()
	config.Net, config.Addr = "tcp", net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
	config.DBName = l.Database
	config.Logger = silent{}
	config.CheckConnLiveness = false
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return dbuser.Dial(ctx, l) }
	if !l.Plaintext {
		config.TLS = dbuser.TLSConfig(l, d.Roots)
		// The plugin of IAM has the client send the token as it is. A password is
		// never sent so, whatever a server asks for.
		config.AllowCleartextPasswords = l.Token
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, translate(ctx, err)
	}
	conn, err := connect(ctx, connector)
	if err != nil {
		return nil, translate(ctx, err)
	}
	return &session{db: dbuser.OpenOnce(conn), login: l}, nil
}

// connects is how often a login is begun whose challenge the driver misreads.
const connects = 3

// connect begins a login again if the driver gave it up as malformed: it takes a zero byte
// at the end of a server's challenge for a terminator, which MariaDB's ed25519 has none of,
// so that one in 256 such logins ends before it has answered (go-sql-driver/mysql v1.10.1,
// handleAuthResult and auth).
func connect(ctx context.Context, c driver.Connector) (conn driver.Conn, err error) {
	for range connects {
		if conn, err = c.Connect(ctx); !errors.Is(err, mysql.ErrMalformPkt) {
			break
		}
	}
	return conn, err
}

// silent drops what the driver would print by itself: every failure is returned.
type silent struct{}

func (silent) Print(...any) {}

// session is one login of a user.
type session struct {
	db    *sql.DB
	login dbuser.Login
	// one is why the account has one password, once AddPassword has found out.
	one *dbuser.OnePasswordError
}

func (s *session) Close() error { return s.db.Close() }

// Try implements [dbuser.Session].
func (s *session) Try(ctx context.Context, statements []string) error {
	return dbuser.Try(ctx, s.db, statements, translate)
}

// SetPassword changes the password of the account that the server took the
// login for, keeping its authentication plugin, and ends the others it has.
func (s *session) SetPassword(ctx context.Context, password rotation.Value) error {
	return s.change(ctx, password.Reveal(), false)
}

// AddPassword is SetPassword, but the password of the login stays valid too.
func (s *session) AddPassword(ctx context.Context, password rotation.Value) error {
	return s.change(ctx, password.Reveal(), true)
}

func (s *session) change(ctx context.Context, password string, keep bool) error {
	a, err := s.account(ctx)
	if err != nil {
		return err
	}
	if a.mariadb {
		return s.changeMariaDB(ctx, password, keep)
	}
	return s.changeMySQL(ctx, a, password, keep)
}

// ownAccount is the account that the server took the login for.
type ownAccount struct {
	mariadb    bool
	rounds     string // of new caching_sha2 verifiers, or ""
	definition string
}

// account looks at the session's own account, on a server that can be written to.
func (s *session) account(ctx context.Context) (ownAccount, error) {
	settings, err := s.settings(ctx)
	if err != nil {
		return ownAccount{}, translate(ctx, err)
	}
	if settings["read_only"] == "ON" || settings["innodb_read_only"] == "ON" {
		return ownAccount{}, errReadOnly()
	}
	a := ownAccount{mariadb: strings.Contains(settings["version"], "MariaDB"), rounds: settings["caching_sha2_password_digest_rounds"]}
	if a.mariadb {
		return a, nil // it is looked at when no one else can change it
	}
	a.definition, err = s.definition(ctx, "CURRENT_USER()")
	return a, translate(ctx, err)
}

// settings are the server's variables that matter here; those it does not know
// are absent.
func (s *session) settings(ctx context.Context) (map[string]string, error) {
	rows, err := s.db.QueryContext(ctx, `SHOW GLOBAL VARIABLES WHERE Variable_name IN
		('version', 'read_only', 'innodb_read_only', 'caching_sha2_password_digest_rounds')`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	settings := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		settings[name] = value
	}
	return settings, rows.Err()
}

// definition is an account as CREATE USER would make it. Every account may see
// its own.
func (s *session) definition(ctx context.Context, account string) (string, error) {
	var d string
	err := s.db.QueryRowContext(ctx, "SHOW CREATE USER "+account).Scan(&d)
	return d, err
}

// exec runs a statement for its effect.
func (s *session) exec(ctx context.Context, statement string) error {
	_, err := s.db.ExecContext(ctx, statement)
	return err
}

var _ dbuser.DualSession = (*session)(nil)
