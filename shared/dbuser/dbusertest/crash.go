package dbusertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// Fault is one way in which a rotation is made to fail: a place among its side
// effects, and what happens there.
type Fault struct {
	Kind string // the row of the crash matrix
	// Wire is a turn on the wire to the server; else Call is a call to Secrets
	// Manager, else Write one of its writes.
	Wire, Call bool
	N          int
	Fate       rotationtest.Fate
	// Twice: each step is invoked twice at once.
	Twice bool
	// NewToken: a person removes AWSPENDING afterwards, and rotates anew. Else the
	// rotation is run again with its token, as Secrets Manager does. Of a
	// retirement: another rotation comes before it is run again.
	NewToken bool
}

func (f Fault) String() string {
	place := fmt.Sprintf("write %d", f.N)
	switch {
	case f.Wire:
		place = fmt.Sprintf("turn %d", f.N)
	case f.Call:
		place = fmt.Sprintf("call %d", f.N)
	}
	return fmt.Sprintf("%s at %s, new token %v", f.Kind, place, f.NewToken)
}

// Outcome is what the cases of one kind of fault came to.
type Outcome struct {
	Cases     int
	Meanwhile int // AWSCURRENT was refused from the fault until the rotation ran again
	LockedOut int // … and after that too
	Stuck     int // running it again failed
	Wrong     int // anything else: labels, AWSPREVIOUS, an older password that lives on
}

// CrashMatrix makes rotations of a target fail at every side effect of a healthy
// one, in every way, runs each again, and asserts the promises after each. The
// effects are those that a healthy rotation shows: writes to the store, and turns
// on the wire to the server. It returns the outcomes by kind of fault.
func CrashMatrix(t *testing.T, target Target) map[string]*Outcome {
	t.Helper()
	return matrix(t, target, (*crashBench).plan, (*crashBench).crash)
}

// matrix plans the faults of one bench, and spreads them over several.
func matrix(t *testing.T, target Target, plan func(*crashBench, *testing.T) []Fault, crash func(*crashBench, *testing.T, Fault) (Outcome, []error)) map[string]*Outcome {
	t.Helper()
	options := database.Options{}
	if target.Server == database.MySQL {
		options.Settings = map[string]string{"caching-sha2-password-digest-rounds": "5000"} // most of a login's time
	}
	server := target.start(t, options)
	faults := make(chan Fault)
	outcomes := map[string]*Outcome{}
	var mu sync.Mutex
	report := func(f Fault, o Outcome, failures []error) {
		mu.Lock()
		defer mu.Unlock()
		sum := outcomes[f.Kind]
		if sum == nil {
			sum = &Outcome{}
			outcomes[f.Kind] = sum
		}
		sum.Cases++
		sum.Meanwhile += o.Meanwhile
		sum.LockedOut += o.LockedOut
		sum.Stuck += o.Stuck
		sum.Wrong += o.Wrong
		for _, err := range failures {
			t.Errorf("%s: %v", f, err)
		}
	}
	first := newCrashBench(t, target, server, "crash_0")
	var wg sync.WaitGroup
	for n := range 3 {
		wg.Go(func() {
			b := first
			if n > 0 {
				b = newCrashBench(t, target, server, fmt.Sprintf("crash_%d", n))
			}
			for f := range faults {
				o, failures := crash(b, t, f)
				report(f, o, failures)
				if len(failures) > 0 { // what it left behind is not the next case's
					b = newCrashBench(t, target, server, fmt.Sprintf("again_%d_%d", n, time.Now().UnixNano()))
				}
			}
		})
	}
	for _, f := range plan(first, t) {
		faults <- f
	}
	close(faults)
	wg.Wait()
	return outcomes
}

// crashBench is a bench whose rotations reach the server through a wire.
type crashBench struct {
	*Bench
	wire *rotationtest.Wire
}

func newCrashBench(t *testing.T, target Target, server *database.Server, user string) *crashBench {
	wire, err := rotationtest.NewWire(t.Context(), net.JoinHostPort(server.Host, fmt.Sprint(target.front(t, server).Port)))
	if err != nil {
		t.Error(err)
		t.FailNow()
	}
	t.Cleanup(func() { _ = wire.Close() })
	b := &crashBench{NewBench(t, target, server, user, "Old-Password-of-"+user, map[string]any{"port": wire.Port()}), wire}
	b.machine.Log = nil
	if err := b.Rotate(t); err != nil { // the state from the second rotation on is the usual one
		t.Error(err)
	}
	return b
}

// plan records a healthy rotation and lists every fault that it can meet.
func (b *crashBench) plan(t *testing.T) []Fault {
	t.Helper()
	b.heal()
	if err := b.Rotate(t); err != nil {
		t.Error(err)
	}
	turns, writes, calls := b.effects()
	t.Logf("%s, %s: a healthy rotation has %d turns on the wire, %d writes and %d calls", b.server.Engine, b.target.strategy(), turns, writes, calls)
	return faults(turns, writes, calls)
}

