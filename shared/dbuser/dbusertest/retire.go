package dbusertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

const gracePeriod = 24 * time.Hour

// retiring has the bench's machine plan retirements, and gives it a clock that is
// moved by hand.
func (b *Bench) retiring(t *testing.T) *Bench {
	b.planner = rotationtest.NewPlanner(t)
	b.machine.Planner, b.machine.RetireAfter = b.planner, gracePeriod
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	b.now = &now
	b.machine.Now = func() time.Time { return *b.now }
	return b
}

// rotateAndWait rotates, and returns the retirement that was planned, when its
// time has come.
func (b *Bench) rotateAndWait(t *testing.T) (rotation.Event, error) {
	t.Helper()
	if err := b.Rotate(t); err != nil {
		return rotation.Event{}, err
	}
	plans := b.planner.Take()
	if len(plans) != 1 {
		return rotation.Event{}, fmt.Errorf("%d retirements planned, want 1", len(plans))
	}
	*b.now = plans[0].At
	return plans[0].Event(), nil
}

// retirePlanned carries out what is planned, as if its time had come.
func (b *Bench) retirePlanned(t *testing.T) error {
	t.Helper()
	for _, plan := range b.planner.Take() {
		*b.now = plan.At
		if err := b.retire(t, plan.Event()); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bench) retire(t *testing.T, e rotation.Event) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return rotationtest.RunEvent(ctx, b.machine, e)
}

// mustHaveRetired asserts that AWSCURRENT logs in and nothing else does.
func (b *Bench) mustHaveRetired(t *testing.T) error {
	t.Helper()
	if err := b.logsIn(t, rotation.Current); err != nil {
		return fmt.Errorf("locked out: AWSCURRENT does not log in: %w", err)
	}
	if b.logsIn(t, rotation.Previous) == nil {
		return errors.New("AWSPREVIOUS still logs in")
	}
	return nil
}

// retirement: after the grace period the old password has ended where the
// strategy kept it; elsewhere nothing is planned, and an event touches nothing.
func retirement(t *testing.T, target Target) {
	b := sharedBench(t, target, "retired", "Old-Password-of-retired").retiring(t)
	if !target.Dual {
		nothingToRetire(t, b)
		return
	}
	for range 2 {
		event, err := b.rotateAndWait(t)
		if err != nil {
			t.Fatal(err)
		}
		b.MustBeConsistent(t)
		logins := b.driver.logins
		for range 2 { // Lambda may hand an event over twice
			if err := b.retire(t, event); err != nil {
				t.Fatal(err)
			}
			if err := b.mustHaveRetired(t); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.driver.logins - logins; n != 2 || b.driver.refused != 0 {
			t.Errorf("%d logins and %d refused in 2 retirements, want 2 and 0", n, b.driver.refused)
		}
	}
	b.MustNotBeLogged(t)
}

func nothingToRetire(t *testing.T, b *Bench) {
	old, _ := b.store.Labelled(rotation.Current)
	if err := b.Rotate(t); err != nil {
		t.Fatal(err)
	}
	for _, plan := range b.planner.Take() {
		if b.target.CreateAdmin != nil || !b.driver.Rules().Dual { // else the account decides
			t.Errorf("planned %+v", plan)
		}
	}
	current, _ := b.store.Labelled(rotation.Current)
	event := rotation.Retirement{SecretID: rotationtest.SecretID, Token: current, Old: old, At: *b.now, Try: 1}.Event()
	if err := b.retire(t, event); err != nil {
		t.Fatal(err)
	}
	b.MustBeConsistent(t)
	if !strings.Contains(b.Logs(), `"step":"retireSecret"`) || !strings.Contains(b.Logs(), `"reason":`) {
		t.Errorf("the log does not say why nothing was retired:\n%s", b.Logs())
	}
}

// retirementOfAClearedRotation: a person took AWSPENDING away when its password
// was set already. The current one is the account's second then.
func retirementOfAClearedRotation(t *testing.T, target Target) {
	if !target.Dual {
		return
	}
	b := sharedBench(t, target, "cleared", "Old-Password-of-cleared").retiring(t)
	event, err := b.rotateAndWait(t)
	if err != nil {
		t.Fatal(err)
	}
	r := b.store.Begin()
	for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret} {
		if err := rotationtest.RunStep(t.Context(), b.machine, r, step); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.retire(t, event); err != nil { // it is put off
		t.Fatal(err)
	}
	if plans := b.planner.Take(); len(plans) != 1 || plans[0].Try != 2 {
		t.Errorf("planned %+v", plans)
	}
	if err := b.logsIn(t, rotation.Pending); err != nil {
		t.Errorf("a rotation under way lost its password: %v", err)
	}
	_, cleared := b.store.Labelled(rotation.Pending)
	b.store.Unlabel(rotation.Pending)
	if err := b.retire(t, event); err != nil {
		t.Fatal(err)
	}
	if err := b.mustHaveRetired(t); err != nil {
		t.Error(err)
	}
	if session, err := b.driver.Driver.Login(t.Context(), b.loginOf(t, cleared)); err == nil {
		t.Error("the cleared rotation's password still logs in")
		_ = session.Close()
	}
}

// retirementDuringRotations: whichever of the two comes first, AWSCURRENT is
// valid after each.
func retirementDuringRotations(t *testing.T, target Target) {
	if !target.Dual {
		return
	}
	b := sharedBench(t, target, "during", "Old-Password-of-during").retiring(t)
	for range 6 {
		event, err := b.rotateAndWait(t)
		if err != nil {
			t.Fatal(err)
		}
		r := b.store.Begin()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := b.retire(t, event); err != nil && !errors.Is(err, rotation.ErrBusy) {
				t.Error(err)
			}
		})
		if err := rotationtest.Run(t.Context(), b.machine, r); err != nil {
			t.Error(err)
		}
		wg.Wait()
		b.MustBeConsistent(t)
		b.planner.Take()
	}
}

