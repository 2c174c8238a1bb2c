package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server is a running throw-away server. Its methods may be called at once from
// several goroutines, except Kill, Restart and Stop, which want to be alone.
type Server struct {
	Engine   Engine
	Version  string // as the program says, such as "15.18"
	Host     string // "localhost"
	Port     int
	Database string // one that exists: "postgres", or "app" in the MySQL family

	// The administrator may do everything: a superuser in PostgreSQL, all
	// privileges with GRANT OPTION from any host in MySQL and MariaDB.
	AdminUser, AdminPassword string

	options      Options
	installation Installation
	certificates certificates
	folder       *folder
	flavour      flavour

	mu      sync.Mutex
	process *process
	paused  *guard
	started int64 // length of the server's log when it was last launched
	admin   *sql.DB
}

// flavour is what differs between engines.
type flavour interface {
	// prepare makes the data directory.
	prepare(ctx context.Context, s *Server) error
	// command writes the configuration for s.Port and returns the command line.
	command(s *Server) ([]string, error)
	// connector logs in over TLS that is verified against the server's authority.
	connector(s *Server, l login) (driver.Connector, error)
	// evidence makes the server write out its logs and returns their files, as
	// patterns in the server's folder, and what it remembers of statements.
	evidence(ctx context.Context, s *Server) (files []string, remembered []string, err error)
}

// adminUser is every server's administrator.
const adminUser = "admin"

type login struct{ user, password, database string }

func newServer(o Options, i Installation) (*Server, error) {
	if len(o.CertificateHosts) == 0 {
		o.CertificateHosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	s := &Server{
		Engine: i.Engine, Version: i.Version, Host: "localhost",
		AdminUser: adminUser, AdminPassword: randomPassword(),
		options: o, installation: i,
	}
	switch i.Engine {
	case Postgres:
		s.flavour, s.Database = postgres{}, "postgres"
	case MySQL, MariaDB:
		s.flavour, s.Database = mysqlFamily{}, "app"
	case Embedded:
		s.flavour, s.Database = embedded{}, "app"
	}
	var err error
	if s.certificates, err = newCertificates(o.CertificateHosts); err != nil {
		return nil, err
	}
	if s.folder, err = newFolder(i.Engine); err != nil {
		return nil, err
	}
	if err := s.writeCertificates(); err != nil {
		return nil, errors.Join(err, s.folder.remove())
	}
	return s, nil
}

func (s *Server) writeCertificates() error {
	return errors.Join(
		s.folder.write("ca.pem", s.certificates.authority),
		s.folder.write("server.pem", s.certificates.certificate),
		s.folder.write("server.key", s.certificates.key))
}

// Addr is the server's host and port.
func (s *Server) Addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// CAFile is a file with the certificate of the authority that signed the server's
// certificate, in PEM. It is gone after Stop.
func (s *Server) CAFile() string { return s.folder.path("ca.pem") }

// CAPEM is the content of CAFile.
func (s *Server) CAPEM() []byte { return s.certificates.authority }

// DB is the administrator's connection pool. Statements on it are logged like
// anyone's. It is closed by Stop.
func (s *Server) DB() *sql.DB {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.admin
}

// Open returns a pool for a user, over verified TLS (plaintext when the server has
// TLSOff). An empty database is the server's Database. The caller closes it.
func (s *Server) Open(user, password, database string) (*sql.DB, error) {
	if database == "" {
		database = s.Database
	}
	c, err := s.flavour.connector(s, login{user, password, database})
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// Login tells whether a user can log in, with the driver's error if not. In the
// MySQL family no database is chosen, so that the user needs no privilege.
func (s *Server) Login(ctx context.Context, user, password string) error {
	database := ""
	if s.Engine == Postgres {
		database = s.Database
	}
	c, err := s.flavour.connector(s, login{user, password, database})
	if err != nil {
		return err
	}
	db := sql.OpenDB(c)
	return errors.Join(db.PingContext(ctx), db.Close())
}

// Exec runs statements as the administrator, in order, on one connection. They
// are kept out of the statement logs: the logs are evidence about the code under
// test, and preparing a test may take a plaintext password.
func (s *Server) Exec(ctx context.Context, statements ...string) error {
	conn, err := s.silentConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s as %s: %w", firstWords(statement), s.AdminUser, err)
		}
	}
	return nil
}

// Query returns a query's rows as text, NULL as "". It is kept out of the logs, as
// with Exec. Parameters are in the engine's own syntax.
func (s *Server) Query(ctx context.Context, query string, args ...any) ([][]string, error) {
	conn, err := s.silentConn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("%s as %s: %w", firstWords(query), s.AdminUser, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var table [][]string
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range cells {
			targets[i] = &cells[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		row := make([]string, len(cells))
		for i, cell := range cells {
			row[i] = cell.String
		}
		table = append(table, row)
	}
	return table, rows.Err()
}

// silentConn is an administrator's connection whose statements are not logged. It
// is not given back to the pool of DB, where its silence would surprise.
func (s *Server) silentConn(ctx context.Context) (silentConn, error) {
	c, err := s.flavour.connector(s, login{s.AdminUser, s.AdminPassword, s.Database})
	if err != nil {
		return silentConn{}, err
	}
	db := sql.OpenDB(c)
	conn, err := db.Conn(ctx)
	if err != nil {
		return silentConn{}, errors.Join(fmt.Errorf("logging in as %s: %w", s.AdminUser, err), db.Close())
	}
	silent := silentConn{conn, db}
	for _, statement := range silence[s.Engine] {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			silent.Close()
			return silentConn{}, fmt.Errorf("%s as %s: %w", statement, s.AdminUser, err)
		}
	}
	return silent, nil
}

// silentConn is a connection and the pool of one that it came from.
type silentConn struct {
	*sql.Conn
	pool *sql.DB
}

func (c silentConn) Close() {
	_ = c.Conn.Close()
	_ = c.pool.Close()
}

// silence are the statements that keep a session out of the logs.
var silence = map[Engine][]string{
	Postgres: {
		"SET track_activities = off", "SET log_statement = 'none'", "SET log_min_duration_statement = -1",
		"SET log_min_error_statement = 'panic'", "SET log_min_messages = 'panic'",
	},
	MySQL: {
		"SET SESSION sql_log_off = 1, long_query_time = 31536000, sql_log_bin = 0",
		"UPDATE performance_schema.threads SET instrumented = 'NO' WHERE processlist_id = CONNECTION_ID()",
	},
	MariaDB: {"SET SESSION sql_log_off = 1, slow_query_log = 0, sql_log_bin = 0"},
}

// Logs returns everything that the server has logged, and, where it remembers
// statements in tables of its own, those: the text to search for what must not be
// there. With LogStatements that is every statement except Exec's and Query's.
// A server that is paused or dead still has its files.
func (s *Server) Logs() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	files, remembered, err := s.flavour.evidence(ctx, s)
	if err != nil {
		return "", fmt.Errorf("collecting %s's logs: %w", s.installation, err)
	}
	var all strings.Builder
	for _, pattern := range append([]string{"server.log"}, files...) {
		paths, _ := filepath.Glob(s.folder.path(pattern)) // our own patterns are well formed
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("collecting %s's logs: %w", s.installation, err)
			}
			all.Write(content)
			all.WriteByte('\n')
		}
	}
	for _, statement := range remembered {
		all.WriteString(statement)
		all.WriteByte('\n')
	}
	return all.String(), nil
}

// firstWords names a statement in an error without what may be secret in it.
func firstWords(statement string) string {
	words := strings.Fields(statement)
	return strings.Join(words[:min(2, len(words))], " ")
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}
