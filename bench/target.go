package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/redshift"
	"github.com/rekey-aws/rekey/local/vendorapi"
	"github.com/rekey-aws/rekey/local/vendorproxy"
)

// target is a system that owns credentials, running on this machine behind a wire.
type target struct {
	short      string   // for --target
	name       string   // of the rows
	function   string   // of ours that rotates there
	strategies []string // that it knows
	templates  string   // of the peer's: "SecretsManagerRDS…Rotation", to which SingleUser or MultiUser is added; empty: none
	start      func(ctx context.Context, dir string) (*running, error)
}

// running is a target that was started, until stop.
type running struct {
	env     map[string]string // of the functions
	wire    *wire             // to the server; nil for a vendor
	vendor  *atomic.Int64     // requests so far; nil for a server
	refused func(ctx context.Context) (int, error)
	// user makes a user and returns its secret's document, and the administrator's if the
	// strategy needs one.
	user func(ctx context.Context, name, strategy string) (document, admin map[string]any, err error)
	stop func() error
}

const (
	single      = "single"
	dual        = "dual"
	alternating = "alternating"
	replaced    = "replaced" // a key of a vendor: the old one lives until it is ended
)

// targets in the order of the table.
func targets() []*target {
	return []*target{
		{short: "postgres", name: "PostgreSQL", function: "rotate-rds", strategies: []string{single, alternating}, templates: "SecretsManagerRDSPostgreSQLRotation", start: startPostgres},
		{short: "mysql", name: "MySQL", function: "rotate-rds", strategies: []string{single, dual, alternating}, templates: "SecretsManagerRDSMySQLRotation", start: startMySQL(database.MySQL)},
		{short: "mariadb", name: "MariaDB", function: "rotate-rds", strategies: []string{single, dual, alternating}, templates: "SecretsManagerRDSMariaDBRotation", start: startMySQL(database.MariaDB)},
		{short: "redshift", name: "Redshift's stand-in", function: "rotate-redshift", strategies: []string{single, alternating}, start: startRedshift},
		{short: "apikey", name: "GitLab's stand-in", function: "rotate-apikey", strategies: []string{replaced}, start: startVendor},
	}
}

func targetNames() []string {
	var all []string
	for _, t := range targets() {
		all = append(all, t.short)
	}
	return all
}

// onServer is a target on a server: the wire before it, and how users are made there.
func onServer(ctx context.Context, db *database.Server, port int, open func([]byte) bool, engine string) (*running, error) {
	w, err := newWire(ctx, "localhost:"+strconv.Itoa(port), open)
	if err != nil {
		return nil, errors.Join(err, db.Stop())
	}
	t := &running{wire: w, env: map[string]string{"SSL_CERT_FILE": db.CAFile()}}
	t.stop = func() error { w.close(); return db.Stop() }
	t.user = func(ctx context.Context, name, strategy string) (document, admin map[string]any, err error) {
		password, adminPassword, adminName := rand.Text(), rand.Text(), "admin_of_"+name
		if err := db.Exec(ctx, statements(db.Engine, name, password, strategy)...); err != nil {
			return nil, nil, err
		}
		document = map[string]any{"engine": engine, "host": db.Host, "port": w.port(), "username": name, "password": password}
		if strategy != alternating {
			return document, nil, nil
		}
		if err := db.Exec(ctx, administrators(db.Engine, engine, adminName, adminPassword, name)...); err != nil {
			return nil, nil, err
		}
		admin = maps.Clone(document)
		admin["username"], admin["password"] = adminName, adminPassword
		return document, admin, nil
	}
	return t, nil
}

// statements make a user as its owner would.
func statements(e database.Engine, name, password, strategy string) []string {
	if e == database.Postgres {
		return []string{"CREATE ROLE " + name + " LOGIN PASSWORD '" + password + "'"}
	}
	all := []string{"CREATE USER " + name + "@'%' IDENTIFIED BY '" + password + "'", "GRANT SELECT ON app.* TO " + name + "@'%'"}
	if strategy == dual {
		privilege := map[database.Engine]string{database.MySQL: "APPLICATION_PASSWORD_ADMIN", database.MariaDB: "CREATE USER"}
		all = append(all, "GRANT "+privilege[e]+" ON *.* TO "+name+"@'%'")
	}
	return all
}

