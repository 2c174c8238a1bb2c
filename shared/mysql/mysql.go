// Package mysql is the [dbuser.Driver] of MySQL 8 and 9 and of MariaDB 10.11
// and 11, Amazon RDS and Aurora included.
package mysql

import (
	"context"
	"crypto/x509"
	"database/sql"
	"fmt"
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
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, translate(ctx, err)
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, translate(ctx, err)
	}
	return &session{db: dbuser.OpenOnce(conn), login: l}, nil
}

// silent drops what the driver would print by itself: every failure is returned.
type silent struct{}

func (silent) Print(...any) {}

// session is one login of a user.
type session struct {
	db    *sql.DB
	login dbuser.Login
}

func (s *session) Close() error { return s.db.Close() }

func (s *session) Ping(ctx context.Context) error {
	var one int
	if err := s.db.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return translate(ctx, err)
	}
	return nil
}

// SetPassword changes the password of the account that the server took the
// login for, keeping its authentication plugin.
func (s *session) SetPassword(ctx context.Context, password rotation.Value) error {
	settings, err := s.settings(ctx)
	if err != nil {
		return translate(ctx, err)
	}
	if settings["read_only"] == "ON" || settings["innodb_read_only"] == "ON" {
		return errReadOnly()
	}
	definition, err := s.definition(ctx)
	if err != nil {
		return err
	}
	if strings.Contains(settings["version"], "MariaDB") {
		return s.setMariaDB(ctx, definition, password.Reveal())
	}
	return s.setMySQL(ctx, definition, settings["caching_sha2_password_digest_rounds"], password.Reveal())
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

// definition is the account as CREATE USER would make it. Every account may see
// its own.
func (s *session) definition(ctx context.Context) (string, error) {
	var d string
	if err := s.db.QueryRowContext(ctx, "SHOW CREATE USER CURRENT_USER()").Scan(&d); err != nil {
		return "", translate(ctx, err)
	}
	return d, nil
}

// setMySQL sends a verifier if the account may do that, which takes CREATE
// USER; else it does what every account may.
func (s *session) setMySQL(ctx context.Context, definition, rounds, password string) error {
	plugin, err := mysqlPlugin(definition)
	if err != nil {
		return err
	}
	var verifier string
	switch plugin {
	case "caching_sha2_password":
		n, err := strconv.Atoi(rounds)
		if err != nil {
			n = 5000 // before the variable existed (8.0.24), and its default
		}
		verifier = fmt.Sprintf("0x%x", cachingSHA2Verifier(password, newSalt(), n))
	case "mysql_native_password":
		verifier = "'" + nativeVerifier(password) + "'"
	case "sha256_password":
		return s.setMasked(ctx, password)
	default:
		return errPlugin(plugin)
	}
	_, err = s.db.ExecContext(ctx, "ALTER USER CURRENT_USER() IDENTIFIED WITH "+plugin+" AS "+verifier)
	if needsCreateUser(err) {
		return s.setMasked(ctx, password)
	}
	if err != nil {
		return translate(ctx, err)
	}
	return nil
}

// setMasked is how an account without CREATE USER changes its own password in
// MySQL. The statement carries the password, over verified TLS; the server
// replaces it in everything that it logs (general, slow and binary log,
// performance_schema).
//
// https://dev.mysql.com/doc/refman/8.4/en/password-logging.html
func (s *session) setMasked(ctx context.Context, password string) error {
	if s.login.Plaintext {
		return rotation.WithHint(fmt.Errorf("setting the password: the account may not set a verifier, and without TLS a password is not sent: %w", rotation.ErrDenied),
			"Turn TLS on, or grant CREATE USER to the account.")
	}
	if strings.Contains(password, `\`) {
		// The server's sql_mode decides what a backslash means in a literal.
		if _, err := s.db.ExecContext(ctx, "SET SESSION sql_mode = ''"); err != nil {
			return translate(ctx, err)
		}
	}
	_, err := s.db.ExecContext(ctx, "ALTER USER USER() IDENTIFIED BY "+quote(password))
	if needsCurrentPassword(err) {
		_, err = s.db.ExecContext(ctx, "ALTER USER USER() IDENTIFIED BY "+quote(password)+" REPLACE "+quote(s.login.Password.Reveal()))
	}
	if err != nil {
		return translate(ctx, err)
	}
	return nil
}

// setMariaDB sends a verifier: SET PASSWORD takes one, and every account may
// run it for itself.
//
// https://mariadb.com/kb/en/set-password/
func (s *session) setMariaDB(ctx context.Context, definition, password string) error {
	plugin, err := mariadbPlugin(definition)
	if err != nil {
		return err
	}
	var verifier string
	switch plugin {
	case "mysql_native_password":
		verifier = nativeVerifier(password)
	case "ed25519":
		verifier = ed25519Verifier(password)
	default:
		return errPlugin(plugin)
	}
	if _, err := s.db.ExecContext(ctx, "SET PASSWORD = '"+verifier+"'"); err != nil {
		return translate(ctx, err)
	}
	return nil
}
