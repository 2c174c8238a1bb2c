package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/sirupsen/logrus"
)

// version is what the server says it is: the MySQL whose statements it follows,
// and what it really is.
const version = "8.0.33-rekey-embedded"

// running is a server that takes connections.
type running struct {
	address string
	server  *server.Server
	log     *statementLog
	ended   chan struct{}
}

func start(c Config) (*running, error) {
	// go-mysql-server and its protocol library log statements that fail as they
	// came, passwords included. What is worth knowing reaches the client as an error.
	logrus.SetOutput(io.Discard)
	log.SetOutput(io.Discard)
	listener, err := listenOnLoopback(c.Address)
	if err != nil {
		return nil, err
	}
	statements, err := openStatementLog(c.StatementLog)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s, err := serve(c, listener, statements)
	if err != nil {
		return nil, errors.Join(err, listener.Close(), statements.Close())
	}
	r := &running{address: listener.Addr().String(), server: s, log: statements, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		_ = s.Start() // always nil: it returns when the listener closes
	}()
	return r, nil
}

func serve(c Config, listener net.Listener, statements *statementLog) (*server.Server, error) {
	database := memory.NewDatabase(c.Database)
	database.EnablePrimaryKeyIndexes()
	provider := memory.NewDBProvider(database)
	engine := sqle.NewDefault(provider)
	accounts := engine.Analyzer.Catalog.MySQLDb
	accounts.SetPersister(&mysql_db.NoopPersister{})

	config := server.Config{Protocol: "tcp", Address: listener.Addr().String(), Listener: listener, Version: version}
	// MySQL 8's default. Without TLS this server cannot do it, for lack of the RSA
	// exchange that MySQL has for that case.
	plugin := mysql.CachingSha2Password
	if c.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return nil, fmt.Errorf("loading the certificate: %w", err)
		}
		config.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		config.RequireSecureTransport = c.RequireTLS
	} else {
		plugin = mysql.MysqlNativePassword
	}
	if err := addAdministrator(accounts, c, string(plugin)); err != nil {
		return nil, err
	}
	wrap := func(h mysql.Handler) (mysql.Handler, error) {
		return &handler{
			Handler: h, log: statements, requireTLS: c.RequireTLS,
			accounts: &accountStatements{db: accounts, defaultPlugin: string(plugin)},
		}, nil
	}
	return server.NewServerWithHandler(config, engine, sql.NewContext, memory.NewSessionBuilder(provider), nil, wrap)
}

// addAdministrator makes the first account: every privilege, from any host.
func addAdministrator(db *mysql_db.MySQLDb, c Config, plugin string) error {
	authString, err := hashPassword(plugin, c.Password)
	if err != nil {
		return err
	}
	editor := db.Editor()
	defer editor.Close()
	db.AddSuperUser(editor, c.User, "%", c.Password)
	account, ok := editor.GetUser(mysql_db.UserPrimaryKey{User: c.User, Host: "%"})
	if !ok {
		return fmt.Errorf("making the administrator %q failed", c.User)
	}
	account.Plugin, account.AuthString = plugin, authString
	editor.PutUser(account)
	return nil
}

// close stops taking connections and ends those there are.
func (r *running) close() error {
	err := r.server.Close()
	select {
	case <-r.ended:
	case <-time.After(5 * time.Second):
		err = errors.Join(err, errors.New("the listener does not end"))
	}
	return errors.Join(err, r.log.Close())
}

// listenOnLoopback refuses any other address: accounts here are for a
// demonstration.
func listenOnLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("address %q is not a loopback address; use 127.0.0.1:PORT", address)
	}
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
}
