package database_test

import (
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
)

func TestEmbedded(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a server")
	}
	t.Parallel()
	s := databasetest.Start(t, database.Options{Engine: database.Embedded, LogStatements: true})
	createUser(t, s, "app", "first-password")
	db := open(t, s, "localhost", "app", "first-password", true)
	if _, err := db.ExecContext(t.Context(), "SET PASSWORD = 'second-password'"); err != nil {
		t.Fatal(err)
	}
	if err := s.Login(t.Context(), "app", "second-password"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if err := s.Login(t.Context(), "app", "first-password"); err == nil {
		t.Error("the old password still logs in")
	}
	if err := open(t, s, "localhost", "app", "second-password", false).PingContext(t.Context()); err == nil {
		t.Error("plaintext is accepted")
	}
	logs, err := s.Logs()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logs, "SET PASSWORD = <secret>") || strings.Contains(logs, "-password") {
		t.Errorf("the logs are not what they should be:\n%s", logs)
	}
}

func TestEmbeddedWithoutTLS(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a server")
	}
	t.Parallel()
	s := databasetest.Start(t, database.Options{Engine: database.Embedded, TLS: database.TLSOff})
	createUser(t, s, "app", "password")
	if err := s.Login(t.Context(), "app", "password"); err != nil {
		t.Error(err)
	}
}

func TestFindSaysWhatToDo(t *testing.T) {
	_, err := database.Find(database.Postgres, "1")
	if err == nil || !strings.Contains(err.Error(), "is not installed") || !strings.Contains(err.Error(), "; run") {
		t.Errorf("got %v", err)
	}
	if _, err := database.Find("oracle", ""); err == nil || !strings.Contains(err.Error(), "the engines are") {
		t.Errorf("got %v", err)
	}
}
