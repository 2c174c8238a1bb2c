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

const oldValue, newValue = `{"password":"old-plaintext"}`, `{"password":"new-plaintext"}`

// lock is a target with one live credential.
type lock struct {
	live   string
	faults rotationtest.Injector
	fail   map[rotation.Step]error
	set    int
}

func (l *lock) Create(_ context.Context, r rotation.Request) (rotation.Value, error) {
	return rotation.TextValue(newValue), l.fail[rotation.CreateSecret]
}

func (l *lock) Set(ctx context.Context, r rotation.Request) error {
	if err := l.fail[rotation.SetSecret]; err != nil {
		return err
	}
	l.set++
	r.Note(slog.String("strategy", "test"))
	return l.faults.Do("set", func() error { l.live = r.Pending.Reveal(); return nil })
}

func (l *lock) Test(_ context.Context, r rotation.Request) error {
	if err := l.fail[rotation.TestSecret]; err != nil {
		return err
	}
	if l.live != r.Pending.Reveal() {
		return fmt.Errorf("logging in: %w", rotation.ErrRefused)
	}
	return nil
}

func setup(t *testing.T) (*rotationtest.Store, *lock, *rotation.Machine) {
	s := rotationtest.NewStore(t, rotation.TextValue(oldValue))
	l := &lock{live: oldValue, fail: map[rotation.Step]error{}}
	return s, l, &rotation.Machine{Store: s, Engine: l}
}

func TestRotationMakesEightCalls(t *testing.T) {
	s, l, m := setup(t)
	if err := rotationtest.Run(t.Context(), m, s.Begin()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Describe", "Get AWSCURRENT", "Put",
		"Get AWSPENDING", "Get AWSCURRENT",
		"Get AWSPENDING",
		"Describe", "Promote",
	}
	if d := cmp.Diff(want, s.Calls()); d != "" {
		t.Error(d)
	}
	if _, v := s.Labelled(rotation.Current); v.Reveal() != l.live || l.live != newValue {
		t.Errorf("AWSCURRENT is not the live credential")
	}
	if _, v := s.Labelled(rotation.Previous); v.Reveal() != oldValue {
		t.Errorf("AWSPREVIOUS is not the old value")
	}
}

func TestEveryStepTwice(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("pending label kept %v", keep), func(t *testing.T) {
			s, l, m := setup(t)
			s.KeepPending = keep
			r := s.Begin()
			for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret} {
				for range 2 {
					if err := rotationtest.RunStep(t.Context(), m, r, step); err != nil {
						t.Fatal(err)
					}
				}
			}
			sets := l.set
			if err := rotationtest.Run(t.Context(), m, r); err != nil {
				t.Fatalf("the whole sequence after its end: %v", err)
			}
			if l.set != sets {
				t.Error("a finished rotation touched the target again")
			}
		})
	}
}

// Each write fails in each way; the sequence is run again with the same token.
func TestCrashAtEachEffect(t *testing.T) {
	s, l, m := setup(t)
	if err := rotationtest.Run(t.Context(), m, s.Begin()); err != nil {
		t.Fatal(err)
	}
	writes, sets := len(s.Faults.Effects()), len(l.faults.Effects())
	if writes != 2 || sets != 1 {
		t.Fatalf("%d writes and %d sets in a healthy rotation, want 2 and 1", writes, sets)
	}
	for _, fate := range rotationtest.Faults {
		for n := range writes + sets {
			t.Run(fmt.Sprintf("%v at effect %d", fate, n), func(t *testing.T) {
				s, l, m := setup(t)
				if n < writes {
					s.Faults.FailAt(n, fate)
				} else {
					l.faults.FailAt(n-writes, fate)
				}
				r := s.Begin()
				if err := rotationtest.Run(t.Context(), m, r); err == nil {
					t.Fatal("the fault went unnoticed")
				}
				s.Faults.FailAt(0, rotationtest.Healthy)
				l.faults.FailAt(0, rotationtest.Healthy)
				if err := rotationtest.Run(t.Context(), m, r); err != nil {
					t.Fatalf("run again: %v", err)
				}
				if _, v := s.Labelled(rotation.Current); v.Reveal() != l.live {
					t.Error("locked out: AWSCURRENT is not the live credential")
				}
			})
		}
	}
}

