package database

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lib/pq"
)

// postgres is the flavour of PostgreSQL.
type postgres struct{}

// prepare copies an initialised data directory, then gives the administrator its
// password in PostgreSQL's single-user mode, over a pipe.
func (postgres) prepare(ctx context.Context, s *Server) error {
	if err := copyTemplate(ctx, s); err != nil {
		return err
	}
	statement := fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'\n", s.AdminUser, s.AdminPassword)
	return runTool(s.folder, strings.NewReader(statement), append(slices.Clone(s.installation.command),
		"--single", "-D", s.folder.path("data"), "-F", "-c", "password_encryption="+s.authMethod(),
		"-c", "log_statement=none", "postgres")...)
}

// initdb makes the template. Nobody may log in to it: every server writes its own
// rules.
func initdb(i Installation, f *folder) error {
	program, err := i.tool("initdb")
	if err != nil {
		return err
	}
	argv := []string{
		program, "-D", f.path("data"), "-U", adminUser, "-A", "reject",
		"--no-sync", "--locale=C", "--encoding=UTF8",
	}
	if !i.olderThan(11) {
		argv = append(argv, "--wal-segsize=1") // 16 MB otherwise, copied each time
	}
	return runTool(f, nil, argv...)
}

// authMethod is Options.Auth with its default.
func (s *Server) authMethod() string {
	if s.options.Auth == "" {
		return "scram-sha-256"
	}
	return s.options.Auth
}

func (postgres) command(s *Server) ([]string, error) {
	kind := "hostssl"
	if s.options.TLS != TLSRequired {
		kind = "host"
	}
	var rules strings.Builder
	for _, database := range []string{"all", "replication"} {
		for _, from := range []string{"127.0.0.1/32", "::1/128"} {
			fmt.Fprintf(&rules, "%s %s all %s %s\n", kind, database, from, s.authMethod())
		}
	}
	if err := s.folder.write("data/pg_hba.conf", []byte(rules.String())); err != nil {
		return nil, err
	}
	var settings strings.Builder
	all := postgresSettings(s)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&settings, "%s = '%s'\n", name, strings.ReplaceAll(all[name], "'", "''"))
	}
	if err := s.folder.write("data/postgresql.conf", []byte(settings.String())); err != nil {
		return nil, err
	}
	return append(slices.Clone(s.installation.command), "-D", s.folder.path("data")), nil
}

func postgresSettings(s *Server) map[string]string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(s.Port),
		"unix_socket_directories": "",
		"password_encryption":     s.authMethod(),
		"max_connections":         "50",
		"shared_buffers":          "16MB",
		"log_timezone":            "UTC",
		"logging_collector":       "off",
		// The data is thrown away: durability would only cost time.
		"fsync": "off", "full_page_writes": "off", // but commits reach the kernel, and so survive Kill
		// Enough for a replica at any time.
		"wal_level": "replica", "max_wal_senders": "4", "wal_keep_size": "64MB",
		"min_wal_size": "32MB", "max_wal_size": "128MB",
	}
	if s.installation.olderThan(13) {
		delete(settings, "wal_keep_size")
		settings["wal_keep_segments"] = "64"
	}
	if s.options.TLS != TLSOff {
		settings["ssl"] = "on"
		settings["ssl_cert_file"] = s.folder.path("server.pem")
		settings["ssl_key_file"] = s.folder.path("server.key")
	}
	if s.options.LogStatements {
		maps.Copy(settings, map[string]string{
			"log_statement": "all", "log_min_duration_statement": "0",
			"log_min_messages": "debug1", "log_min_error_statement": "debug5",
			"log_error_verbosity": "verbose", "log_connections": "on", "log_disconnections": "on",
			"log_replication_commands": "on", "debug_print_parse": "on",
		})
	}
	maps.Copy(settings, s.options.Settings)
	return settings
}

// olderThan compares the major version.
func (i Installation) olderThan(major int) bool {
	first, _, _ := strings.Cut(i.Version, ".")
	n, err := strconv.Atoi(first)
	return err == nil && n < major
}

func (postgres) connector(s *Server, l login) (driver.Connector, error) {
	cfg := pq.Config{
		Host: "127.0.0.1", Port: uint16(s.Port),
		User: l.user, Password: l.password, Database: l.database,
		// Verified against an authority that signed this server's certificate and
		// no other; its host names are the business of who tests them.
		SSLMode: pq.SSLModeVerifyCA, SSLRootCert: s.CAFile(),
	}
	if s.options.TLS == TLSOff {
		cfg.SSLMode, cfg.SSLRootCert = pq.SSLModeDisable, ""
	}
	return pqConnector{cfg}, nil
}

// evidence: every process of the server writes its log lines to server.log itself,
// before it answers. What the sessions did last is in a view of its own.
func (postgres) evidence(ctx context.Context, s *Server) ([]string, []string, error) {
	if _, err := s.running(); err != nil || s.isPaused() || !s.options.LogStatements {
		return nil, nil, nil
	}
	rows, err := s.Query(ctx, "SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
	return nil, column(rows), err
}

func column(rows [][]string) []string {
	var column []string
	for _, row := range rows {
		column = append(column, row...)
	}
	return column
}
