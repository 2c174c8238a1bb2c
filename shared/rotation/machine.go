package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Machine carries out the steps of rotations. Set Store and Engine; the zero
// value of everything else works. A Machine is safe for several goroutines.
type Machine struct {
	Store  Store
	Engine Engine
	// Planner has the old credential ended after RetireAfter, if Engine is a
	// [Retirer]. Nil: nothing is planned.
	Planner Planner
	// RetireAfter is the grace period: how long an old credential stays valid
	// after the new one became current. 0: old credentials are not retired.
	RetireAfter time.Duration
	// RetireFirst has createSecret end the previous credential if its grace period
	// is over and nobody has ended it: for engines whose rotation does not do so
	// anyway.
	RetireFirst bool
	// Asker asks people for credentials that an Engine waits for. Nil: nobody is
	// asked, but the log line tells.
	Asker Asker
	// Log receives one line per step, with its metrics in CloudWatch's embedded
	// metric format. Give it a slog.JSONHandler. Nil: nothing is logged.
	Log *slog.Logger
	// Function is the name of the Lambda function: a dimension of the metrics.
	Function string
	// RequestID names the invocation in the log line. Nil: left out.
	RequestID func(context.Context) string
	// ARN is the function's own. A diagnosis is made only of secrets that this
	// function rotates. Nil: of any.
	ARN func(context.Context) string
	// Misconfigured, if set, is why the function cannot work. Every step returns
	// it, so that the cause stands in the rotation's own log line rather than in
	// a crash at start.
	Misconfigured error
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// outcome is how a step ended, as the log line says it.
type outcome string

const (
	done        outcome = "done"
	alreadyDone outcome = "already done"  // an earlier try had done it
	rehearsed   outcome = "rehearsed"     // testSecret against the current value
	putOff      outcome = "put off"       // retireSecret: planned again for later
	nothing     outcome = "nothing to do" // retireSecret
	waiting     outcome = "waiting"       // createSecret: for a person
	failed      outcome = "failed"
)

// Handle carries out one step. It returns nil or a *[StepError], and is the
// only place that logs a failure. Running a step again is always safe.
func (m *Machine) Handle(ctx context.Context, e Event) error {
	start := m.now()
	ctx, cancel := withinDeadline(ctx, start)
	defer cancel()
	n := &notes{}
	result, err := m.attempt(ctx, e, n)
	var stepErr *StepError
	if err != nil {
		stepErr = newStepError(e, err)
		if result != waiting {
			result = failed
		}
	}
	m.report(ctx, e, result, stepErr, n, start)
	if stepErr != nil {
		return stepErr
	}
	return nil
}

// withinDeadline keeps back a part of the invocation's time, so that the error
// is returned and logged before Lambda kills the process: a tenth of what is
// left, at least 250 ms, at most 2 s.
func withinDeadline(ctx context.Context, now time.Time) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	margin := min(max(deadline.Sub(now)/10, 250*time.Millisecond), 2*time.Second)
	return context.WithDeadline(ctx, deadline.Add(-margin))
}

// attempt runs the step and turns a panic into an error.
func (m *Machine) attempt(ctx context.Context, e Event, n *notes) (result outcome, err error) {
	err = guard(n, func() error {
		result, err = m.step(ctx, e, n)
		return err
	})
	return result, err
}

// guard turns a panic into an error. The panic's value is told only if the Go
// runtime made it: another's may hold anything.
func guard(n *notes, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			what := fmt.Sprintf("%T", p)
			if re, ok := p.(runtime.Error); ok {
				what = re.Error()
			}
			n.attrs = append(n.attrs, slog.String("stack", stack()))
			err = fmt.Errorf("panic: %s: %w", what, ErrInternal)
		}
	}()
	return do()
}

func (m *Machine) step(ctx context.Context, e Event, n *notes) (outcome, error) {
	if err := e.validate(); err != nil {
		return "", err
	}
	if m.Misconfigured != nil {
		return "", m.Misconfigured
	}
	r := Request{Rotation: e.rotation(), store: m.Store, notes: n}
	switch e.Step {
	case CreateSecret:
		return m.create(ctx, r)
	case SetSecret:
		return m.set(ctx, r)
	case TestSecret:
		return m.test(ctx, r)
	case RetireSecret:
		return m.retire(ctx, r, e)
	default:
		return m.finish(ctx, r)
	}
}

// stack lists the functions and lines of the panic, without arguments.
func stack() string {
	pcs := make([]uintptr, 24)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var b strings.Builder
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "%s:%d; ", f.Function, f.Line)
		if !more {
			return b.String()
		}
	}
}

// create stores the pending value: Describe, Get, Put.
func (m *Machine) create(ctx context.Context, r Request) (outcome, error) {
	md, err := m.Store.Describe(ctx, r.SecretID)
	if err != nil {
		return "", err
	}
	if over, err := md.position(r.Token); err != nil || over {
		return alreadyDone, err
	}
	current, err := m.current(ctx, r)
	if err != nil {
		return "", err
	}
	if current.VersionID == r.Token {
		return alreadyDone, nil // an invocation beside this one has finished since
	}
	m.retireFirst(ctx, r, md)
	r.Current = current.Value
	if p, ok := m.Engine.(Preflighter); ok {
		if err := p.Preflight(ctx, r); err != nil {
			return "", err
		}
	}
	v, err := m.Engine.Create(ctx, r)
	if err != nil {
		return m.waitFor(ctx, r, md, err)
	}
	if v.Len() == 0 || v.Len() > MaxValueSize {
		return "", WithHint(fmt.Errorf("making the pending value: it would have %d bytes: %w", v.Len(), ErrConfig),
			fmt.Sprintf("A secret holds 1 to %d bytes: shorten the other keys of the secret, or PASSWORD_LENGTH.", MaxValueSize))
	}
	err = m.Store.Put(ctx, r.Rotation, v)
	if errors.Is(err, ErrConflict) {
		// An earlier try stored a value, and may have set it in the target
		// since: that one stays.
		return alreadyDone, nil
	}
	return done, err
}

