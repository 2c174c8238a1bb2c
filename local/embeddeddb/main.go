// Command embeddeddb is a small database server that speaks MySQL's protocol and
// needs nothing installed: github.com/dolthub/go-mysql-server, with MySQL's own
// statements for accounts and passwords where that lacks them. The demonstration
// uses it when a machine has no database server. It is a module of its own
// because it brings some fifty others along.
//
//	embeddeddb -config FILE
//
// FILE is JSON, see Config. When the server takes connections, one JSON line says
// so on standard output. It ends on SIGTERM or SIGINT; everything is in memory.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Config is the configuration file. local/database writes the same fields.
type Config struct {
	Address      string `json:"address"`      // host:port, loopback only; port 0 is any free one
	Certificate  string `json:"certificate"`  // PEM file; without it there is no TLS
	Key          string `json:"key"`          // PEM file
	RequireTLS   bool   `json:"requireTLS"`   // refuse plaintext connections
	StatementLog string `json:"statementLog"` // file that every statement is appended to; empty: none
	Database     string `json:"database"`     // the one database
	User         string `json:"user"`         // the administrator, from any host
	Password     string `json:"password"`
}

// readiness is the line on standard output.
type readiness struct {
	Ready   bool   `json:"ready"`
	Address string `json:"address"`
	Version string `json:"version"`
}

func main() {
	path := flag.String("config", "", "JSON configuration file")
	flag.Parse()
	if err := run(*path); err != nil {
		fmt.Fprintln(os.Stderr, "embeddeddb:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	config, err := readConfig(path)
	if err != nil {
		return err
	}
	s, err := start(config)
	if err != nil {
		return fmt.Errorf("starting on %s: %w", config.Address, err)
	}
	line := readiness{Ready: true, Address: s.address, Version: version}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		return errors.Join(err, s.close())
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	<-stop
	return s.close()
}

func readConfig(path string) (Config, error) {
	var c Config
	if path == "" {
		return c, errors.New("which configuration? use: embeddeddb -config FILE")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	if err := json.Unmarshal(content, &c); err != nil {
		return c, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	switch {
	case c.Database == "" || c.User == "" || c.Password == "":
		return c, fmt.Errorf("the configuration %s lacks database, user or password", path)
	case c.RequireTLS && c.Certificate == "":
		return c, fmt.Errorf("the configuration %s requires TLS without a certificate", path)
	}
	return c, nil
}
