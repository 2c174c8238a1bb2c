package redshiftapi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/redshift"
	"github.com/rekey-aws/rekey/shared/redshiftapi/redshiftapitest"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// Alternating users and single ones, by every way of being allowed to.
func TestRotationsThroughTheDataAPI(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		for _, strategy := range []string{"alternating", "single"} {
			t.Run(w.name+", "+strategy, func(t *testing.T) {
				t.Parallel()
				h := newWarehouse(t, w, map[string]any{"strategy": strategy}, redshift.Driver{})
				for n := range 2 {
					if err := rotationtest.Run(t.Context(), h.machine, h.store.Begin()); err != nil {
						t.Fatalf("rotation %d: %v", n, err)
					}
					if err := h.logsIn(rotation.Current); err != nil {
						t.Fatalf("rotation %d: locked out: %v", n, err)
					}
					if err := h.logsIn(rotation.Previous); (err == nil) != (strategy == "alternating") {
						t.Errorf("rotation %d: AWSPREVIOUS: %v", n, err)
					}
				}
				h.mustNotLeak()
				if !strings.Contains(h.log.String(), `"strategy":"`+strategy+`"`) {
					t.Errorf("the log does not name the strategy:\n%s", h.log.String())
				}
				if strategy == "single" {
					return
				}
				alike, err := h.Database.Query(t.Context(), "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = member WHERE rolname IN ('app', 'app_clone') AND roleid = (SELECT oid FROM pg_roles WHERE rolname = 'analysts')")
				if err != nil || alike[0][0] != "2" {
					t.Errorf("the clone is not in the base's group: %v, %v", alike, err)
				}
			})
		}
	}
}

// RotateImmediately=false finds out what it can and changes nothing.
func TestRehearsalThroughTheDataAPI(t *testing.T) {
	t.Parallel()
	h := newWarehouse(t, ways[0], nil, redshift.Driver{})
	if err := rotationtest.RunStep(t.Context(), h.machine, h.store.Begin(), rotation.TestSecret); err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Statements() {
		if !strings.HasPrefix(s, "SELECT ") {
			t.Errorf("a rehearsal runs %s", s)
		}
	}
}

// A password that is stored as SHA-256 is proven as one that is stored as MD5 is.
func TestSHA256(t *testing.T) {
	t.Parallel()
	h := newWarehouse(t, ways[0], nil, redshift.Driver{SHA256: true})
	if err := rotationtest.Run(t.Context(), h.machine, h.store.Begin()); err != nil {
		t.Fatal(err)
	}
	_, password := h.credential(rotation.Current)
	var stored bool
	for _, s := range h.Statements() {
		stored = stored || strings.Contains(s, "PASSWORD 'sha256|")
		if strings.Contains(s, password) {
			t.Error("a password is in a statement")
		}
	}
	if !stored {
		t.Errorf("no SHA-256 was stored: %q", h.Statements())
	}
	plain := newWarehouse(t, ways[0], map[string]any{"access": "wire"}, redshift.Driver{SHA256: true})
	dbusertest.MustFail(t, rotationtest.Run(t.Context(), plain.machine, plain.store.Begin()), rotation.ErrConfig, "SHA-256")
}

