package postgres_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/postgres"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

const adminARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf"

// alternation is a couple whose secret is rotated by the engine.
type alternation struct {
	*couple
	store   *rotationtest.Store
	machine *rotation.Machine
	admin   map[string]any // the administrator's secret
	log     bytes.Buffer
}

// withAdmin is a store that holds the administrator's secret too.
type withAdmin struct {
	*rotationtest.Store
	a *alternation
}

func (s withAdmin) Get(ctx context.Context, id string, v rotation.Version) (rotation.Stored, error) {
	if id != adminARN || s.a.admin == nil {
		return s.Store.Get(ctx, id, v)
	}
	raw, err := json.Marshal(s.a.admin)
	return rotation.Stored{VersionID: "v", Stages: []string{v.Stage}, Value: rotation.TextValue(string(raw))}, err
}

func newAlternation(t *testing.T, version, base string, extra map[string]any) *alternation {
	t.Helper()
	a := &alternation{couple: newCouple(t, version, base)}
	secret := map[string]any{
		"engine": "postgres", "host": a.server.Host, "port": a.server.Port, "username": base, "password": basePassword, "masterarn": adminARN, "note": "kept",
	}
	maps.Copy(secret, extra)
	raw, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	a.admin = map[string]any{"engine": "postgres", "host": a.server.Host, "port": a.server.Port, "username": a.couple.admin, "password": adminPassword}
	a.store = rotationtest.NewStore(t, rotation.TextValue(string(raw)))
	policy, err := dbuser.PolicyFrom(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	a.machine = &rotation.Machine{
		Store: withAdmin{a.store, a},
		Engine: &dbuser.Engine{
			Drivers: map[string]dbuser.Driver{"postgres": postgres.Driver{Roots: dbusertest.Roots(a.server)}},
			Policy:  policy,
		},
		Log: slog.New(slog.NewJSONHandler(&a.log, nil)),
	}
	return a
}

// credential is whom a version's value logs in.
func (a *alternation) credential(label string) (user, password string) {
	a.t.Helper()
	_, v := a.store.Labelled(label)
	var doc struct{ Username, Password, Note string }
	if err := json.Unmarshal([]byte(v.Reveal()), &doc); err != nil || doc.Note != "kept" {
		a.t.Fatalf("the value labelled %s is not the secret: %v", label, err)
	}
	return doc.Username, doc.Password
}

func (a *alternation) mustLogIn(label string) {
	a.t.Helper()
	user, password := a.credential(label)
	a.mustAs(user, password, "SELECT 1")
}

// No password that consumers hold changes under them.
func TestAlternatingUsers(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		a := newAlternation(t, version, "turns", map[string]any{"testStatements": []string{"SELECT count(*) FROM pg_class"}})
		for n, want := range []string{"turns_clone", "turns", "turns_clone", "turns"} {
			if err := rotationtest.Run(t.Context(), a.machine, a.store.Begin()); err != nil {
				t.Fatalf("rotation %d: %v", n, err)
			}
			if user, _ := a.credential(rotation.Current); user != want {
				t.Errorf("rotation %d: AWSCURRENT is %s, want %s", n, user, want)
			}
			a.mustLogIn(rotation.Current)
			a.mustLogIn(rotation.Previous)
		}
		if log := a.log.String(); !strings.Contains(log, `"strategy":"alternating"`) || !strings.Contains(log, `created the role`) {
			t.Errorf("the log does not tell of the strategy and the changes:\n%s", log)
		}
		if n := len(a.store.Calls()); n != 4*9 { // and two of the administrator's secret
			t.Errorf("%d calls of the secret in 4 rotations: %v", n, a.store.Calls())
		}
		user, password := a.credential(rotation.Current)
		logs, err := a.server.Logs()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{password, adminPassword} {
			if strings.Contains(logs, p) || strings.Contains(a.log.String(), p) {
				t.Errorf("a password of %s or the administrator is in a log", user)
			}
		}
	})
}

