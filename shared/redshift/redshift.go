// Package redshift is the [dbuser.Driver] of Amazon Redshift, provisioned and
// serverless: over the wire, or through the Redshift Data API.
//
// Redshift speaks PostgreSQL's protocol and was PostgreSQL 8.0 once; its users,
// groups, roles and statements are its own. Only statements and system views that
// its documentation has are used here, each named with its page where it is made.
package redshift

import (
	"context"
	"crypto/x509"
	"fmt"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Driver logs in to Redshift. The zero value is ready, for the wire.
type Driver struct {
	// Roots are the authorities of the servers' certificates. Nil: the system's.
	// Redshift's certificates are ACM's, whose authorities (Amazon Trust Services)
	// systems trust.
	//
	// https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-ssl-support.html
	Roots *x509.CertPool
	// API is the Data API, for the secrets that ask for it. Nil: they are refused.
	API DataAPI
	// SHA256 stores new passwords as SHA-256 digests and not as MD5. Clients of
	// PostgreSQL, among them the one here, cannot log in with such a password, so
	// it goes with the Data API only.
	SHA256 bool
}

// forbidden are the printable characters that Redshift takes in no password.
const forbidden = ` '"\/@`

// Rules are Redshift's. It checks passwords that it is given in clear text only;
// as it is given verifiers, the rules are held here.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html
// https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
func (Driver) Rules() dbuser.Rules {
	return dbuser.Rules{
		DefaultPort:     5439,
		DefaultDatabase: "dev",
		MaxUsername:     127,
		UsernameLength:  func(s string) int { return len(s) },
		MaxPassword:     64,
		NotInPassword:   forbidden,
		MixedPassword:   true,
		Administered:    true,
		API:             true,
		TokenRefused: "Check that the function's role is allowed redshift:GetClusterCredentials for the administrator (or redshift-serverless:GetCredentials for the workgroup), " +
			"and that the user exists: temporary credentials are made for users that are not there, too.",
	}
}

// Login opens one session.
func (d Driver) Login(ctx context.Context, l dbuser.Login) (dbuser.Session, error) {
	switch {
	case l.API == nil && d.SHA256:
		return nil, rotation.WithHint(fmt.Errorf("this function stores passwords as SHA-256, which it could not test over the wire: %w", rotation.ErrConfig),
			`Unset REDSHIFT_PASSWORD_HASH, or give the secret "access": "data-api".`)
	case l.API == nil:
		w, err := d.dial(ctx, l)
		if err != nil {
			return nil, err
		}
		return d.session(w, l), nil
	case d.API == nil:
		return nil, rotation.WithHint(fmt.Errorf("this function does not use the Data API: %w", rotation.ErrConfig), `Remove "access" from the secret.`)
	case l.API.Witness != nil:
		return d.witness(ctx, l)
	}
	a := &overAPI{api: d.API, login: l}
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	return d.session(a, l), nil
}

func (d Driver) session(r runner, l dbuser.Login) *session {
	return &session{runner: r, user: l.Username, database: l.Database, sha256: d.SHA256}
}

// runner runs statements in one database of a server as one user.
type runner interface {
	// run runs one statement, and returns its rows as text; NULL is "". Errors are
	// translated.
	run(ctx context.Context, statement string) ([][]string, error)
	// read runs queries that have nothing to do with each other, and returns their
	// rows in their order.
	read(ctx context.Context, queries []string) ([][][]string, error)
	// in is the same in another database. Close it apart.
	in(ctx context.Context, database string) (runner, error)
	// try implements [dbuser.Session].
	try(ctx context.Context, statements []string) error
	close() error
}

// session is one login of a user.
type session struct {
	runner
	user     string
	database string
	sha256   bool
}

// Close implements [dbuser.Session].
func (s *session) Close() error { return s.close() }

// Try implements [dbuser.Session].
func (s *session) Try(ctx context.Context, statements []string) error { return s.try(ctx, statements) }

// SetPassword changes the password of the session's own user.
func (s *session) SetPassword(ctx context.Context, password rotation.Value) error {
	return s.SetPasswordOf(ctx, s.user, password)
}

// SetPasswordOf implements [dbuser.Administrator].
func (s *session) SetPasswordOf(ctx context.Context, user string, password rotation.Value) error {
	return s.setPassword(ctx, user, password, "")
}

// setPassword stores a verifier, and with it what follows it in the statement.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_USER.html
func (s *session) setPassword(ctx context.Context, user string, password rotation.Value, more string) error {
	verifier := md5Verifier(password.Reveal(), user)
	if s.sha256 {
		verifier = sha256Verifier(password.Reveal(), newSalt())
	}
	return s.change(ctx, passwordStatement(user, verifier)+more)
}

func passwordStatement(user, verifier string) string {
	return "ALTER USER " + identifier(user) + " PASSWORD '" + verifier + "'"
}