// RetireMatrix is [CrashMatrix] for the retirement that follows a rotation with
// dual passwords. After each fault it is run again; or another rotation comes
// first, and then the event, too late.
func RetireMatrix(t *testing.T, target Target) map[string]*Outcome {
	t.Helper()
	return matrix(t, target, (*crashBench).planRetirement, (*crashBench).crashRetirement)
}

// planRetirement records a healthy one.
func (b *crashBench) planRetirement(t *testing.T) []Fault {
	t.Helper()
	b.heal()
	b.retiring(t)
	event, err := b.rotateAndWait(t)
	if err != nil {
		t.Fatal(err)
	}
	b.heal()
	if err := b.retire(t, event); err != nil {
		t.Error(err)
	}
	turns, writes, calls := b.effects()
	t.Logf("%s: a healthy retirement has %d turns on the wire, %d writes and %d calls", b.server.Engine, turns, writes, calls)
	return faults(turns, writes, calls)
}

// crashRetirement carries out one case.
func (b *crashBench) crashRetirement(t *testing.T, f Fault) (o Outcome, failures []error) {
	fail := func(count *int, what string, err error) {
		if err != nil {
			*count++
			failures = append(failures, fmt.Errorf("%s: %w", what, err))
		}
	}
	if b.planner == nil {
		b.retiring(t)
	}
	event, err := b.rotateAndWait(t)
	if err != nil {
		fail(&o.Stuck, "the rotation before", err)
		return o, failures
	}
	first := b.failing(t, f, func(ctx context.Context) error {
		if f.Twice {
			return twice(func() error { return rotationtest.RunEvent(ctx, b.machine, event) })
		}
		return rotationtest.RunEvent(ctx, b.machine, event)
	})
	b.heal()
	b.planner.Take()
	fail(&o.LockedOut, "AWSCURRENT is refused right after the fault", b.logsIn(t, rotation.Current))
	if f.NewToken {
		_, ended := b.store.Labelled(rotation.Previous)
		r := b.store.Begin()
		fail(&o.Stuck, fmt.Sprintf("another rotation, after %v", first), rotationtest.Run(t.Context(), b.machine, r))
		fail(&o.Stuck, "the retirement, too late", b.retire(t, event))
		fail(&o.LockedOut, "AWSCURRENT is refused", b.logsIn(t, rotation.Current))
		fail(&o.Wrong, "afterwards", b.wrong(t, r, ended))
		b.planner.Take()
		return o, failures
	}
	fail(&o.Stuck, fmt.Sprintf("run again, after %v", first), b.retire(t, event))
	fail(&o.LockedOut, "AWSCURRENT is refused after it was run again", b.logsIn(t, rotation.Current))
	fail(&o.Wrong, "afterwards", b.mustHaveRetired(t))
	return o, failures
}
