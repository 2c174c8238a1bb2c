package database_test

import (
	"context"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
)

func TestRefusal(t *testing.T) {
	everyServer(t, func(t *testing.T, o database.Options) {
		s := databasetest.Shared(t, o.Engine, o.Version)
		user := unique("refused")
		createUser(t, s, user, "first-password")
		want := "error 1045"
		if s.Engine == database.Postgres {
			want = "SQLSTATE 28P01"
		}
		if got := database.Refusal(s.Login(t.Context(), user, "another")); got != want {
			t.Errorf("the refusal of a wrong password is %q, want %q", got, want)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for name, err := range map[string]error{
			"a login that succeeds":    s.Login(t.Context(), user, "first-password"),
			"a login that is given up": s.Login(ended, user, "another"),
		} {
			if got := database.Refusal(err); got != "" {
				t.Errorf("%s counts as a refusal: %q", name, got)
			}
		}
	})
}
