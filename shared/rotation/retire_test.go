package rotation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// keyring is a target where every credential lives until it is retired.
type keyring struct {
	live    map[string]bool
	n       int
	busy    bool
	moving  func() // called by Retire before it asks whether it is still due
	ended   []string
	seen    rotation.Request
	faults  rotationtest.Injector
	keepsIt bool
}

func (k *keyring) Create(context.Context, rotation.Request) (rotation.Value, error) {
	k.n++
	return rotation.TextValue(fmt.Sprintf(`{"key":"value-%d"}`, k.n)), nil
}

func (k *keyring) Set(_ context.Context, r rotation.Request) error {
	k.live[r.Pending.Reveal()] = true
	return nil
}

func (k *keyring) Test(_ context.Context, r rotation.Request) error {
	if !k.live[r.Pending.Reveal()] {
		return rotation.ErrRefused
	}
	return nil
}

func (k *keyring) KeepsOld(_ context.Context, r rotation.Request) (bool, error) {
	if r.Current.Len() == 0 {
		return false, rotation.ErrInternal
	}
	return k.keepsIt, nil
}

func (k *keyring) Retire(ctx context.Context, r rotation.Request) error {
	k.seen = r
	if k.busy {
		return fmt.Errorf("last used a moment ago: %w", rotation.ErrBusy)
	}
	if k.moving != nil {
		k.moving()
	}
	if err := r.StillDue(ctx); err != nil {
		return err
	}
	return k.faults.Do("retire", func() error {
		delete(k.live, r.Old.Reveal())
		k.ended = append(k.ended, r.OldToken)
		return nil
	})
}

var epoch = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

const grace = 24 * time.Hour

type retiring struct {
	*testing.T
	store   *rotationtest.Store
	keys    *keyring
	planner *rotationtest.Planner
	machine *rotation.Machine
	now     time.Time
	log     bytes.Buffer
}

func newRetiring(t *testing.T) *retiring {
	w := &retiring{T: t, store: rotationtest.NewStore(t, rotation.TextValue(`{"key":"value-0"}`)), planner: rotationtest.NewPlanner(t), now: epoch}
	w.keys = &keyring{live: map[string]bool{`{"key":"value-0"}`: true}, keepsIt: true}
	w.machine = &rotation.Machine{
		Store: w.store, Engine: w.keys, Planner: w.planner, RetireAfter: grace,
		Now: func() time.Time { return w.now }, Log: slog.New(slog.NewJSONHandler(&w.log, nil)),
	}
	return w
}

// rotate carries out a rotation and returns the one plan it made.
func (w *retiring) rotate() rotation.Retirement {
	w.Helper()
	if err := rotationtest.Run(w.Context(), w.machine, w.store.Begin()); err != nil {
		w.Fatal(err)
	}
	plans := w.planner.Take()
	if len(plans) != 1 {
		w.Fatalf("%d plans after a rotation, want 1", len(plans))
	}
	return plans[0]
}

// line is the last log line.
func (w *retiring) line() map[string]any {
	w.Helper()
	lines := bytes.Split(bytes.TrimSpace(w.log.Bytes()), []byte("\n"))
	var last map[string]any
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil {
		w.Fatal(err)
	}
	return last
}

// consistent asserts that AWSCURRENT lives, always.
func (w *retiring) consistent() {
	w.Helper()
	if _, v := w.store.Labelled(rotation.Current); !w.keys.live[v.Reveal()] {
		w.Error("locked out: AWSCURRENT is not alive")
	}
}

func (w *retiring) outcome(e rotation.Event) string {
	w.Helper()
	if err := rotationtest.RunEvent(w.Context(), w.machine, e); err != nil {
		w.Fatal(err)
	}
	w.consistent()
	return w.line()["outcome"].(string)
}