// effects are how many there were since heal.
func (b *crashBench) effects() (turns, writes, calls int) {
	return b.wire.Turns(), len(b.store.Faults.Effects()), len(b.store.Calling.Effects())
}

// faults are all that something can meet which has that many effects.
func faults(turns, writes, calls int) []Fault {
	var all []Fault
	add := func(f Fault) {
		f.Kind = f.Fate.String()
		if f.Twice {
			f.Kind = "twice at once, one " + f.Kind
		}
		for _, f.NewToken = range []bool{false, true} {
			all = append(all, f)
		}
	}
	for n := range turns {
		for _, fate := range append([]rotationtest.Fate{rotationtest.Stalled}, rotationtest.Faults...) {
			add(Fault{Wire: true, N: n, Fate: fate})
		}
	}
	for n := range 2 * turns { // in the order in which those of the two happen to come
		add(Fault{Wire: true, N: n, Fate: rotationtest.ReplyLost, Twice: true})
		all = slices.Delete(all, len(all)-2+n%2, len(all)-1+n%2) // one way of running again each
	}
	for n := range writes {
		for _, fate := range rotationtest.Faults {
			add(Fault{N: n, Fate: fate})
		}
	}
	for n := range calls {
		add(Fault{Call: true, N: n, Fate: rotationtest.Throttled})
	}
	return all
}

// crash carries out one case.
func (b *crashBench) crash(t *testing.T, f Fault) (o Outcome, failures []error) {
	fail := func(count *int, what string, err error) {
		if err != nil {
			*count++
			failures = append(failures, fmt.Errorf("%s: %w", what, err))
		}
	}
	_, ended := b.store.Labelled(rotation.Previous) // does not log in once this is over
	r := b.store.Begin()
	first := b.failing(t, f, func(ctx context.Context) error {
		if !f.Twice {
			return rotationtest.Run(ctx, b.machine, r)
		}
		for _, step := range steps {
			if err := twice(func() error { return rotationtest.RunStep(ctx, b.machine, r, step) }); err != nil {
				return err
			}
		}
		return nil
	})
	b.heal()
	if err := b.logsIn(t, rotation.Current); err != nil {
		o.Meanwhile++
		if b.target.noWindow() {
			fail(&o.LockedOut, "AWSCURRENT is refused right after the fault", err)
		}
	}
	if f.NewToken {
		b.store.Unlabel(rotation.Pending)
		r = b.store.Begin()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	fail(&o.Stuck, fmt.Sprintf("run again, after %v", first), rotationtest.Run(ctx, b.machine, r))
	fail(&o.LockedOut, "AWSCURRENT is refused after the rotation was run again", b.logsIn(t, rotation.Current))
	fail(&o.Wrong, "afterwards", b.wrong(t, r, ended))
	return o, failures
}

// failing is what meets the fault.
func (b *crashBench) failing(t *testing.T, f Fault, run func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	switch {
	case f.Wire:
		b.wire.FailAt(f.N, f.Fate, cancel)
	case f.Call:
		b.store.Calling.FailAt(f.N, f.Fate)
	default:
		b.store.Faults.FailAt(f.N, f.Fate)
	}
	return run(ctx)
}

// twice runs something twice at once.
func twice(run func() error) error {
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = run() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (b *crashBench) heal() {
	b.wire.FailAt(0, rotationtest.Healthy, nil)
	b.store.Calling.FailAt(0, rotationtest.Healthy)
	b.store.Faults.FailAt(0, rotationtest.Healthy)
}

// wrong is what is not as it must be after a rotation, other than AWSCURRENT.
func (b *crashBench) wrong(t *testing.T, r rotation.Rotation, ended rotation.Value) error {
	if id, _ := b.store.Labelled(rotation.Current); id != r.Token {
		return errors.New("AWSCURRENT is not on the rotation's version")
	}
	if id, _ := b.store.Labelled(rotation.Pending); id != "" {
		return errors.New("AWSPENDING is left over")
	}
	err := b.logsIn(t, rotation.Previous)
	if b.target.noWindow() && err != nil {
		return fmt.Errorf("AWSPREVIOUS: %w", err)
	}
	if !b.target.noWindow() && err == nil {
		return errors.New("AWSPREVIOUS still logs in")
	}
	if session, err := b.driver.Driver.Login(t.Context(), b.loginOf(t, ended)); err == nil {
		return errors.Join(errors.New("a password from before AWSPREVIOUS still logs in"), session.Close())
	}
	if b.target.Alike == nil {
		return nil
	}
	user := field(t, b.original, "username")
	return b.target.Alike(t.Context(), b.server, user, user+"_clone")
}
