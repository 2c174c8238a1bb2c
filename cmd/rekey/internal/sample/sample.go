// Package sample makes something to rotate: a throw-away database with a user.
package sample

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/checkout"
	"github.com/rekey-aws/rekey/local/database"
)

// Auto chooses the first server that starts: PostgreSQL, MySQL, MariaDB, embedded.
const Auto = "auto"

// User is the one that Start makes.
const User = "demo_app"

// Database is a throw-away server with a user. Stop it.
type Database struct {
	*database.Server
	// Password is the user's first.
	Password string
}

// Start starts a server that takes TLS only and logs every statement, and makes the user.
// With Auto, a server that is installed and does not start is told to passedOver, and the
// next one is tried.
func Start(ctx context.Context, engine string, passedOver func(error)) (*Database, error) {
	for _, e := range candidates(engine) { //nolint:contextcheck // looking for programs has a time limit of its own
		server, err := start(ctx, e)
		if err == nil {
			return withUser(ctx, server)
		}
		if engine != Auto || e == database.Embedded || ctx.Err() != nil {
			return nil, err
		}
		passedOver(err)
	}
	return nil, fmt.Errorf("starting a database: there is no engine %q: use auto, postgres, mysql, mariadb or embedded", engine)
}

func start(ctx context.Context, e database.Engine) (*database.Server, error) {
	const otherwise = "install PostgreSQL, MySQL or MariaDB"
	if e == database.Embedded { // which is built from source
		if _, err := checkout.Find(".", otherwise); err != nil {
			return nil, fmt.Errorf("building the embedded database: %w", err)
		}
	}
	server, err := database.Start(ctx, database.Options{Engine: e, LogStatements: true})
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("building the embedded database: the go command is not in PATH: install Go (https://go.dev/dl), or " + otherwise)
	}
	return server, err
}

func candidates(engine string) []database.Engine {
	if engine != Auto {
		return []database.Engine{database.Engine(engine)}
	}
	var all []database.Engine
	for _, i := range database.Installed() {
		if len(all) == 0 || all[len(all)-1] != i.Engine { // the newest of each
			all = append(all, i.Engine)
		}
	}
	return append(all, database.Embedded)
}

func withUser(ctx context.Context, server *database.Server) (*Database, error) {
	d := &Database{Server: server, Password: rand.Text()}
	create := "CREATE USER '" + User + "'@'%' IDENTIFIED BY '" + d.Password + "'"
	if server.Engine == database.Postgres {
		create = "CREATE ROLE " + User + " LOGIN PASSWORD '" + d.Password + "'"
	}
	if err := server.Exec(ctx, create); err != nil {
		_ = server.Stop()
		return nil, fmt.Errorf("making the user %s on %s: %w", User, d.Title(), err)
	}
	return d, nil
}

// Title is the server's name and version: PostgreSQL 15.18.
func (d *Database) Title() string {
	return database.Installation{Engine: d.Engine, Version: d.Version}.String()
}

// Document is the user's secret as the official rotation templates have it, for a server
// that is reached on a port, with keys of the owner's own.
func (d *Database) Document(port int) (string, error) {
	engine := string(d.Engine)
	if d.Engine == database.Embedded {
		engine = "mysql" // whose protocol it speaks
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct { //nolint:gosec // this is the secret: it goes to Secrets Manager
		Engine   string            `json:"engine"`
		Host     string            `json:"host"`
		Port     int               `json:"port"`
		Username string            `json:"username"`
		Password string            `json:"password"`
		Owner    string            `json:"owner"`
		Labels   map[string]string `json:"labels"`
	}{engine, d.Host, port, User, d.Password, "équipe <paiements> & co", map[string]string{"tier": "gold"}})
	return strings.TrimSpace(b.String()), err
}