func TestRetire(t *testing.T) {
	w := newRetiring(t)
	old, _ := w.store.Labelled(rotation.Current)
	plan := w.rotate()
	current, _ := w.store.Labelled(rotation.Current)
	want := rotation.Retirement{SecretID: rotationtest.SecretID, Token: current, Old: old, At: epoch.Add(grace), Try: 1}
	if d := cmp.Diff(want, plan); d != "" {
		t.Error(d)
	}
	w.store.Rotated = w.now.Add(2 * time.Second) // the service ends the rotation after finishSecret
	w.now = plan.At
	before := len(w.store.Calls())
	for range 2 { // and again
		if got := w.outcome(plan.Event()); got != "done" {
			t.Errorf("outcome %s", got)
		}
	}
	if d := cmp.Diff([]string{"Describe", "Get AWSCURRENT", "Get ", "Describe"}, w.store.Calls()[before:before+4]); d != "" {
		t.Error(d)
	}
	if len(w.keys.live) != 1 || w.keys.ended[0] != old {
		t.Errorf("ended %v, %d alive", w.keys.ended, len(w.keys.live))
	}
	if l := w.line(); l["RetireFailures"] != 0.0 || l["retires"] != old || l["step"] != "retireSecret" {
		t.Errorf("the line is %v", l)
	}
}

// The event is what a scheduler keeps for a day: its form is a promise.
func TestRetirementEvent(t *testing.T) {
	r := rotation.Retirement{SecretID: rotationtest.SecretID, Token: strings.Repeat("n", 36), Old: strings.Repeat("o", 36), At: epoch, Try: 1}
	text, err := json.Marshal(r.Event())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Step":"retireSecret","SecretId":"` + rotationtest.SecretID + `","ClientRequestToken":"` + r.Token + `","Retires":"` + r.Old + `","NotBefore":"2026-01-31T12:00:00Z","Try":1}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	text, err = json.Marshal(rotation.Event{Step: rotation.SetSecret, SecretID: "s", Token: "t"})
	if err != nil || string(text) != `{"Step":"setSecret","SecretId":"s","ClientRequestToken":"t"}` {
		t.Errorf("an event of a step is %s, %v", text, err)
	}
}

func TestNothingToRetire(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(w *retiring, plan rotation.Retirement)
		reason  string
	}{
		{"newer rotation", func(w *retiring, _ rotation.Retirement) { w.rotate() }, "a newer rotation"},
		{"two newer rotations", func(w *retiring, _ rotation.Retirement) { w.rotate(); w.rotate() }, "newer rotations"},
		{"rollback", func(w *retiring, p rotation.Retirement) {
			w.store.Plant(p.Old, rotation.TextValue(`{"key":"value-0"}`), rotation.Current)
		}, "a rollback"},
		{"deleted", func(w *retiring, _ rotation.Retirement) { w.store.Deleted = w.now }, "marked for deletion"},
		{"rotation off", func(w *retiring, _ rotation.Retirement) { w.store.Enabled = false }, "turned off"},
		{"retiring off", func(w *retiring, _ rotation.Retirement) { w.machine.RetireAfter = 0 }, "turned off"},
		{"the old one is pending again", func(w *retiring, p rotation.Retirement) {
			w.store.Plant(p.Old, rotation.TextValue(`{"key":"value-0"}`), rotation.Pending)
		}, "is AWSPENDING"},
		{"another engine", func(w *retiring, _ rotation.Retirement) {
			w.machine.Engine = struct{ rotation.Engine }{w.keys}
		}, "leaves no old credential"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newRetiring(t)
			plan := w.rotate()
			c.prepare(w, plan)
			w.now = w.now.Add(grace)
			if got := w.outcome(plan.Event()); got != "nothing to do" || !strings.Contains(fmt.Sprint(w.line()["reason"]), c.reason) {
				t.Errorf("outcome %s, reason %v", got, w.line()["reason"])
			}
			if len(w.keys.ended) != 0 {
				t.Error("something was ended")
			}
		})
	}
}

// A value that is current or pending is not ended because an old version holds it too.
func TestTheOldValueIsInUse(t *testing.T) {
	for _, label := range []string{rotation.Current, rotation.Pending} {
		w := newRetiring(t)
		plan := w.rotate()
		id := plan.Token
		if label == rotation.Pending {
			id = w.store.Begin().Token
		}
		w.store.Plant(id, rotation.TextValue(`{"key":"value-0"}`), label)
		w.now = plan.At
		if got := w.outcome(plan.Event()); got != "done" || len(w.keys.ended) != 0 {
			t.Errorf("%s: outcome %s, ended %v", label, got, w.keys.ended)
		}
	}
}

