package rotation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// examined is a lock with a doctor, who may try to write.
type examined struct {
	*lock
	also func(ctx context.Context, r rotation.Request) error
}

func (e *examined) Diagnose(ctx context.Context, r rotation.Request, versions []rotation.Stored) rotation.Diagnosis {
	d := rotation.Diagnosis{Engine: "lock", Strategy: "test"}
	accepted := false
	try := func(v rotation.Stored) {
		if v.Value.Len() == 0 {
			return
		}
		login := rotation.VersionLogin{ID: v.VersionID, Stages: v.Stages, Login: rotation.LoginRefused, Said: "tried"}
		if v.Value.Reveal() == e.live {
			login.Login, accepted = rotation.LoginWorks, true
		}
		d.Versions = append(d.Versions, login)
	}
	for _, v := range versions {
		try(v)
	}
	if !accepted {
		for v, err := range r.Unlabelled(ctx) {
			if err != nil {
				break
			}
			try(v)
		}
	}
	var err error
	if e.also != nil {
		err = e.also(ctx, r)
	}
	d.Findings = append(d.Findings, rotation.Found("lock", "it opens", err))
	return d
}

func (d verdicts) String() string { return strings.Join(d, " ") }

type verdicts []string

func verdictsOf(d *rotation.Diagnosis) (v verdicts) {
	for _, f := range d.Findings {
		v = append(v, f.Check+":"+string(f.Verdict))
		if f.Said == "" || (f.Remedy == "") != (f.Verdict == rotation.OK) {
			v = append(v, fmt.Sprintf("(said %q, remedy %q)", f.Said, f.Remedy))
		}
	}
	return v
}

const self = "arn:aws:lambda:us-east-1:123456789012:function:rotate"

func TestDiagnosis(t *testing.T) {
	for name, c := range map[string]struct {
		prepare  func(s *rotationtest.Store, l *lock, m *rotation.Machine)
		findings string
		versions string // stages:login, …
	}{
		"healthy": {findings: "rotation:ok lock:ok", versions: "AWSCURRENT:works"},
		"rotating, no value yet": {
			func(s *rotationtest.Store, _ *lock, _ *rotation.Machine) { s.Begin() },
			"rotation:ok lock:ok", "AWSCURRENT:works AWSPENDING:unknown",
		},
		"half done": {
			func(s *rotationtest.Store, l *lock, _ *rotation.Machine) {
				s.Plant(s.Begin().Token, rotation.TextValue(newValue))
				l.live = newValue
			},
			"rotation:ok lock:ok", "AWSCURRENT:refused AWSPENDING:works",
		},
		"half done and cleared away": {
			func(s *rotationtest.Store, l *lock, _ *rotation.Machine) {
				s.Plant(s.Begin().Token, rotation.TextValue(newValue))
				s.Unlabel(rotation.Pending)
				l.live = newValue
			},
			"rotation:ok lock:ok", "AWSCURRENT:refused :works",
		},
		"put back": {
			func(s *rotationtest.Store, _ *lock, _ *rotation.Machine) {
				id, v := s.Labelled(rotation.Current)
				s.Plant("second-version-000000000000000000000", rotation.TextValue(newValue), rotation.Current)
				s.Plant(id, v, rotation.Previous)
			},
			"rotation:ok lock:ok", "AWSCURRENT:refused AWSPREVIOUS:works",
		},
		"rotation off": {
			func(s *rotationtest.Store, _ *lock, _ *rotation.Machine) { s.Enabled = false },
			"rotation:fail lock:ok", "AWSCURRENT:works",
		},
		"being deleted": {
			func(s *rotationtest.Store, _ *lock, _ *rotation.Machine) { s.Deleted = time.Now() },
			"rotation:fail", "",
		},
		"no current value": {
			func(s *rotationtest.Store, _ *lock, _ *rotation.Machine) {
				s.Plant(s.Begin().Token, rotation.TextValue(newValue))
				s.Unlabel(rotation.Current)
			},
			"rotation:ok AWSCURRENT:fail", "AWSPENDING:unknown",
		},
		"another function's": {
			func(s *rotationtest.Store, _ *lock, _ *rotation.Machine) { s.Function = self + "-other" },
			"function:fail", "",
		},
		"no function's": {
			func(s *rotationtest.Store, _ *lock, _ *rotation.Machine) { s.Function = "" },
			"function:fail", "",
		},
		"no engine to examine it": {
			func(_ *rotationtest.Store, l *lock, m *rotation.Machine) { m.Engine = l },
			"rotation:ok target:skipped", "AWSCURRENT:unknown",
		},
		"wrong settings": {
			func(_ *rotationtest.Store, _ *lock, m *rotation.Machine) {
				m.Misconfigured = fmt.Errorf("PASSWORD_LENGTH is 3: %w", rotation.ErrConfig)
			},
			"settings:fail", "",
		},
		"not readable": {
			func(s *rotationtest.Store, _ *lock, _ *rotation.Machine) {
				s.Calling.FailAt(1, rotationtest.Throttled) // GetSecretValue
			},
			"rotation:ok AWSCURRENT:fail", "",
		},
		"out of sight": {
			func(s *rotationtest.Store, _ *lock, _ *rotation.Machine) {
				s.Calling.FailAt(0, rotationtest.NotDone) // DescribeSecret
			},
			"secret:fail", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, l, m := setup(t)
			s.Function = self + ":live"
			m.Engine, m.ARN = &examined{lock: l}, func(context.Context) string { return self }
			if c.prepare != nil {
				c.prepare(s, l, m)
			}
			d, err := m.Serve(t.Context(), rotation.Event{Step: rotation.DoctorStep, SecretID: rotationtest.SecretID})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.findings, verdictsOf(d).String()); diff != "" {
				t.Error(diff)
			}
			var versions []string
			for _, v := range d.Versions {
				versions = append(versions, strings.Join(v.Stages, "+")+":"+string(v.Login))
				if v.Said == "" {
					t.Errorf("nothing is said of version %s", v.ID)
				}
			}
			if diff := cmp.Diff(c.versions, strings.Join(versions, " ")); diff != "" {
				t.Error(diff)
			}
			for _, call := range s.Calls() {
				if !strings.HasPrefix(call, "Get ") && call != "Describe" && call != "Unlabelled" {
					t.Errorf("it called %s", call)
				}
			}
		})
	}
}