// The current credential logs in at every moment, whatever fails.
func TestAlternatingCrashes(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for effect := range 2 { // Put, Promote
			for _, fate := range rotationtest.Faults {
				for _, cleared := range []bool{false, true} {
					a := newAlternation(t, version, fmt.Sprintf("crash %d %d %t", effect, fate, cleared), nil)
					a.store.Faults.FailAt(effect, fate)
					r := a.store.Begin()
					if err := rotationtest.Run(t.Context(), a.machine, r); err == nil {
						t.Fatal("the fault went unnoticed")
					}
					a.mustLogIn(rotation.Current)
					a.store.Faults.FailAt(0, rotationtest.Healthy)
					if cleared {
						a.store.Unlabel(rotation.Pending)
						r = a.store.Begin()
					}
					if err := rotationtest.Run(t.Context(), a.machine, r); err != nil {
						t.Fatalf("run again: %v", err)
					}
					a.mustLogIn(rotation.Current)
					a.mustLogIn(rotation.Previous)
				}
			}
		}
	})
}

// What setSecret would lack, createSecret finds, before it stores anything.
func TestAlternatingPreflight(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for name, c := range map[string]struct {
			prepare func(a *alternation)
			kind    error
			says    string
		}{
			"no CREATEROLE":   {func(a *alternation) { a.exec("ALTER ROLE " + id(a.couple.admin) + " NOCREATEROLE") }, rotation.ErrDenied, "CREATEROLE"},
			"no secret":       {func(a *alternation) { a.admin = nil }, rotation.ErrNotFound, adminARN},
			"wrong password":  {func(a *alternation) { a.admin["password"] = "Wrong-Password" }, rotation.ErrRefused, "admin"},
			"another host":    {func(a *alternation) { a.admin["host"] = "other.example.com" }, rotation.ErrConfig, `"host"`},
			"another port":    {func(a *alternation) { a.admin["port"] = 1 }, rotation.ErrConfig, `"port"`},
			"another engine":  {func(a *alternation) { a.admin["engine"] = "mysql" }, rotation.ErrConfig, `"engine"`},
			"no host":         {func(a *alternation) { delete(a.admin, "host") }, rotation.ErrConfig, `"host"`},
			"current refused": {func(a *alternation) { a.exec("ALTER ROLE " + id(a.base) + " PASSWORD 'Other-Password'") }, rotation.ErrRefused, "AWSCURRENT"},
			"foreign clone":   {func(a *alternation) { a.exec("CREATE ROLE " + id(a.base+"_clone")) }, rotation.ErrConfig, "is not a member"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a := newAlternation(t, version, "preflight "+name, nil)
				c.prepare(a)
				r := a.store.Begin()
				create := rotationtest.RunStep(t.Context(), a.machine, r, rotation.CreateSecret)
				rehearsal := rotationtest.RunStep(t.Context(), a.machine, r, rotation.TestSecret)
				for _, err := range []error{create, rehearsal} {
					dbusertest.MustFail(t, err, c.kind, c.says)
					if err != nil && strings.Contains(err.Error(), "-Password") {
						t.Errorf("the error holds a password: %v", err)
					}
				}
				if n := len(a.store.Faults.Effects()); n != 0 {
					t.Errorf("%d writes, want none", n)
				}
			})
		}
	})
}

// A rehearsal checks all this and changes nothing, with either form of a
// version that is tested.
func TestAlternatingRehearsal(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		a := newAlternation(t, version, "rehearsal", nil)
		for _, copied := range []bool{false, true} {
			r := a.store.Begin()
			if copied {
				_, current := a.store.Labelled(rotation.Current)
				a.store.Plant(r.Token, current, rotation.Pending)
			}
			if err := rotationtest.RunStep(t.Context(), a.machine, r, rotation.TestSecret); err != nil {
				t.Errorf("copied %v: %v", copied, err)
			}
		}
		roles, err := a.server.Query(t.Context(), "SELECT FROM pg_roles WHERE rolname = 'rehearsal_clone'")
		if err != nil || len(roles) != 0 {
			t.Errorf("the rehearsal made the clone: %v, %v", roles, err)
		}
	})
}

