// Package postgres is the [dbuser.Driver] of PostgreSQL 10 to 18, Amazon RDS
// and Aurora included.
package postgres

import (
	"context"
	"crypto/x509"
	"database/sql"
	"fmt"
	"math/rand/v2"
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