func TestRetireTooEarly(t *testing.T) {
	w := newRetiring(t)
	plan := w.rotate()
	w.store.Rotated = w.now.Add(time.Hour) // whatever the event says
	w.now = plan.At
	if got := w.outcome(plan.Event()); got != "put off" || len(w.keys.ended) != 0 {
		t.Fatalf("outcome %s, ended %v", got, w.keys.ended)
	}
	again := w.planner.Take()
	if len(again) != 1 || again[0].Try != 2 || again[0].Old != plan.Old {
		t.Fatalf("planned again: %+v", again)
	}
	w.now = again[0].At
	if got := w.outcome(again[0].Event()); got != "done" {
		t.Errorf("outcome %s", got)
	}
}

func TestRetireWhatIsInUse(t *testing.T) {
	w := newRetiring(t)
	plan := w.rotate()
	w.keys.busy = true
	for try := 1; try < 12; try++ {
		w.now = plan.At
		if got := w.outcome(plan.Event()); got != "put off" {
			t.Fatalf("try %d: outcome %s", try, got)
		}
		next := w.planner.Take()
		if len(next) != 1 || next[0].Try != try+1 || next[0].At.Sub(w.now) != 6*time.Hour {
			t.Fatalf("try %d: planned %+v", try, next)
		}
		plan = next[0]
	}
	w.now = plan.At
	err := rotationtest.RunEvent(t.Context(), w.machine, plan.Event())
	if !errors.Is(err, rotation.ErrBusy) || len(w.planner.Take()) != 0 || w.line()["RetireFailures"] != 1.0 {
		t.Errorf("the last try: %v, %v", err, w.line())
	}
}

// What cannot be put off, because it cannot be planned, fails; and so does the last try.
func TestRetirementCannotBePutOff(t *testing.T) {
	for _, fate := range []rotationtest.Fate{rotationtest.NotDone, rotationtest.ReplyLost, rotationtest.Throttled} {
		w := newRetiring(t)
		plan := w.rotate()
		w.now, w.keys.busy = plan.At, true
		w.planner.Faults.FailAt(0, fate)
		err := rotationtest.RunEvent(t.Context(), w.machine, plan.Event())
		if err == nil || w.line()["RetireFailures"] != 1.0 || w.line()["outcome"] != "failed" {
			t.Errorf("%v: %v, %v", fate, err, w.line())
		}
		w.consistent()
		w.planner.Faults.FailAt(0, rotationtest.Healthy)
		if got := w.outcome(plan.Event()); got != "put off" { // Lambda tries again
			t.Errorf("%v: outcome %s", fate, got)
		}
	}
	w := newRetiring(t)
	plan := w.rotate()
	w.now, w.keys.busy, w.machine.Planner = plan.At, true, nil
	if err := rotationtest.RunEvent(t.Context(), w.machine, plan.Event()); !errors.Is(err, rotation.ErrConfig) {
		t.Errorf("without a planner: %v", err)
	}
}

func TestALabelMovesMeanwhile(t *testing.T) {
	w := newRetiring(t)
	plan := w.rotate()
	w.now = plan.At
	w.keys.moving = func() { w.store.Begin() }
	if got := w.outcome(plan.Event()); got != "put off" || len(w.keys.ended) != 0 {
		t.Errorf("outcome %s, ended %v", got, w.keys.ended)
	}
}

// Each effect of a retirement fails in each way, and so does its plan; it is run again.
func TestRetireCrashes(t *testing.T) {
	for _, fate := range append([]rotationtest.Fate{rotationtest.Throttled}, rotationtest.Faults...) {
		t.Run(fate.String(), func(t *testing.T) {
			w := newRetiring(t)
			plan := w.rotate()
			w.now = plan.At
			w.keys.faults.FailAt(0, fate)
			if err := rotationtest.RunEvent(t.Context(), w.machine, plan.Event()); err == nil {
				t.Fatal("the fault went unnoticed")
			}
			w.consistent()
			w.keys.faults.FailAt(0, rotationtest.Healthy)
			if again := w.planner.Take(); len(again) == 1 {
				plan = again[0]
			} else if fate != rotationtest.KilledBefore && fate != rotationtest.KilledAfter {
				t.Fatalf("planned %+v", again)
			}
			w.now = w.now.Add(grace)
			if got := w.outcome(plan.Event()); got != "done" || len(w.keys.live) != 1 {
				t.Errorf("outcome %s, %d alive", got, len(w.keys.live))
			}
		})
	}
	for n := range 4 {
		w := newRetiring(t)
		plan := w.rotate()
		w.now = plan.At
		w.store.Calling.FailAt(n, rotationtest.Throttled)
		err := rotationtest.RunEvent(t.Context(), w.machine, plan.Event())
		if !errors.Is(err, rotation.ErrThrottled) || len(w.keys.ended) != 0 || len(w.planner.Take()) != 1 {
			t.Errorf("call %d throttled: %v, ended %v", n, err, w.keys.ended)
		}
		w.consistent()
	}
}

