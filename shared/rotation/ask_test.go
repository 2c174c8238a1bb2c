package rotation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// byHand is an engine whose credential a person brings.
type byHand struct{ *keyring }

func (b byHand) Create(ctx context.Context, r rotation.Request) (rotation.Value, error) {
	if v, ok, err := r.Stored(ctx); ok || err != nil {
		return v, err
	}
	return rotation.Value{}, fmt.Errorf("making the key: %w", rotation.ErrWaiting)
}

type asker struct {
	questions []rotation.Question
	fail      error
}

func (a *asker) Ask(_ context.Context, q rotation.Question) error {
	a.questions = append(a.questions, q)
	return a.fail
}

func TestWaitingForAPerson(t *testing.T) {
	w, a := newRetiring(t), &asker{}
	w.machine.Engine, w.machine.Asker = byHand{w.keys}, a
	before, _ := w.store.Labelled(rotation.Current)
	r := w.store.Begin()
	for range 2 { // Secrets Manager tries again
		err := rotationtest.Run(t.Context(), w.machine, r)
		var step *rotation.StepError
		if !errors.Is(err, rotation.ErrWaiting) || !errors.As(err, &step) || !strings.Contains(step.Hint, "rekey submit") {
			t.Fatalf("got %v", err)
		}
		if l := w.line(); l["outcome"] != "waiting" || l["kind"] != "waiting" || l["level"] != "WARN" || l["StepFailures"] != 0.0 || l["asked"] != true {
			t.Errorf("the line is %v", l)
		}
	}
	want := rotation.Question{SecretID: rotationtest.SecretID, Token: r.Token, Reason: "making the key: waiting for a person", Remedy: rotation.Hint(rotation.ErrWaiting)}
	if d := cmp.Diff([]rotation.Question{want, want}, a.questions); d != "" {
		t.Error(d)
	}
	if current, _ := w.store.Labelled(rotation.Current); current != before || len(w.store.Faults.Effects()) != 0 {
		t.Error("something changed")
	}
	w.store.Plant(r.Token, rotation.TextValue(`{"key":"brought"}`), rotation.Pending)
	if err := rotationtest.Run(t.Context(), w.machine, r); err != nil {
		t.Fatal(err)
	}
	w.consistent()
	if plans := w.planner.Take(); len(plans) != 1 || plans[0].Old != before {
		t.Errorf("planned %+v", plans)
	}
}

// When nobody can be asked, nobody would know: that is a failure.
func TestNobodyCanBeAsked(t *testing.T) {
	w, a := newRetiring(t), &asker{fail: rotation.ErrDenied}
	w.machine.Engine, w.machine.Asker = byHand{w.keys}, a
	err := rotationtest.Run(t.Context(), w.machine, w.store.Begin())
	if l := w.line(); !errors.Is(err, rotation.ErrDenied) || l["outcome"] != "failed" || l["StepFailures"] != 1.0 {
		t.Errorf("got %v, %v", err, l)
	}
	w.machine.Asker = nil
	err = rotationtest.Run(t.Context(), w.machine, w.store.Begin())
	if l := w.line(); !errors.Is(err, rotation.ErrWaiting) || l["outcome"] != "waiting" || l["asked"] != false {
		t.Errorf("got %v, %v", err, l)
	}
}
