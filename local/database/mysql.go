package database

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// mysqlFamily is the flavour of MySQL and MariaDB.
type mysqlFamily struct{}

// initFile holds what a server is told at its first start only.
const initFile = "init"

// prepare copies an initialised data directory: initialising takes seconds.
func (mysqlFamily) prepare(ctx context.Context, s *Server) error {
	if err := copyTemplate(ctx, s); err != nil {
		return err
	}
	return s.folder.write(initFile, []byte(strings.Join(firstStatements(s), ";\n")+";\n"))
}

// firstStatements make the administrator, and nobody else. In MariaDB the
// password goes in as a hash, since its logs hold statements as they come.
func firstStatements(s *Server) []string {
	password := "IDENTIFIED BY '" + s.AdminPassword + "'"
	silent := []string{"SET SESSION sql_log_off = 1, long_query_time = 31536000"}
	others := []string{"DROP USER IF EXISTS 'root'@'localhost'"}
	if s.Engine == MariaDB {
		password = "IDENTIFIED VIA mysql_native_password USING '" + nativeHash(s.AdminPassword) + "'"
		others = []string{"DELETE FROM mysql.global_priv WHERE User NOT IN ('mariadb.sys', 'admin')", "FLUSH PRIVILEGES"}
	}
	return slices.Concat(silent, []string{
		"CREATE USER IF NOT EXISTS '" + s.AdminUser + "'@'%' " + password,
		"GRANT ALL PRIVILEGES ON *.* TO '" + s.AdminUser + "'@'%' WITH GRANT OPTION",
		"CREATE DATABASE IF NOT EXISTS " + s.Database,
	}, others)
}

// nativeHash is mysql_native_password's: a * and SHA1(SHA1(password)) in hex.
func nativeHash(password string) string {
	once := sha1.Sum([]byte(password))
	return fmt.Sprintf("*%X", sha1.Sum(once[:]))
}

func (mysqlFamily) command(s *Server) ([]string, error) {
	settings := mysqlSettings(s)
	var file strings.Builder
	file.WriteString("[mysqld]\n")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&file, "%s=%s\n", name, settings[name])
	}
	if err := s.folder.write("my.cnf", []byte(file.String())); err != nil {
		return nil, err
	}
	return append(slices.Clone(s.installation.command), "--defaults-file="+s.folder.path("my.cnf")), nil
}

func mysqlSettings(s *Server) map[string]string {
	settings := placeSettings(s.installation)
	maps.Copy(settings, map[string]string{
		"datadir": s.folder.path("data"), "tmpdir": s.folder.path("tmp"),
		"socket": s.folder.path("sock"), "pid-file": s.folder.path("pid"),
		"bind-address": "127.0.0.1", "port": strconv.Itoa(s.Port),
		"skip-name-resolve": "ON", "max-connections": "100",
		// The data is thrown away: durability would only cost time.
		"innodb-flush-log-at-trx-commit": "2", "sync-binlog": "0", "innodb-doublewrite": "OFF",
		"innodb-buffer-pool-size": "32M", "performance-schema": "OFF", "skip-log-bin": "ON",
	})
	if s.Engine == MySQL {
		settings["mysqlx"] = "OFF"
	}
	if s.folder.exists(initFile) {
		settings["init-file"] = s.folder.path(initFile)
	}
	if s.options.TLS != TLSOff {
		settings["ssl-ca"] = s.CAFile()
		settings["ssl-cert"] = s.folder.path("server.pem")
		settings["ssl-key"] = s.folder.path("server.key")
	} else if s.Engine == MySQL {
		settings["tls-version"] = "" // otherwise it makes certificates for itself
		settings["auto-generate-certs"] = "OFF"
	} else {
		settings["skip-ssl"] = "ON"
	}
	if s.options.TLS == TLSRequired {
		settings["require-secure-transport"] = "ON"
	}
	if s.options.LogStatements {
		logEverything(s, settings)
	}
	maps.Copy(settings, s.options.Settings)
	return settings
}