// Whatever an engine tries, nothing is written during a diagnosis: neither a value,
// nor a label, nor a note. A panic is an error that tells no value.
func TestDiagnosisWritesNothing(t *testing.T) {
	for name, write := range map[string]func(ctx context.Context, r rotation.Request) error{
		"a claim": func(ctx context.Context, r rotation.Request) error {
			return r.Claim(ctx, strings.Repeat("c", 32), rotation.TextValue("note"))
		},
		"a panic": func(context.Context, rotation.Request) error { panic(oldValue) },
	} {
		t.Run(name, func(t *testing.T) {
			s, l, m := setup(t)
			var log bytes.Buffer
			m.Engine, m.Log = &examined{lock: l, also: write}, slog.New(slog.NewJSONHandler(&log, nil))
			d, err := m.Serve(t.Context(), rotation.Event{Step: rotation.DoctorStep, SecretID: rotationtest.SecretID})
			text, _ := json.Marshal(d)
			switch {
			case err == nil && !slices.Contains(verdictsOf(d), "lock:fail"):
				t.Errorf("it is not told: %v", d)
			case err != nil && !errors.Is(err, rotation.ErrInternal):
				t.Error(err)
			}
			if said := fmt.Sprint(err, string(text), log.String()); strings.Contains(said, "plaintext") {
				t.Errorf("a value is told: %s", said)
			}
			if slices.Contains(s.Calls(), "Put") || slices.Contains(s.Calls(), "Promote") || slices.Contains(s.Calls(), "Claim") {
				t.Errorf("calls: %v", s.Calls())
			}
		})
	}
}

// A doctor's event is no step of a rotation, needs no token, and has one line in
// the log, without metrics: what it finds wrong is no failure of the function.
func TestDoctorEvent(t *testing.T) {
	s, l, m := setup(t)
	var log bytes.Buffer
	s.Enabled, m.Engine, m.Log, m.Function = false, &examined{lock: l}, slog.New(slog.NewJSONHandler(&log, nil)), "rotate"
	e := rotation.Event{Step: rotation.DoctorStep, SecretID: rotationtest.SecretID}
	if err := m.Handle(t.Context(), e); !errors.Is(err, rotation.ErrConfig) || len(s.Calls()) > 0 {
		t.Errorf("as a step: %v, calls %v", err, s.Calls())
	}
	if _, err := m.Serve(t.Context(), rotation.Event{Step: rotation.DoctorStep}); !errors.Is(err, rotation.ErrConfig) || len(s.Calls()) > 0 {
		t.Errorf("without a secret: %v, calls %v", err, s.Calls())
	}
	log.Reset()
	if _, err := m.Serve(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"msg": "diagnosis", "level": "INFO", "step": "doctor", "function": "rotate", "secret": rotationtest.SecretID, "outcome": "fail", "engine": "lock", "strategy": "test",
		"_aws": nil, "version": nil,
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if diff := cmp.Diff([]any{"rotation"}, line["failing"]); diff != "" {
		t.Error(diff)
	}
	// Steps are carried out, and answered with nothing.
	s.Enabled = true
	r := s.Begin()
	if d, err := m.Serve(t.Context(), rotation.Event{Step: rotation.CreateSecret, SecretID: r.SecretID, Token: r.Token, RotationToken: r.RotationToken}); d != nil || err != nil {
		t.Errorf("createSecret: %v, %v", d, err)
	}
}
