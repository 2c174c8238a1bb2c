// Package dbuser rotates the password of a database user: the
// [rotation.Engine] for PostgreSQL, MySQL and their kin. What differs between
// servers is behind [Driver]; the order of logins and changes is here, once.
package dbuser

import (
	"context"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Driver speaks to one kind of database server. It is safe for several
// goroutines. Its errors wrap exactly one sentinel of package rotation, say
// what was refused or missing, and never carry a password, a connection string
// or the error of the library below, which may.
type Driver interface {
	// Rules are what the server accepts.
	Rules() Rules
	// Login opens a session: one TCP connection and one authentication, no
	// retry. ErrRefused is for a credential that the server did not accept, and
	// for nothing else.
	Login(ctx context.Context, l Login) (Session, error)
}

// Session is one login.
type Session interface {
	// SetPassword gives the session's own user a new password, and ends every
	// other that the user has and may end. It is idempotent, and nothing that the
	// server logs can hold the password.
	SetPassword(ctx context.Context, password rotation.Value) error
	// Try runs statements in a read-only transaction that is rolled back. An
	// error tells which of them failed.
	Try(ctx context.Context, statements []string) error
	// Inspect reads what rotations of the session's own user depend on. It changes
	// nothing.
	Inspect(ctx context.Context) (Inspection, error)
	Close() error
}

// Inspection is what a server tells of itself and of the user who asks. What it
// does not tell counts as good: the rotation will find out before anything changed.
type Inspection struct {
	Server   string // what it is: "PostgreSQL 15.9"
	ReadOnly error  // why nothing can be written to it
	Own      error  // why the user may not change its own password
	// One is why the user cannot keep an old password beside a new one, where the
	// server can (Rules.Dual).
	One *OnePasswordError
	// LocksAfter is how many refused logins in a row lock the user out; 0: not known.
	LocksAfter int
	Warnings   []error // what will be in the way of consumers, or of a later rotation
}

// DualSession is a [Session] of a server where a user can have two passwords.
type DualSession interface {
	Session
	// AddPassword gives the session's own user a new password and keeps the one
	// of the login. Afterwards these two are valid and no other; on the way, each
	// of them that was valid is so at every moment, whatever happens and however
	// often it runs, twice at once included. As with SetPassword, nothing that the
	// server logs can hold a password. A *OnePasswordError says that this account
	// cannot keep two, and that nothing was changed.
	AddPassword(ctx context.Context, password rotation.Value) error
	// KeepPassword makes the password of the login the only one of the session's
	// own user. It is valid at every moment, whatever happens and however often
	// this runs. due is asked while no AddPassword or SetPassword of the user can
	// run; if it returns an error, nothing was changed and that is returned. only says that
	// the server told of no other password. A *OnePasswordError says that this
	// account may not keep two, nor end one.
	KeepPassword(ctx context.Context, due func(context.Context) error) (only bool, err error)
}

// OnePasswordError is why an account cannot have two passwords.
type OnePasswordError struct {
	Reason string // "X is not granted to …"
	Remedy string // what an administrator can run
	Kind   error  // rotation.ErrDenied or rotation.ErrConfig
}

func (e *OnePasswordError) Error() string { return e.Reason + ": " + e.Kind.Error() }
func (e *OnePasswordError) Unwrap() error { return e.Kind }

// Login says where to log in, and as whom.
type Login struct {
	Host       string
	Port       int
	Database   string // "" for the server's default
	Username   string
	Password   rotation.Value
	ServerName string // the name that the server's certificate must bear
	Plaintext  bool   // the deployment allows this host to be reached without TLS
	// Token: Password is a token of IAM, which servers ask for in the clear. It is
	// sent over verified TLS only.
	Token bool
	// API is how to log in through the server's API and not over the wire, or nil.
	API *APILogin
	// Trace is told how far the connection came. Nil: nobody is.
	Trace *Trace
}

// APILogin is a login through an API that takes no password. It finds one in
// Secrets Manager, or is allowed the user by IAM.
type APILogin struct {
	// SecretARN is the secret whose AWSCURRENT value is the login's user and
	// password. "": IAM allows the user, or there is a Witness.
	SecretARN string
	// Witness is the login of an administrator, for a password that stands
	// nowhere as AWSCURRENT and so cannot log in through the API: with its help the
	// driver finds out whether the server has that password, and runs statements
	// as the user. ErrRefused: it has another, or nobody can tell.
	Witness *Login
}

// Rules are what a kind of server accepts.
type Rules struct {
	DefaultPort     int
	DefaultDatabase string
	MaxUsername     int // in the server's unit, see UsernameLength
	UsernameLength  func(string) int
	MaxPassword     int  // of a new password, in bytes
	Dual            bool // its sessions are DualSessions
	Administered    bool // … and Administrators

	// NotInPassword are characters that no new password may have.
	NotInPassword string
	// MixedPassword: a new password needs a lower-case letter, an upper-case letter
	// and a number.
	MixedPassword bool
	// API: the driver also logs in through an API, see APILogin.
	API bool
	// TokenRefused is what to do when a token of IAM is refused; "" is RDS's.
	TokenRefused string
}