// set makes the pending value valid in the target: Get, Get.
func (m *Machine) set(ctx context.Context, r Request) (outcome, error) {
	pending, where, err := m.pending(ctx, r)
	if err != nil {
		return "", err
	}
	switch where {
	case isCurrent:
		return alreadyDone, nil
	case hasNoValue:
		return "", WithHint(fmt.Errorf("reading the pending value: version %s has none: %w", r.Token, ErrNotFound),
			"Run the rotation again: createSecret stores the value.")
	}
	current, err := m.current(ctx, r)
	if err != nil {
		return "", err
	}
	if current.VersionID == r.Token {
		return alreadyDone, nil
	}
	r.Pending, r.Current = pending.Value, current.Value
	return done, m.Engine.Set(ctx, r)
}

// test proves the pending value: Get.
func (m *Machine) test(ctx context.Context, r Request) (outcome, error) {
	pending, where, err := m.pending(ctx, r)
	if err != nil {
		return "", err
	}
	switch where {
	case isCurrent:
		return alreadyDone, nil
	case hasNoValue:
		// RotateSecret with RotateImmediately=false runs testSecret alone. In a
		// whole rotation setSecret has failed on the missing value before.
		if pending, err = m.current(ctx, r); err != nil {
			return "", err
		}
		r.Pending, r.Current = pending.Value, pending.Value
		return rehearsed, m.Engine.Test(ctx, r)
	}
	r.Pending = pending.Value
	return done, m.Engine.Test(ctx, r)
}

// finish moves AWSCURRENT, and plans the end of the credential that had it:
// Describe, Promote; one Get more for a [Keeper].
func (m *Machine) finish(ctx context.Context, r Request) (outcome, error) {
	md, err := m.Store.Describe(ctx, r.SecretID)
	if err != nil {
		return "", err
	}
	over, err := md.position(r.Token)
	if err != nil {
		return "", err
	}
	result, old := alreadyDone, md.versionWith(Previous)
	if !over {
		result, old = done, md.versionWith(Current)
		if err := m.Store.Promote(ctx, r.Rotation, old); err != nil {
			return "", err
		}
	}
	m.planRetirement(ctx, r, md, old)
	return result, nil
}

func (m *Machine) current(ctx context.Context, r Request) (Stored, error) {
	current, err := m.Store.Get(ctx, r.SecretID, Version{Stage: Current})
	if errors.Is(err, ErrNotFound) {
		return Stored{}, errNoCurrent(err)
	}
	return current, err
}

func errNoCurrent(err error) error {
	return WithHint(fmt.Errorf("reading the current value: %w", err),
		"The secret needs an AWSCURRENT value that logs in: store one with PutSecretValue.")
}

// position is what the metadata says of a token: an error unless it is pending
// or, with over, current already. The order is that of the official templates.
func (md Metadata) position(token string) (over bool, err error) {
	if err := md.rotatable(); err != nil {
		return false, err
	}
	switch stages, known := md.Versions[token]; {
	case !known:
		return false, fmt.Errorf("checking the secret: it has no version %s: %w", token, ErrNotPending)
	case slices.Contains(stages, Current):
		return true, nil
	case !slices.Contains(stages, Pending):
		return false, fmt.Errorf("checking the secret: version %s is not labelled %s: %w", token, Pending, ErrNotPending)
	}
	return false, nil
}

// rotatable is what must be so for any rotation of the secret.
func (md Metadata) rotatable() error {
	switch {
	case !md.Deleted.IsZero():
		return WithHint(fmt.Errorf("checking the secret: it is marked for deletion: %w", ErrConfig),
			"Restore the secret (RestoreSecret) or cancel its rotation.")
	case !md.RotationEnabled:
		return WithHint(fmt.Errorf("checking the secret: rotation is not enabled: %w", ErrConfig),
			"Turn rotation on (RotateSecret with a rotation function and a schedule).")
	}
	return nil
}

// whereabouts of the version that a set or test step is about.
type whereabouts int

const (
	isPending whereabouts = iota
	isCurrent
	hasNoValue
)

// pending reads the token's value and proves with the same call that it is
// pending. Only if that fails does it ask for the metadata, to say why.
func (m *Machine) pending(ctx context.Context, r Request) (Stored, whereabouts, error) {
	stored, err := m.Store.Get(ctx, r.SecretID, Version{ID: r.Token, Stage: Pending})
	if err == nil {
		if slices.Contains(stored.Stages, Current) {
			return stored, isCurrent, nil
		}
		return stored, isPending, nil
	}
	if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNotPending) {
		return Stored{}, 0, err
	}
	md, derr := m.Store.Describe(ctx, r.SecretID)
	if derr != nil {
		return Stored{}, 0, derr
	}
	over, perr := md.position(r.Token)
	switch {
	case perr != nil:
		return Stored{}, 0, perr
	case over:
		return Stored{}, isCurrent, nil
	case errors.Is(err, ErrNotPending):
		// The label came back between the two calls.
		return Stored{}, 0, err
	}
	return Stored{}, hasNoValue, nil
}

func (m *Machine) now() time.Time {
	if m.Now != nil {
		return m.Now()
	}
	return time.Now()
}
