package redshift

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/hex"
	"errors"

	"github.com/lib/pq"
)

// Login is a pool of a user's in a database, through the filter: for what stands
// in for the Data API, which logs in with a password from a secret. The caller
// closes it.
func (s *Server) Login(user, password, database string) (*sql.DB, error) {
	connector, err := pq.NewConnectorConfig(pq.Config{
		Host: "127.0.0.1", Port: uint16(s.Port), User: user, Password: password, Database: database, //nolint:gosec // G115: the filter's own port
		SSLMode: pq.SSLModeRequire, // who it is is known: this process
	})
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Accepts tells whether a login with a password would succeed, by what the server
// has stored.
func (s *Server) Accepts(ctx context.Context, user, password string) bool {
	var accepts bool
	sum := md5.Sum([]byte(password + user)) // here: the server logs what it is asked
	err := s.admin.QueryRowContext(ctx, "SELECT rolcanlogin AND rolpassword = $2 AND coalesce(rolvaliduntil > now(), true) FROM pg_authid WHERE rolname = $1::text",
		user, "md5"+hex.EncodeToString(sum[:])).Scan(&accepts)
	return err == nil && accepts
}

// Become is the statement by which an administrator's session becomes a user's:
// for what stands in for temporary credentials.
func Become(user string) string { return "SET SESSION AUTHORIZATION " + pq.QuoteLiteral(user) }

// Message is an error of the server's as the Data API tells it: without a code.
func Message(err error) string {
	var server *pq.Error
	if errors.As(err, &server) {
		return server.Severity + ": " + server.Message
	}
	return err.Error()
}
