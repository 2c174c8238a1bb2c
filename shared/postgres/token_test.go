package postgres_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/postgres"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// tokens stands in for IAM: the token is the password of the administrator.
type tokens struct {
	dbuser.RDS // nothing else is asked
	t          *testing.T
	token      string
	made       int
}

const endpoint = "db.abc.us-east-1.rds.amazonaws.com"

func (s *tokens) Token(_ context.Context, l dbuser.Login) (rotation.Value, error) {
	s.made++
	if l.Username != "rekey_admin" || l.ServerName != endpoint {
		s.t.Errorf("a token for %s at %s", l.Username, l.ServerName)
	}
	return rotation.TextValue(s.token), nil
}

// takingTokens is a server that asks its administrator for the password in the
// clear, over TLS, as RDS does for a token; and that bears a name of RDS.
func takingTokens(t *testing.T, version string) *database.Server {
	t.Helper()
	folder := t.TempDir()
	for _, readable := range []string{folder, filepath.Dir(folder)} { // to the server's own user
		if err := os.Chmod(readable, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	rules := filepath.Join(folder, "pg_hba.conf")
	if err := os.WriteFile(rules, []byte("hostssl all rekey_admin 127.0.0.1/32 password\nhostssl all all 127.0.0.1/32 scram-sha-256\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	server := databasetest.Start(t, database.Options{
		Engine: database.Postgres, Version: version, LogStatements: true,
		CertificateHosts: []string{"127.0.0.1", endpoint}, Settings: map[string]string{"hba_file": rules},
	})
	statements := []string{"CREATE ROLE rekey_admin LOGIN CREATEROLE PASSWORD 'the-token-of-the-administrator'", "CREATE ROLE app LOGIN PASSWORD '" + basePassword + "'"}
	if version != "15" {
		statements = append(statements, "GRANT app TO rekey_admin WITH ADMIN OPTION")
	}
	if err := server.Exec(t.Context(), statements...); err != nil {
		t.Fatal(err)
	}
	return server
}

// An administrator without a password: both strategies that need one, and what
// happens when the server does not take the token.
func TestAdministratorByToken(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		server := takingTokens(t, version)
		for _, strategy := range []string{"single", "alternating"} {
			source := &tokens{t: t, token: "the-token-of-the-administrator"}
			var log bytes.Buffer
			password := basePassword
			if strategy == "alternating" { // after the other, whose last password is thrown away
				if err := server.Exec(t.Context(), "ALTER ROLE app PASSWORD '"+password+"'"); err != nil {
					t.Fatal(err)
				}
			}
			raw, err := json.Marshal(map[string]any{
				"engine": "postgres", "host": server.Host, "port": server.Port, "tlsServerName": endpoint, "username": "app", "password": password,
				"adminAuth": "iam", "adminUser": "rekey_admin", "strategy": strategy,
			})
			if err != nil {
				t.Fatal(err)
			}
			policy, err := dbuser.PolicyFrom(func(string) (string, bool) { return "", false })
			if err != nil {
				t.Fatal(err)
			}
			store := rotationtest.NewStore(t, rotation.TextValue(string(raw)))
			machine := &rotation.Machine{Store: store, Log: slog.New(slog.NewJSONHandler(&log, nil)), Engine: &dbuser.Engine{
				Drivers: map[string]dbuser.Driver{"postgres": postgres.Driver{Roots: dbusertest.Roots(server)}}, Policy: policy, RDS: source,
			}}
			for range 2 {
				if err := rotationtest.Run(t.Context(), machine, store.Begin()); err != nil {
					t.Fatalf("%s: %v", strategy, err)
				}
				_, current := store.Labelled(rotation.Current)
				var doc struct{ Username, Password string }
				if err := json.Unmarshal([]byte(current.Reveal()), &doc); err != nil {
					t.Fatal(err)
				}
				if err := server.Login(t.Context(), doc.Username, doc.Password); err != nil {
					t.Errorf("%s: locked out: %v", strategy, err)
				}
			}
			if source.made != 4 { // preflight and set, twice
				t.Errorf("%s: %d tokens", strategy, source.made)
			}
			source.token = "another-token"
			err = rotationtest.RunStep(t.Context(), machine, store.Begin(), rotation.CreateSecret)
			if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "rds-db:connect") {
				t.Errorf("%s: a token that is refused: %v", strategy, err)
			}
			logs, lerr := server.Logs()
			for _, secret := range []string{"the-token-of-the-administrator", "another-token"} {
				if said := fmt.Sprint(err, log.String()); lerr != nil || strings.Contains(said, secret) || strings.Contains(withoutSetup(logs), secret) {
					t.Errorf("%s: a token is in a log or an error: %v", strategy, lerr)
				}
			}
		}
	})
}

// withoutSetup leaves out what the test itself had logged: the statement that
// made the administrator.
func withoutSetup(logs string) string {
	var kept []string
	for line := range strings.Lines(logs) {
		if !strings.Contains(line, "CREATE ROLE rekey_admin") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
