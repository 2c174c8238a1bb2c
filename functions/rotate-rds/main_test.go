package main_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

func TestRotation(t *testing.T) {
	t.Parallel()
	eachOf(t, withDual, func(t *testing.T, e engine) {
		a := newAccount(t, e, databasetest.Shared(t, e.server, e.version), "rotated", nil)
		old := a.password
		for range 3 {
			a.calls = nil
			if err := a.rotate(true); err != nil {
				t.Fatalf("%v\n%s", err, a.logs.String())
			}
			a.mustHaveRotated(old)
			old, _ = a.value("AWSCURRENT")
			if len(a.calls) != 8 {
				t.Errorf("%d calls, want 8: %v", len(a.calls), a.calls)
			}
		}
		strategy := `"strategy":"single"`
		if a.dual {
			strategy = `"strategy":"dual"`
		}
		if n := strings.Count(a.logs.String(), strategy); n != 3 {
			t.Errorf("%d steps say %s, want 3:\n%s", n, strategy, a.logs.String())
		}
		if n := strings.Count(a.logs.String(), `"outcome":"done"`); n != 12 {
			t.Errorf("%d steps done in the log, want 12:\n%s", n, a.logs.String())
		}
	})
}

// Each call of the function fails once in each way, and the function does not
// try again: so a step fails after each side effect, and Secrets Manager
// repeats the sequence.
func TestStepsFailAndAreRepeated(t *testing.T) {
	t.Parallel()
	eachOf(t, withDual, func(t *testing.T, e engine) {
		db := databasetest.Shared(t, e.server, e.version)
		a := newAccount(t, e, db, "repeated", map[string]string{"AWS_MAX_ATTEMPTS": "1"})
		for _, kind := range []secretsmanager.FaultKind{secretsmanager.Throttle, secretsmanager.ServerError, secretsmanager.Drop, secretsmanager.LoseReply} {
			for call := range 8 {
				old, _ := a.value("AWSCURRENT")
				n := 0
				a.setFault(func(operation string) (k secretsmanager.FaultKind) {
					if operation == "RotateSecret" { // the test's own
						return secretsmanager.NoFault
					}
					if n == call {
						k = kind
					}
					n++
					return k
				})
				if err := a.rotate(true); err != nil {
					t.Fatalf("fault %d at call %d: %v\n%s", kind, call, err, a.logs.String())
				}
				a.setFault(nil)
				a.mustHaveRotated(old)
			}
		}
	})
}

func (a *account) setFault(f func(string) secretsmanager.FaultKind) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = f
}

// The database does not answer: the function says so itself, before Lambda
// ends it.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e engine) {
		db := databasetest.Start(t, database.Options{Engine: e.server, Version: e.version, LogStatements: true})
		a := newAccount(t, e, db, "slow", nil, func(c *lambda.Config) { c.Timeout = 2 * time.Second })
		if err := db.Pause(); err != nil {
			t.Fatal(err)
		}
		err := a.rotate(true)
		if err == nil || !strings.Contains(err.Error(), "unreachable") || strings.Contains(err.Error(), "timed out after") {
			t.Errorf("got %v", err)
		}
		if !strings.Contains(a.logs.String(), `"kind":"unreachable"`) {
			t.Errorf("the log does not tell the cause:\n%s", a.logs.String())
		}
		if err := db.Resume(); err != nil {
			t.Fatal(err)
		}
	})
}

// RotateImmediately=false tests the value that is there, and changes nothing.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e engine) {
		a := newAccount(t, e, databasetest.Shared(t, e.server, e.version), "rehearsed", nil)
		if err := a.rotate(false); err != nil {
			t.Fatal(err)
		}
		if p, _ := a.value("AWSCURRENT"); p != a.password {
			t.Error("the secret changed")
		}
		if slices.Contains(a.calls, "PutSecretValue") || slices.Contains(a.calls, "UpdateSecretVersionStage") {
			t.Errorf("it wrote: %v", a.calls)
		}
	})
}

func TestMisconfigured(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"policy":    {map[string]string{"PASSWORD_LENGTH": "3"}, "PASSWORD_LENGTH"},
		"too_long":  {map[string]string{"PASSWORD_LENGTH": "1000"}, "PASSWORD_LENGTH"},
		"authority": {map[string]string{"SSL_CERT_FILE": os.DevNull}, "authority that is not trusted"},
		"bundle":    {map[string]string{"AWS_CA_BUNDLE": "/no/such/file"}, "AWS_CA_BUNDLE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := engines[0]
			a := newAccount(t, e, databasetest.Shared(t, e.server, e.version), "mis_"+name, c.env)
			err := a.rotate(true)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "What to do") {
				t.Errorf("got %v", err)
			}
			if err := a.database.Login(t.Context(), a.user, a.password); err != nil {
				t.Errorf("the password changed: %v", err)
			}
			a.mustNotLeak()
		})
	}
}
