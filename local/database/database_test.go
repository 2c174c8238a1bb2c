package database_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

// everyServer runs a test on each server that the project supports.
func everyServer(t *testing.T, test func(t *testing.T, o database.Options)) {
	if testing.Short() {
		t.Skip("needs database servers")
	}
	t.Parallel()
	for _, o := range []database.Options{
		{Engine: database.Postgres, Version: "15"},
		{Engine: database.Postgres, Version: "18"},
		{Engine: database.MySQL, Version: "9"},
		{Engine: database.MariaDB},
	} {
		t.Run(string(o.Engine)+o.Version, func(t *testing.T) {
			t.Parallel()
			test(t, o)
		})
	}
}

// open connects as a client that knows only what a user is told.
func open(t *testing.T, s *database.Server, host, user, password string, encrypted bool) *sql.DB {
	t.Helper()
	if s.Engine == database.Postgres {
		cfg := pq.Config{
			Host: host, Port: uint16(s.Port), User: user, Password: password, Database: s.Database,
			SSLMode: pq.SSLModeVerifyFull, SSLRootCert: s.CAFile(),
		}
		if !encrypted {
			cfg.SSLMode, cfg.SSLRootCert = pq.SSLModeDisable, ""
		}
		c, err := pq.NewConnectorConfig(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return closed(t, sql.OpenDB(c))
	}
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd = "tcp", net.JoinHostPort(host, strconv.Itoa(s.Port)), user, password
	cfg.Logger = &mysql.NopLogger{}
	if encrypted {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(s.CAPEM())
		cfg.TLS = &tls.Config{RootCAs: roots, ServerName: host}
	}
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return closed(t, sql.OpenDB(c))
}

func closed(t *testing.T, db *sql.DB) *sql.DB {
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// unique makes a name of a user on a shared server: tests may run more than once.
func unique(name string) string { return name + "_" + strings.ToLower(rand.Text()[:8]) }

func createUser(t *testing.T, s *database.Server, user, password string) {
	t.Helper()
	statement := fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", user, password)
	if s.Engine == database.Postgres {
		statement = fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", user, password)
	}
	if err := s.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestVerifiedTLS(t *testing.T) {
	everyServer(t, func(t *testing.T, o database.Options) {
		s := databasetest.Shared(t, o.Engine, o.Version)
		user := unique("verified")
		createUser(t, s, user, "first-password")
		if err := open(t, s, "localhost", user, "first-password", true).PingContext(t.Context()); err != nil {
			t.Errorf("over verified TLS: %v", err)
		}
		if err := s.Login(t.Context(), user, "first-password"); err != nil {
			t.Errorf("Login: %v", err)
		}
		if err := s.Login(t.Context(), user, "another"); err == nil {
			t.Error("a wrong password logs in")
		}
		if err := open(t, s, "localhost", user, "first-password", false).PingContext(t.Context()); err == nil {
			t.Error("plaintext is accepted")
		}
	})
}

func TestWrongCertificateHost(t *testing.T) {
	everyServer(t, func(t *testing.T, o database.Options) {
		o.CertificateHosts = []string{"another.example"}
		s := databasetest.Start(t, o)
		err := open(t, s, "localhost", s.AdminUser, s.AdminPassword, true).PingContext(t.Context())
		if wrong := (x509.HostnameError{}); !errors.As(err, &wrong) {
			t.Errorf("got %v, want a host name error", err)
		}
	})
}

func TestWithoutTLS(t *testing.T) {
	everyServer(t, func(t *testing.T, o database.Options) {
		o.TLS = database.TLSOff
		s := databasetest.Start(t, o)
		if err := open(t, s, "127.0.0.1", s.AdminUser, s.AdminPassword, false).PingContext(t.Context()); err != nil {
			t.Errorf("plaintext: %v", err)
		}
		if err := open(t, s, "localhost", s.AdminUser, s.AdminPassword, true).PingContext(t.Context()); err == nil {
			t.Error("a server without a certificate speaks TLS")
		}
	})
}

func TestOptionalTLS(t *testing.T) {
	everyServer(t, func(t *testing.T, o database.Options) {
		o.TLS = database.TLSOptional
		s := databasetest.Start(t, o)
		for _, encrypted := range []bool{true, false} {
			if err := open(t, s, "localhost", s.AdminUser, s.AdminPassword, encrypted).PingContext(t.Context()); err != nil {
				t.Errorf("encrypted %v: %v", encrypted, err)
			}
		}
	})
}

func TestLogs(t *testing.T) {
	everyServer(t, func(t *testing.T, o database.Options) {
		s := databasetest.Shared(t, o.Engine, o.Version)
		createUser(t, s, unique("logged"), "preparation-stays-out")
		if _, err := s.DB().ExecContext(t.Context(), "SELECT 'seen-by-everyone'"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DB().ExecContext(t.Context(), "SELECT broken-statement-"); err == nil {
			t.Fatal("a broken statement runs")
		}
		logs, err := s.Logs()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"seen-by-everyone", "broken-statement-"} {
			if !strings.Contains(logs, want) {
				t.Errorf("the logs lack %q", want)
			}
		}
		for _, secret := range []string{"preparation-stays-out", s.AdminPassword} {
			if strings.Contains(logs, secret) {
				t.Errorf("the logs hold %q, which Exec and the start keep out", secret)
			}
		}
	})
}

func TestQuery(t *testing.T) {
	everyServer(t, func(t *testing.T, o database.Options) {
		s := databasetest.Shared(t, o.Engine, o.Version)
		rows, err := s.Query(t.Context(), "SELECT 1, 'two', NULL")
		if err != nil || len(rows) != 1 || strings.Join(rows[0], "|") != "1|two|" {
			t.Errorf("got %q, %v", rows, err)
		}
	})
}

func TestPauseKillRestart(t *testing.T) {
	everyServer(t, func(t *testing.T, o database.Options) {
		s := databasetest.Start(t, o)
		createUser(t, s, "survivor", "kept")
		login := func(patience time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			return s.Login(ctx, "survivor", "kept")
		}
		if err := s.Pause(); err != nil {
			t.Fatal(err)
		}
		if err := login(300 * time.Millisecond); err == nil {
			t.Error("a paused server answers")
		}
		if err := s.Resume(); err != nil {
			t.Fatal(err)
		}
		if err := login(20 * time.Second); err != nil {
			t.Errorf("after Resume: %v", err)
		}
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := login(20 * time.Second); err == nil {
			t.Error("a dead server answers")
		}
		port := s.Port
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := login(20 * time.Second); err != nil || s.Port != port {
			t.Errorf("after Restart on port %d (was %d): %v", s.Port, port, err)
		}
		// Left paused: Stop ends it all the same.
		if err := s.Pause(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTwoAtOnce(t *testing.T) {
	everyServer(t, func(t *testing.T, o database.Options) {
		a, b := databasetest.Start(t, o), databasetest.Shared(t, o.Engine, o.Version)
		if a.Port == b.Port || a.AdminPassword == b.AdminPassword {
			t.Error("two servers share a port or a password")
		}
		if err := b.Login(t.Context(), a.AdminUser, a.AdminPassword); err == nil {
			t.Error("one server's administrator logs in to the other")
		}
		if string(a.CAPEM()) == string(b.CAPEM()) {
			t.Error("two servers share an authority")
		}
	})
}

func TestStopLeavesNothing(t *testing.T) {
	everyServer(t, func(t *testing.T, o database.Options) {
		s, err := database.Start(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Stop(); err != nil {
				t.Errorf("Stop: %v", err)
			}
		}
		if _, err := os.Stat(s.CAFile()); !os.IsNotExist(err) {
			t.Errorf("the server's folder is still there: %v", err)
		}
		if conn, err := net.Dial("tcp", s.Addr()); err == nil {
			_ = conn.Close()
			t.Error("its port still answers")
		}
	})
}

func TestReplica(t *testing.T) {
	if testing.Short() {
		t.Skip("needs database servers")
	}
	t.Parallel()
	for _, version := range []string{"15", "18"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			primary := databasetest.Start(t, database.Options{Engine: database.Postgres, Version: version})
			replica := databasetest.StartReplica(t, primary)
			createUser(t, primary, "app", "after-the-copy")
			if err := replica.CatchUp(t.Context(), primary); err != nil {
				t.Fatal(err)
			}
			if err := open(t, replica, "localhost", "app", "after-the-copy", true).PingContext(t.Context()); err != nil {
				t.Errorf("the primary's user on the replica: %v", err)
			}
			if err := replica.Exec(t.Context(), "CREATE ROLE x"); err == nil || !strings.Contains(err.Error(), "read-only") {
				t.Errorf("a write on the replica: got %v, want that it is read-only", err)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("needs database servers")
	}
	t.Parallel()
	for _, engine := range []database.Engine{database.MySQL, database.MariaDB} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := databasetest.Start(t, database.Options{Engine: engine})
			createUser(t, s, "app", "before")
			statement := "ALTER USER CURRENT_USER() IDENTIFIED BY 'before'"
			if engine == database.MariaDB {
				statement = "SET PASSWORD = PASSWORD('before')" // there, ALTER USER needs a privilege
			}
			change := func() error {
				_, err := open(t, s, "localhost", "app", "before", true).ExecContext(t.Context(), statement)
				return err
			}
			if err := change(); err != nil {
				t.Fatalf("before: %v", err)
			}
			if err := s.SetReadOnly(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			if err := change(); err == nil || !strings.Contains(err.Error(), "read-only") {
				t.Errorf("got %v, want that it is read-only", err)
			}
			if err := s.SetReadOnly(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			if err := change(); err != nil {
				t.Errorf("after: %v", err)
			}
		})
	}
}

func TestFailureTellsTheServersWords(t *testing.T) {
	everyServer(t, func(t *testing.T, o database.Options) {
		o.Settings = map[string]string{"no_such_setting": "1"}
		_, err := database.Start(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), "no_such_setting") && !strings.Contains(err.Error(), "no-such-setting") {
			t.Errorf("got %v, want the server's own log", err)
		}
	})
}