func TestRefusedAtTheDoor(t *testing.T) {
	type c struct {
		name    string
		prepare func(*rotationtest.Store, *rotation.Machine, *rotation.Event)
		kind    error
	}
	cases := []c{
		{"unknown step", func(_ *rotationtest.Store, _ *rotation.Machine, e *rotation.Event) { e.Step = "dropSecret" }, rotation.ErrConfig},
		{"no secret", func(_ *rotationtest.Store, _ *rotation.Machine, e *rotation.Event) { e.SecretID = "" }, rotation.ErrConfig},
		{"short token", func(_ *rotationtest.Store, _ *rotation.Machine, e *rotation.Event) { e.Token = "x" }, rotation.ErrConfig},
		{"unknown secret", func(_ *rotationtest.Store, _ *rotation.Machine, e *rotation.Event) { e.SecretID = "other" }, rotation.ErrNotFound},
		{"unknown token", func(_ *rotationtest.Store, _ *rotation.Machine, e *rotation.Event) {
			e.Token = strings.Repeat("u", 32)
		}, rotation.ErrNotPending},
		{"label removed", func(s *rotationtest.Store, _ *rotation.Machine, e *rotation.Event) { s.Unlabel(rotation.Pending) }, rotation.ErrNotPending},
		{"newer rotation", func(s *rotationtest.Store, _ *rotation.Machine, e *rotation.Event) { s.Begin() }, rotation.ErrNotPending},
		{"misconfigured", func(_ *rotationtest.Store, m *rotation.Machine, e *rotation.Event) {
			m.Misconfigured = rotation.ErrConfig
		}, rotation.ErrConfig},
	}
	always := []c{ // these two are seen in the metadata, which set and test ask for only on a failure
		{"rotation off", func(s *rotationtest.Store, _ *rotation.Machine, e *rotation.Event) { s.Enabled = false }, rotation.ErrConfig},
		{"secret deleted", func(s *rotationtest.Store, _ *rotation.Machine, e *rotation.Event) { s.Deleted = time.Now() }, rotation.ErrConfig},
	}
	for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret} {
		for _, c := range append(cases, always...) {
			t.Run(string(step)+" "+c.name, func(t *testing.T) {
				s, l, m := setup(t)
				r := s.Begin()
				e := rotation.Event{Step: step, SecretID: r.SecretID, Token: r.Token}
				c.prepare(s, m, &e)
				err := m.Handle(t.Context(), e)
				if !errors.Is(err, c.kind) {
					t.Fatalf("error %v, want kind %v", err, c.kind)
				}
				var se *rotation.StepError
				if !errors.As(err, &se) || se.Hint == "" || se.Kind != c.kind {
					t.Errorf("not a complete StepError: %#v", se)
				}
				if n := len(s.Faults.Effects()) + len(l.faults.Effects()); n != 0 {
					t.Errorf("%d effects, want none", n)
				}
			})
		}
	}
}

// RotateSecret with RotateImmediately=false runs testSecret alone.
func TestRehearsal(t *testing.T) {
	s, l, m := setup(t)
	if err := rotationtest.RunStep(t.Context(), m, s.Begin(), rotation.TestSecret); err != nil {
		t.Errorf("against the value that is live: %v", err)
	}
	l.live = "changed by someone"
	if err := rotationtest.RunStep(t.Context(), m, s.Begin(), rotation.TestSecret); !errors.Is(err, rotation.ErrRefused) {
		t.Errorf("against a dead value: %v, want refused", err)
	}
}

func TestSetWithoutAValue(t *testing.T) {
	s, l, m := setup(t)
	err := rotationtest.RunStep(t.Context(), m, s.Begin(), rotation.SetSecret)
	if !errors.Is(err, rotation.ErrNotFound) || l.set != 0 {
		t.Errorf("error %v after %d sets, want not found after none", err, l.set)
	}
}

func TestValueTooLarge(t *testing.T) {
	s, l, m := setup(t)
	m.Engine = bigEngine{l}
	err := rotationtest.RunStep(t.Context(), m, s.Begin(), rotation.CreateSecret)
	if !errors.Is(err, rotation.ErrConfig) || len(s.Faults.Effects()) != 0 {
		t.Errorf("got %v after %v", err, s.Faults.Effects())
	}
}

type bigEngine struct{ rotation.Engine }

func (bigEngine) Create(context.Context, rotation.Request) (rotation.Value, error) {
	return rotation.TextValue(strings.Repeat("x", rotation.MaxValueSize+1)), nil
}

type preflightEngine struct{ rotation.Engine }