// A plan that cannot be made fails no rotation; running finishSecret again makes it.
func TestPlanFails(t *testing.T) {
	for _, fate := range []rotationtest.Fate{rotationtest.NotDone, rotationtest.ReplyLost, rotationtest.KilledBefore, rotationtest.KilledAfter} {
		w := newRetiring(t)
		r := w.store.Begin()
		w.planner.Faults.FailAt(0, fate)
		err := rotationtest.Run(t.Context(), w.machine, r)
		if killed := fate == rotationtest.KilledBefore || fate == rotationtest.KilledAfter; killed != (err != nil) {
			t.Fatalf("%v: %v", fate, err)
		}
		if err == nil && (w.line()["RetireFailures"] != 1.0 || w.line()["StepFailures"] != 0.0 || w.line()["level"] != "WARN") {
			t.Errorf("%v: the line is %v", fate, w.line())
		}
		w.planner.Faults.FailAt(0, rotationtest.Healthy)
		if err := rotationtest.Run(t.Context(), w.machine, r); err != nil {
			t.Fatal(err)
		}
		if plans := w.planner.Take(); len(plans) != 1 || plans[0].Token != r.Token {
			t.Errorf("%v: planned %+v", fate, plans)
		}
	}
}

func TestNothingIsPlanned(t *testing.T) {
	for name, change := range map[string]func(*retiring){
		"retiring is off":          func(w *retiring) { w.machine.RetireAfter = 0 },
		"the engine ends it":       func(w *retiring) { w.machine.Engine = struct{ rotation.Engine }{w.keys} },
		"this secret keeps no old": func(w *retiring) { w.keys.keepsIt = false },
	} {
		w := newRetiring(t)
		change(w)
		if err := rotationtest.Run(t.Context(), w.machine, w.store.Begin()); err != nil {
			t.Fatal(err)
		}
		if plans := w.planner.Take(); len(plans) != 0 {
			t.Errorf("%s: planned %+v", name, plans)
		}
	}
}

func TestRetireFirst(t *testing.T) {
	w := newRetiring(t)
	w.machine.RetireFirst = true
	first := w.rotate()
	w.store.Rotated = w.now
	w.now = w.now.Add(grace - time.Minute)
	w.rotate() // too early for the first
	if len(w.keys.ended) != 0 {
		t.Fatalf("ended %v before the grace period was over", w.keys.ended)
	}
	w.store.Rotated = w.now
	w.now = w.now.Add(grace)
	w.rotate()
	if d := cmp.Diff([]string{first.Token}, w.keys.ended); d != "" {
		t.Error(d)
	}
	w.keys.faults.FailAt(0, rotationtest.NotDone)
	w.now = w.now.Add(2 * grace)
	w.rotate() // goes on all the same
	w.consistent()
	if !strings.Contains(w.log.String(), `"RetireFailures":1`) {
		t.Error("a failure was not counted")
	}
}

func TestRetirementAtTheDoor(t *testing.T) {
	w := newRetiring(t)
	good := w.rotate().Event()
	for name, change := range map[string]func(*rotation.Event){
		"nothing to retire": func(e *rotation.Event) { e.Old = "" },
		"itself":            func(e *rotation.Event) { e.Old = e.Token },
		"no time":           func(e *rotation.Event) { e.NotBefore = time.Time{} },
		"no try":            func(e *rotation.Event) { e.Try = 0 },
		"too many tries":    func(e *rotation.Event) { e.Try = 13 },
	} {
		e := good
		change(&e)
		calls := len(w.store.Calls())
		err := rotationtest.RunEvent(t.Context(), w.machine, e)
		if !errors.Is(err, rotation.ErrConfig) || len(w.store.Calls()) != calls {
			t.Errorf("%s: %v, %d calls", name, err, len(w.store.Calls())-calls)
		}
	}
}