// At calls all over a rotation, in every way: AWSCURRENT logs in at once
// (alternating), or after the rotation ran again (single); and the rotation ends
// when it runs again, with its token or with another.
func TestCrashesOfTheDataAPI(t *testing.T) {
	t.Parallel()
	faults := []redshiftapitest.Fault{
		{Lost: true}, {ReplyLost: true}, {Code: "ThrottlingException", Message: "slow down"}, {ReplyLost: true}, {Code: "InternalServerException", Message: "sorry"},
	}
	const places = 8 // of a rotation, so that it does not take long
	for _, strategy := range []string{"alternating", "single"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			h := newWarehouse(t, ways[0], map[string]any{"strategy": strategy}, redshift.Driver{})
			var mu sync.Mutex
			seen, at, fault := 0, -1, redshiftapitest.Fault{}
			h.api.Fault = func(operation string, _ int) redshiftapitest.Fault {
				mu.Lock()
				defer mu.Unlock()
				seen++
				if seen-1 == at && operation != "redshift-data:CancelStatement" {
					return fault
				}
				return redshiftapitest.Fault{}
			}
			plan := func(n int, f redshiftapitest.Fault) {
				mu.Lock()
				defer mu.Unlock()
				seen, at, fault = 0, n, f
			}
			for range 2 { // from the second on they are as usual
				plan(-1, redshiftapitest.Fault{})
				if err := rotationtest.Run(t.Context(), h.machine, h.store.Begin()); err != nil {
					t.Fatal(err)
				}
			}
			calls, cases := seen, 0
			for n := calls - 1; n >= 0; n -= max(1, calls/places) {
				f := faults[cases%len(faults)]
				r := h.store.Begin()
				plan(n, f)
				first := rotationtest.Run(t.Context(), h.machine, r)
				plan(-1, redshiftapitest.Fault{})
				if err := h.logsIn(rotation.Current); err != nil && strategy == "alternating" {
					t.Errorf("%+v at call %d: AWSCURRENT is refused: %v", f, n, err)
				}
				if cases%2 == 1 && first != nil {
					h.store.Unlabel(rotation.Pending)
					r = h.store.Begin()
				}
				if err := rotationtest.Run(t.Context(), h.machine, r); err != nil {
					t.Fatalf("%+v at call %d: run again, after %v: %v", f, n, first, err)
				}
				if err := h.logsIn(rotation.Current); err != nil {
					t.Fatalf("%+v at call %d: locked out: %v", f, n, err)
				}
				cases++
			}
			t.Logf("%d calls in a healthy rotation, %d cases", calls, cases)
			h.mustNotLeak()
		})
	}
}

// Statements take their time, and the account may run no more for a while.
func TestSlowStatements(t *testing.T) {
	t.Parallel()
	h := newWarehouse(t, ways[0], nil, redshift.Driver{})
	h.api.Looks = 3
	h.api.Fault = func(operation string, n int) redshiftapitest.Fault {
		if operation == "redshift-data:ExecuteStatement" && n%3 == 0 {
			return redshiftapitest.Fault{Code: "ActiveStatementsExceededException", Message: "Active statements exceeded the allowed quota."}
		}
		return redshiftapitest.Fault{}
	}
	if err := rotationtest.Run(t.Context(), h.machine, h.store.Begin()); err != nil {
		t.Fatal(err)
	}
	if err := h.logsIn(rotation.Current); err != nil {
		t.Error(err)
	}
}