// logEverything adds the general, slow and binary logs, and the statement history.
func logEverything(s *Server, settings map[string]string) {
	delete(settings, "skip-log-bin")
	maps.Copy(settings, map[string]string{
		"log-output": "FILE", "general-log": "ON", "slow-query-log": "ON", "long-query-time": "0",
		"general-log-file": s.folder.path("general.log"), "slow-query-log-file": s.folder.path("slow.log"),
		"log-bin": s.folder.path("binlog"), "server-id": "1", "binlog-format": "MIXED",
		"performance-schema": "ON", "performance-schema-events-statements-history-long-size": "10000",
		"performance-schema-consumer-events-statements-history-long": "ON",
	})
	if s.Engine == MySQL {
		delete(settings, "binlog-format") // deprecated there; its default logs account statements too
		settings["log-error-verbosity"] = "3"
		settings["log-slow-extra"] = "ON"
	}
	settings["log-slow-admin-statements"] = "ON"
}

// placeSettings tell a server that was moved after it was built where its parts are.
func placeSettings(i Installation) map[string]string {
	settings := map[string]string{"secure-file-priv": os.DevNull}
	if i.Engine == MySQL {
		settings["secure-file-priv"] = "NULL"
	}
	base := filepath.Join(filepath.Dir(i.Path), "..")
	if len(i.command) > 1 {
		share := filepath.Join(base, "share/mysql")
		maps.Copy(settings, map[string]string{
			"basedir": base, "plugin-dir": filepath.Join(base, "lib/mysql/plugin"),
			"lc-messages-dir": share, "character-sets-dir": filepath.Join(share, "charsets"),
		})
	}
	return settings
}

func (mysqlFamily) connector(s *Server, l login) (driver.Connector, error) {
	return mysqlConnector(s, l)
}

func mysqlConnector(s *Server, l login) (driver.Connector, error) {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))
	cfg.User, cfg.Passwd, cfg.DBName = l.user, l.password, l.database
	cfg.Logger = &mysql.NopLogger{} // the caller gets the error
	if s.options.TLS != TLSOff {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(s.certificates.authority)
		cfg.TLS = &tls.Config{RootCAs: roots, ServerName: s.options.CertificateHosts[0], MinVersion: tls.VersionTLS12}
	}
	return mysql.NewConnector(cfg)
}

func (mysqlFamily) evidence(ctx context.Context, s *Server) ([]string, []string, error) {
	if !s.options.LogStatements {
		return nil, nil, nil
	}
	files := []string{"general.log", "slow.log", "binlog.*"}
	if _, err := s.running(); err != nil || s.isPaused() {
		return files, nil, nil
	}
	if err := s.Exec(ctx, "FLUSH LOGS"); err != nil {
		return nil, nil, err
	}
	rows, err := s.Query(ctx, `SELECT sql_text FROM performance_schema.events_statements_history_long
		UNION SELECT digest_text FROM performance_schema.events_statements_summary_by_digest`)
	return files, column(rows), err
}

// SetReadOnly makes a MySQL or MariaDB server refuse writes, as a read replica
// does, until it is switched back or restarted. In MySQL that holds for the
// administrator too.
func (s *Server) SetReadOnly(ctx context.Context, on bool) error {
	value := "OFF"
	if on {
		value = "ON"
	}
	switch s.Engine {
	case MySQL:
		if on {
			return s.Exec(ctx, "SET GLOBAL super_read_only = ON") // and read_only with it
		}
		return s.Exec(ctx, "SET GLOBAL read_only = OFF") // and super_read_only with it
	case MariaDB:
		return s.Exec(ctx, "SET GLOBAL read_only = "+value)
	}
	return fmt.Errorf("%s cannot be made read-only in place; use StartReplica of a PostgreSQL server", s.installation)
}
