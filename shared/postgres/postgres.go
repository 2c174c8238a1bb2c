// Package postgres is the [dbuser.Driver] of PostgreSQL 10 to 18, Amazon RDS
// and Aurora included.
package postgres

import (
	"context"
	"crypto/x509"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/pgwire"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Driver logs in to PostgreSQL. The zero value is ready.
type Driver struct {
	// Roots are the authorities of the servers' certificates. Nil: the system's
	// and those of RDS.
	Roots *x509.CertPool
}

// Rules are PostgreSQL's: names are cut at 63 bytes, so longer ones are refused.
// A new password may have as many bytes as every pooler and client takes.
func (Driver) Rules() dbuser.Rules {
	return dbuser.Rules{
		DefaultPort:     5432,
		DefaultDatabase: "postgres",
		MaxUsername:     63, // NAMEDATALEN - 1
		UsernameLength:  func(s string) int { return len(s) },
		MaxPassword:     128, // the most that RDS takes
		Administered:    true,
	}
}

// Login opens one session.
func (d Driver) Login(ctx context.Context, l dbuser.Login) (dbuser.Session, error) {
	// lib/pq is given a connection with TLS up already. Its own way parses the
	// root certificates again at every login, and reads files and variables of
	// the environment that a function should not listen to.
	connector, err := pq.NewConnectorConfig(pq.Config{
		Host: l.Host, Port: uint16(l.Port), Database: l.Database,
		User: l.Username, Password: l.Password.Reveal(),
		SSLMode:         pq.SSLModeDisable,
		ApplicationName: "rekey",
		ClientEncoding:  "UTF8", Datestyle: "ISO, MDY", // lib/pq works with no other
		// A statement and its parameters in one round trip, not two.
		BinaryParameters: true,
	})
	if err != nil {
		return nil, translate(ctx, err)
	}
	config := dbuser.TLSConfig(l, d.Roots)
	config.NextProtos = []string{"postgresql"}
	connector.Dialer(&pgwire.Dialer{Context: ctx, Login: l, TLS: config})
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, translate(ctx, err)
	}
	return &session{db: dbuser.OpenOnce(conn), user: l.Username}, nil
}

// session is one login of a user.
type session struct {
	db   *sql.DB
	user string
}

func (s *session) Close() error { return s.db.Close() }

// Try implements [dbuser.Session].
func (s *session) Try(ctx context.Context, statements []string) error {
	return dbuser.Try(ctx, s.db, statements, translate)
}

// SetPassword changes the password of the session's own user.
func (s *session) SetPassword(ctx context.Context, password rotation.Value) error {
	return s.SetPasswordOf(ctx, s.user, password)
}

// SetPasswordOf sets the verifier of the kind that the server is set to make, so
// that what its clients could speak before, they can speak after.
func (s *session) SetPasswordOf(ctx context.Context, user string, password rotation.Value) error {
	verifier, err := s.verifier(ctx, user, password.Reveal())
	if err != nil {
		return err
	}
	// ALTER ROLE takes no parameters. The verifier has neither quote nor
	// backslash; the name is quoted.
	statement := "ALTER ROLE " + pq.QuoteIdentifier(user) + " PASSWORD '" + verifier + "'"
	_, err = s.db.ExecContext(ctx, statement)
	for wait := 5 * time.Millisecond; concurrent(err) && wait < time.Second; wait *= 2 {
		// Other invocations of this rotation set the same password in the same
		// moment.
		select {
		case <-time.After(wait + rand.N(wait)):
		case <-ctx.Done():
		}
		_, err = s.db.ExecContext(ctx, statement)
	}
	if err != nil {
		return translate(ctx, err)
	}
	return nil
}

// Inspect implements [dbuser.Session].
//
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.RestrictPasswordMgmt.html
func (s *session) Inspect(ctx context.Context) (in dbuser.Inspection, err error) {
	var version, ends string
	var replica, restricted, expires bool
	err = s.db.QueryRowContext(ctx, `SELECT current_setting('server_version'), pg_is_in_recovery(),
		coalesce(current_setting('rds.restrict_password_commands', true), '') = 'on' AND NOT EXISTS (
			SELECT FROM pg_roles p WHERE p.rolname = 'rds_password' AND pg_has_role(r.oid, p.oid, 'MEMBER')),
		coalesce(r.rolvaliduntil < now() + interval '30 days', false), coalesce(r.rolvaliduntil::text, '')
		FROM pg_roles r WHERE r.rolname = session_user`).Scan(&version, &replica, &restricted, &expires, &ends)
	if err != nil {
		return in, translate(ctx, err)
	}
	in.Server, _, _ = strings.Cut("PostgreSQL "+version, " (")
	if replica {
		in.ReadOnly = errReadOnly()
	}
	if restricted {
		in.Own = rotation.WithHint(fmt.Errorf("the server lets members of rds_password change passwords, and the user is none: %w", rotation.ErrDenied),
			"GRANT rds_password TO "+pq.QuoteIdentifier(s.user)+"; or name an administrator (masterarn).")
	}
	if expires {
		in.Warnings = append(in.Warnings, rotation.WithHint(fmt.Errorf("no password of the role is taken after %s, a rotated one neither: %w", ends, rotation.ErrConfig),
			"ALTER ROLE "+pq.QuoteIdentifier(s.user)+" VALID UNTIL 'infinity';"))
	}
	return in, nil
}

// verifier makes the verifier of a password, and leaves the session acting as the
// user that it logged in as.
func (s *session) verifier(ctx context.Context, user, password string) (string, error) {
	var (
		replica    bool
		encryption string
		iterations sql.NullInt64
		asRole     bool
	)
	err := s.db.QueryRowContext(ctx, `SELECT pg_is_in_recovery(), current_setting('password_encryption'),
		nullif(current_setting('scram_iterations', true), '')::int, current_user <> session_user`).
		Scan(&replica, &encryption, &iterations, &asRole)
	switch {
	case err != nil:
		return "", translate(ctx, err)
	case replica:
		return "", errReadOnly()
	case asRole:
		// A default role of the user's (ALTER ROLE … SET role) would make the
		// change that role's, which may not.
		if _, err := s.db.ExecContext(ctx, "SET ROLE NONE"); err != nil {
			return "", translate(ctx, err)
		}
	}
	if encryption == "md5" || encryption == "on" { // "on" is md5 up to version 13
		return md5Verifier(password, user), nil
	}
	n := scramIterations
	if iterations.Valid && iterations.Int64 > scramIterations { // a setting since version 16
		n = int(iterations.Int64)
	}
	v, err := scramVerifier(password, newSalt(), n)
	if err != nil {
		return "", fmt.Errorf("hashing the password: %w", rotation.ErrInternal)
	}
	return v, nil
}