// A statement that does not end in time is cancelled: it changes nothing later.
func TestAbandonedStatementIsCancelled(t *testing.T) {
	t.Parallel()
	h := newWarehouse(t, ways[0], map[string]any{"strategy": "single"}, redshift.Driver{})
	r := h.store.Begin()
	if err := rotationtest.RunStep(t.Context(), h.machine, r, rotation.CreateSecret); err != nil {
		t.Fatal(err)
	}
	db := h.Database.DB()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE pg_authid IN EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	err = rotationtest.RunStep(ctx, h.machine, r, rotation.SetSecret)
	dbusertest.MustFail(t, err, rotation.ErrUnreachable, "did not end in the time there was")
	patient, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	if err := h.api.Settled(patient); err != nil { // it waits for a lock that is held: only a cancellation ends it
		t.Errorf("the statement was not cancelled: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := h.logsIn(rotation.Current); err != nil {
		t.Errorf("the statement went on: %v", err)
	}
	if err := rotationtest.Run(t.Context(), h.machine, r); err != nil {
		t.Errorf("run again: %v", err)
	}
}

// What proves a password that cannot log in is the history, while it lasts: a
// password that is not the last, a change of long ago, no change at all.
func TestTheHistoryIsTheWitness(t *testing.T) {
	t.Parallel()
	h := newWarehouse(t, ways[0], map[string]any{"strategy": "single"}, redshift.Driver{})
	r := h.store.Begin()
	for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret} {
		if err := rotationtest.RunStep(t.Context(), h.machine, r, step); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	h.api.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	dbusertest.MustFail(t, rotationtest.RunStep(t.Context(), h.machine, r, rotation.TestSecret), rotation.ErrRefused, "no change of the user's password")
	h.api.Now = nil
	if err := h.logsIn(rotation.Current); err == nil {
		t.Error("the old password still logs in")
	}
	_, v := h.store.Labelled(rotation.Pending)
	doc, err := rotation.ParseDocument(v)
	if err != nil {
		t.Fatal(err)
	}
	other, err := doc.With("password", "Another-Password-1")
	if err != nil {
		t.Fatal(err)
	}
	h.store.Plant(r.Token, other, rotation.Pending)
	err = rotationtest.RunStep(t.Context(), h.machine, r, rotation.TestSecret)
	dbusertest.MustFail(t, err, rotation.ErrRefused, "another password")
	if strings.Contains(err.Error(), "Another-Password-1") {
		t.Error("the error holds a password")
	}
}

// Who can write a secret cannot have the administrator set the password of a user
// whose password he does not know.
func TestUnknownPasswordThroughTheDataAPI(t *testing.T) {
	t.Parallel()
	for _, strategy := range []string{"alternating", "single"} {
		h := newWarehouse(t, ways[0], map[string]any{"strategy": strategy, "password": "Guessed-Password-1"}, redshift.Driver{})
		err := rotationtest.Run(t.Context(), h.machine, h.store.Begin())
		dbusertest.MustFail(t, err, rotation.ErrRefused, "")
		for _, s := range h.Statements() {
			if !strings.HasPrefix(s, "SELECT ") {
				t.Errorf("it ran %s", s)
			}
		}
	}
}

// The function's role is a user that has no rights, or not the one that the
// secret says.
func TestRoleOfAWorkgroup(t *testing.T) {
	t.Parallel()
	h := newWarehouse(t, ways[3], nil, redshift.Driver{})
	h.api.Role = "IAMR:another"
	h.silently(`CREATE ROLE "IAMR:another" LOGIN`)
	err := rotationtest.Run(t.Context(), h.machine, h.store.Begin())
	dbusertest.MustFail(t, err, rotation.ErrConfig, "IAMR:another")
	h.api.Role = ways[3].admin
	h.silently(fmt.Sprintf("ALTER ROLE %q NOSUPERUSER", ways[3].admin))
	h.store.Unlabel(rotation.Pending)
	dbusertest.MustFail(t, rotationtest.Run(t.Context(), h.machine, h.store.Begin()), rotation.ErrDenied, "no superuser")
}

// The API's errors are told with what to do.
func TestErrorsOfTheDataAPI(t *testing.T) {
	t.Parallel()
	h := newWarehouse(t, ways[0], nil, redshift.Driver{})
	for code, want := range map[string]struct {
		message string
		kind    error
		says    string
	}{
		"AccessDeniedException":       {"no", rotation.ErrDenied, "redshift-data:ExecuteStatement"},
		"ValidationException":         {"Redshift endpoint doesn't exist in this region.", rotation.ErrConfig, "endpoint"},
		"DatabaseConnectionException": {"no", rotation.ErrUnreachable, "available"},
		"ExecuteStatementException":   {"FATAL: too many connections for user", rotation.ErrUnreachable, "limit"},
		"ResourceNotFoundException":   {"no", rotation.ErrConfig, "Region"},
	} {
		h.api.Fault = func(operation string, _ int) redshiftapitest.Fault {
			if operation == "redshift-data:ExecuteStatement" {
				return redshiftapitest.Fault{Code: code, Message: want.message}
			}
			return redshiftapitest.Fault{}
		}
		err := rotationtest.RunStep(t.Context(), h.machine, h.store.Begin(), rotation.CreateSecret)
		var step *rotation.StepError
		if !errors.As(err, &step) || step.Kind != want.kind || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: %v", code, err)
		}
		h.store.Unlabel(rotation.Pending)
	}
}