func (preflightEngine) Preflight(context.Context, rotation.Request) error { return rotation.ErrDenied }

func TestPreflightComesBeforeThePut(t *testing.T) {
	s, l, m := setup(t)
	m.Engine = preflightEngine{l}
	err := rotationtest.RunStep(t.Context(), m, s.Begin(), rotation.CreateSecret)
	if !errors.Is(err, rotation.ErrDenied) || len(s.Faults.Effects()) != 0 {
		t.Errorf("got %v after %v", err, s.Faults.Effects())
	}
}

func TestLogLine(t *testing.T) {
	s, l, m := setup(t)
	var out bytes.Buffer
	m.Log = slog.New(slog.NewJSONHandler(&out, nil))
	m.Function = "rotate-test"
	m.RequestID = func(context.Context) string { return "request-1" }
	r := s.Begin()
	l.fail[rotation.TestSecret] = rotation.WithHint(fmt.Errorf("logging in as %q: %w", "app", rotation.ErrRefused), "Look here.")
	if err := rotationtest.Run(t.Context(), m, r); err == nil {
		t.Fatal("no error")
	}
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if len(lines) != 3 {
		t.Fatalf("%d lines for 3 steps:\n%s", len(lines), out.String())
	}
	if bytes.Contains(out.Bytes(), []byte("plaintext")) || bytes.Contains(out.Bytes(), []byte("rotation-token")) {
		t.Errorf("a secret is in the log:\n%s", out.String())
	}
	var set, test map[string]any
	if err := errors.Join(json.Unmarshal(lines[1], &set), json.Unmarshal(lines[2], &test)); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"level": "ERROR", "function": "rotate-test", "step": "testSecret", "secret": rotationtest.SecretID, "version": r.Token,
		"outcome": "failed", "request_id": "request-1", "kind": "refused", "hint": "Look here.",
		"error": `logging in as "app": credential refused`, "StepFailures": 1.0,
	} {
		if test[key] != want {
			t.Errorf("%s is %v, want %v", key, test[key], want)
		}
	}
	if set["strategy"] != "test" || set["outcome"] != "done" {
		t.Errorf("the engine's note is missing: %v", set)
	}
	// Every dimension and metric that the directive names stands at the top
	// level, else CloudWatch drops the line's metrics.
	directive := test["_aws"].(map[string]any)["CloudWatchMetrics"].([]any)[0].(map[string]any)
	for _, d := range directive["Dimensions"].([]any)[0].([]any) {
		if _, ok := test[d.(string)].(string); !ok {
			t.Errorf("dimension %v is not a string at the top level", d)
		}
	}
	for _, mt := range directive["Metrics"].([]any) {
		if _, ok := test[mt.(map[string]any)["Name"].(string)].(float64); !ok {
			t.Errorf("metric %v is not a number at the top level", mt)
		}
	}
}

type slowEngine struct{ rotation.Engine }

func (slowEngine) Set(ctx context.Context, _ rotation.Request) error {
	<-ctx.Done()
	return fmt.Errorf("waiting: %w", rotation.ErrUnreachable)
}

func TestErrorArrivesBeforeTheDeadline(t *testing.T) {
	s, l, m := setup(t)
	r := s.Begin()
	if err := rotationtest.RunStep(t.Context(), m, r, rotation.CreateSecret); err != nil {
		t.Fatal(err)
	}
	m.Engine = slowEngine{l}
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	err := m.Handle(ctx, rotation.Event{Step: rotation.SetSecret, SecretID: r.SecretID, Token: r.Token})
	if !errors.Is(err, rotation.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if ctx.Err() != nil {
		t.Error("the error came after the deadline")
	}
}

type panicEngine struct {
	rotation.Engine
	with any
}

func (p panicEngine) Create(context.Context, rotation.Request) (rotation.Value, error) { panic(p.with) }

func TestPanicIsAnErrorWithoutItsValue(t *testing.T) {
	s, l, m := setup(t)
	for _, with := range []any{"old-plaintext", errors.New("old-plaintext")} {
		m.Engine = panicEngine{l, with}
		err := m.Handle(t.Context(), rotation.Event{Step: rotation.CreateSecret, SecretID: rotationtest.SecretID, Token: s.Begin().Token})
		if !errors.Is(err, rotation.ErrInternal) || strings.Contains(err.Error(), "plaintext") {
			t.Errorf("got %v", err)
		}
	}
}