// administrators make one who may manage a user, as RDS makes them.
func administrators(e database.Engine, engine, admin, password, user string) []string {
	switch {
	case engine == "redshift":
		return []string{"CREATE ROLE " + admin + " LOGIN SUPERUSER PASSWORD '" + password + "'"}
	case e == database.Postgres:
		return []string{"CREATE ROLE " + admin + " LOGIN CREATEROLE PASSWORD '" + password + "'", "GRANT " + user + " TO " + admin + " WITH ADMIN OPTION"}
	}
	return []string{
		"CREATE USER " + admin + "@'%' IDENTIFIED BY '" + password + "'",
		"GRANT ALL PRIVILEGES ON *.* TO " + admin + "@'%' WITH GRANT OPTION", // ours needs less, the official template for MariaDB does not
	}
}

func startPostgres(ctx context.Context, _ string) (*running, error) {
	db, err := database.Start(ctx, database.Options{Engine: database.Postgres, Version: "15"})
	if err != nil {
		return nil, err
	}
	t, err := onServer(ctx, db, db.Port, openPostgres, "postgres")
	if err != nil {
		return nil, err
	}
	t.refused = refusedByPostgres(db)
	return t, nil
}

// refusedByPostgres counts the sessions that the server's log says ended before they began.
func refusedByPostgres(db *database.Server) func(context.Context) (int, error) {
	return func(context.Context) (int, error) {
		logs, err := db.Logs() //nolint:contextcheck // it gives itself a time
		return strings.Count(logs, "FATAL:"), err
	}
}

func startMySQL(e database.Engine) func(context.Context, string) (*running, error) {
	return func(ctx context.Context, _ string) (*running, error) {
		db, err := database.Start(ctx, database.Options{Engine: e})
		if err != nil {
			return nil, err
		}
		t, err := onServer(ctx, db, db.Port, openMySQL, string(e))
		if err != nil {
			return nil, err
		}
		t.refused = func(ctx context.Context) (int, error) {
			rows, err := db.Query(ctx, "SHOW GLOBAL STATUS LIKE 'Aborted_connects'")
			if err != nil || len(rows) != 1 {
				return 0, fmt.Errorf("asking %s how many logins it refused: %d rows (%w)", db.Engine, len(rows), err)
			}
			return strconv.Atoi(rows[0][1])
		}
		return t, nil
	}
}

func startRedshift(ctx context.Context, dir string) (*running, error) {
	db, err := database.Start(ctx, redshift.Options(database.Options{}))
	if err != nil {
		return nil, err
	}
	front, err := redshift.Before(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Stop())
	}
	t, err := onServer(ctx, db, front.Port, openPostgres, "redshift")
	if err != nil {
		return nil, err
	}
	authority := filepath.Join(dir, "redshift.pem")
	t.env["SSL_CERT_FILE"], t.refused = authority, refusedByPostgres(db)
	stop := t.stop
	t.stop = func() error { return errors.Join(front.Close(), stop()) }
	return t, os.WriteFile(authority, front.CAPEM(), 0o600)
}

func startVendor(_ context.Context, dir string) (*running, error) {
	account := vendorapi.Vendors()["gitlab"].Open(time.Now)
	t := &running{vendor: new(atomic.Int64), refused: func(context.Context) (int, error) { return 0, nil }}
	proxy, err := vendorproxy.Start(counting(account, func() { t.vendor.Add(1) }), dir)
	if err != nil {
		return nil, err
	}
	t.env = map[string]string{"HTTPS_PROXY": proxy.URL(), "SSL_CERT_FILE": proxy.CAFile()}
	t.stop = proxy.Close
	t.user = func(_ context.Context, name, _ string) (document, admin map[string]any, err error) {
		key := account.Mint(name)
		return map[string]any{"provider": "gitlab", "tokenId": key.ID, "token": key.Secret, "expiresAt": key.Fields["expires"]}, nil, nil
	}
	return t, nil
}