// A statement of the user's own that the new credential may not run keeps it
// from being promoted; and it cannot write.
func TestTestStatements(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for statement, says := range map[string]string{
			"TABLE pg_authid":         "permission denied for table pg_authid",
			"CREATE TABLE t (n int)":  "read-only transaction",
			"SELECT 1/0":              "division by zero",
			"SELECT 1; SELECT broken": "broken",
		} {
			a := newAlternation(t, version, "tried", map[string]any{"testStatements": []string{"SELECT 1", statement}})
			err := rotationtest.Run(t.Context(), a.machine, a.store.Begin())
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "testSecret") || !strings.Contains(err.Error(), "statement 2") {
				t.Errorf("%s: %v", statement, err)
			}
			if user, _ := a.credential(rotation.Current); user != "tried" {
				t.Errorf("%s: it was promoted", statement)
			}
			a.drop("tried admin", "tried", "tried_clone")
		}
	})
}

// A user that may not change its own password: the administrator does.
func TestAdministeredSingleUser(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		a := newAlternation(t, version, "single", map[string]any{"strategy": "single"})
		for range 2 {
			if err := rotationtest.Run(t.Context(), a.machine, a.store.Begin()); err != nil {
				t.Fatal(err)
			}
			a.mustLogIn(rotation.Current)
			if user, password := a.credential(rotation.Previous); user != "single" || a.as(user, password, "SELECT 1") == nil {
				t.Errorf("the old password of %s still logs in", user)
			}
		}
		r := a.store.Begin() // lost between set and finish, and then cleared away
		for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret} {
			if err := rotationtest.RunStep(t.Context(), a.machine, r, step); err != nil {
				t.Fatal(err)
			}
		}
		a.store.Unlabel(rotation.Pending)
		if err := rotationtest.Run(t.Context(), a.machine, a.store.Begin()); err != nil {
			t.Fatal(err)
		}
		a.mustLogIn(rotation.Current)
	})
}

// Who can write a pending value cannot have the administrator set the password
// of another user.
func TestPendingNamesAnotherUser(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		a := newAlternation(t, version, "deputy", nil)
		r := a.store.Begin()
		_, current := a.store.Labelled(rotation.Current)
		for _, user := range []string{"deputy", "victim", "deputy_clone_clone"} {
			doc, err := rotation.ParseDocument(current)
			if err != nil {
				t.Fatal(err)
			}
			v, err := doc.With("username", user)
			if err != nil {
				t.Fatal(err)
			}
			a.store.Plant(r.Token, v, rotation.Pending)
			if err := rotationtest.RunStep(t.Context(), a.machine, r, rotation.SetSecret); !errors.Is(err, rotation.ErrConfig) {
				t.Errorf("%s: %v", user, err)
			}
		}
	})
}

// Someone changed one of the two between setSecret and testSecret: the other is
// not promoted with less than the first has.
func TestUnequalPairIsNotPromoted(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		a := newAlternation(t, version, "unequal", nil)
		r := a.store.Begin()
		for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret} {
			if err := rotationtest.RunStep(t.Context(), a.machine, r, step); err != nil {
				t.Fatal(err)
			}
		}
		a.exec("ALTER ROLE unequal SET search_path = unequal")
		err := rotationtest.RunStep(t.Context(), a.machine, r, rotation.TestSecret)
		dbusertest.MustFail(t, err, rotation.ErrDenied, "search_path")
		if err := rotationtest.Run(t.Context(), a.machine, r); err != nil {
			t.Errorf("run again: %v", err)
		}
	})
}
