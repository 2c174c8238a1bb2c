// Package redshift is the nearest that one machine has to Amazon Redshift: a
// PostgreSQL 15 that stores and asks for md5 passwords, behind a filter on the
// wire. The filter takes what Redshift's documentation has and refuses the rest:
// statements and functions outside its grammar, backslashes in literals,
// passwords in clear text, SCRAM; it answers with PostgreSQL 8.0's codes. The
// system views are stood in for by views with their names and columns, see
// catalogue.sql.
//
// It is not Redshift: nothing that is proven here is proven there.
package redshift

import (
	"context"
	"crypto/tls"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/rekey-aws/rekey/local/database"
)

//go:embed catalogue.sql
var catalogue string

// Database is the one that there is from the start, as in Redshift.
const Database = "dev"

// Options are those of a PostgreSQL server that can stand behind the filter.
func Options(o database.Options) database.Options {
	o.Engine, o.Version, o.Auth = database.Postgres, "15", "md5"
	return o
}

// Server is a filter in front of a server. It ends with Close.
type Server struct {
	Host string // the server's
	Port int    // the filter's

	backend   *database.Server
	admin     *sql.DB // of Database
	listener  net.Listener
	authority []byte
	tls       *tls.Config // nil: the server has none

	mu         sync.Mutex
	lines      map[net.Conn]struct{}
	statements []string
	refused    []string
}

// Before makes a server that was started with [Options] look like Redshift, and
// opens the filter before it, which works while ctx lasts. The server's own port is
// the way round it.
func Before(ctx context.Context, backend *database.Server) (*Server, error) {
	s := &Server{Host: backend.Host, backend: backend, lines: map[net.Conn]struct{}{}}
	if err := s.furnish(ctx); err != nil {
		return nil, fmt.Errorf("making the server look like Redshift: %w", err)
	}
	if err := s.certify(ctx); err != nil {
		return nil, err
	}
	var err error
	if s.admin, err = s.Open(Database); err != nil {
		return nil, err
	}
	if s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	s.Port = s.listener.Addr().(*net.TCPAddr).Port
	go s.serve(ctx)
	return s, nil
}

// furnish puts the catalogue into the database that others are made of.
func (s *Server) furnish(ctx context.Context) error {
	template, err := s.Open("template1")
	if err != nil {
		return err
	}
	var there bool
	err = template.QueryRowContext(ctx, "SELECT count(*) > 0 FROM pg_namespace WHERE nspname = 'redshift'").Scan(&there)
	if err == nil && !there {
		_, err = template.ExecContext(ctx, catalogue)
	}
	if err := errors.Join(err, template.Close()); err != nil || there {
		return err
	}
	return s.backend.Exec(ctx, "CREATE DATABASE "+Database)
}

// Open is a pool of the administrator's in a database, round the filter. The
// caller closes it.
func (s *Server) Open(name string) (*sql.DB, error) {
	return s.backend.Open(s.backend.AdminUser, s.backend.AdminPassword, name)
}

// Exec runs statements of PostgreSQL's as the administrator in a database, round
// the filter.
func (s *Server) Exec(ctx context.Context, name string, statements ...string) error {
	db, err := s.Open(name)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// CAPEM is the authority of the filter's certificate, in PEM; nil without TLS.
func (s *Server) CAPEM() []byte { return s.authority }

// Statements are those that clients have sent, in the order of their arrival.
func (s *Server) Statements() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.statements...)
}

// Refused are those of them that the filter did not take, with the reason.
func (s *Server) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.refused...)
}

// Close ends the filter and what goes through it, not the server.
func (s *Server) Close() error {
	err := errors.Join(s.listener.Close(), s.admin.Close())
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.lines {
		_ = c.Close() // it is to end
	}
	return err
}

// Rewrite are statements in PostgreSQL's words, as the filter puts them: for what
// stands in for other ways into Redshift. What Redshift would not take becomes a
// statement that fails.
func (s *Server) Rewrite(statements string) string {
	var all []string
	for _, statement := range split(statements) {
		all = append(all, s.rewriteOne(statement))
	}
	return strings.Join(all, "; ")
}

func (s *Server) rewriteOne(statement string) string {
	said, err := rewrite(statement)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statements = append(s.statements, statement)
	if err == nil {
		return said
	}
	s.refused = append(s.refused, statement+": "+err.Error())
	return "SELECT redshift.refuse('42601', '" + strings.NewReplacer("'", "''", `\`, "/").Replace(err.Error()) + "')"
}
