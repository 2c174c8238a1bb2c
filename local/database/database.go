// Package database starts throw-away database servers on this machine, for
// tests and for the demonstration: PostgreSQL, MySQL, MariaDB, and an embedded
// server that speaks MySQL's protocol and needs nothing installed.
//
// Every server is this process's own: a private data directory, a free loopback
// port, a private certificate authority, an administrator with a random
// password. It ends with Stop, and with this process however that ends. Nothing
// secret is on a command line or in an environment.
package database

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Engine names a kind of database server.
type Engine string

// The engines that Start knows.
const (
	Postgres Engine = "postgres"
	MySQL    Engine = "mysql"
	MariaDB  Engine = "mariadb"
	Embedded Engine = "embedded" // local/embeddeddb; speaks MySQL's protocol
)

// title is the engine's name in a sentence.
func (e Engine) title() string {
	switch e {
	case Postgres:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case MariaDB:
		return "MariaDB"
	case Embedded:
		return "the embedded database"
	}
	return fmt.Sprintf("engine %q", string(e))
}

// TLS says how a server treats connections without TLS.
type TLS int

const (
	// TLSRequired refuses plaintext connections: hostssl rules only in
	// PostgreSQL, require_secure_transport in MySQL and MariaDB. The zero value.
	TLSRequired TLS = iota
	// TLSOptional takes both.
	TLSOptional
	// TLSOff has no certificate at all.
	TLSOff
)

// Options say which server to start and how. Only Engine is required.
type Options struct {
	Engine  Engine
	Version string // "15", "18", "9", "10.11"; empty is the newest found

	TLS TLS
	// CertificateHosts are the names and addresses in the server's certificate;
	// empty is localhost, 127.0.0.1 and ::1.
	CertificateHosts []string

	// LogStatements makes the server write every statement it gets to its logs,
	// as verbosely as it can; see Server.Logs.
	LogStatements bool

	// Settings are further server settings, as in the server's configuration file.
	// They win over this package's own.
	Settings map[string]string

	// Auth is PostgreSQL's authentication method, also for storing passwords:
	// "scram-sha-256" (when empty) or "md5".
	Auth string

	// EmbeddedBinary is the built local/embeddeddb. When empty, Start builds it,
	// which needs the go command and a working directory in this project.
	EmbeddedBinary string
}

// startTimeout bounds a start when the context has no earlier deadline. A start
// takes about a second; a loaded machine may need many times that.
const startTimeout = 90 * time.Second

// startAttempts bounds how often a start is tried again on another port. A port
// that was free may be taken between our look and the server's.
const startAttempts = 5

// Start starts a server and returns when its administrator can log in. The
// context bounds the start only. A missing program is an error that wraps
// ErrNotInstalled; when a server fails to start, the error has the end of its log.
func Start(ctx context.Context, o Options) (*Server, error) {
	installation, err := find(ctx, o) // which may compile, and takes its time
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s, err := newServer(o, installation)
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", installation, err)
	}
	if err := s.flavour.prepare(ctx, s); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing %s: %w", installation, err), s.Stop())
	}
	if err := s.launchOnFreePort(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", installation, err), s.Stop())
	}
	return s, nil
}

// find is Find, except that the embedded server can also be built.
func find(ctx context.Context, o Options) (Installation, error) {
	if o.Engine != Embedded {
		return Find(o.Engine, o.Version)
	}
	if o.EmbeddedBinary != "" {
		return Installation{Engine: Embedded, command: []string{o.EmbeddedBinary}}, nil
	}
	return buildEmbedded(ctx)
}

// launchOnFreePort starts the server for the first time.
func (s *Server) launchOnFreePort(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.Port = port
		err = s.launch(ctx)
		if err == nil {
			return nil
		}
		if attempt == startAttempts || ctx.Err() != nil || !s.portClashed() {
			return err
		}
	}
}

// randomPassword has 26 letters and digits: 128 bits that need no quoting anywhere.
func randomPassword() string { return rand.Text() }
