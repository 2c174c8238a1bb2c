// Package rotationtest has what tests of rotations need: a strict store in
// memory, faults at each side effect, and a driver of the four steps.
package rotationtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// SecretID is the secret that a [Store] holds.
const SecretID = "arn:aws:secretsmanager:us-east-1:123456789012:secret:test-AbCdEf"

// Store is a [rotation.Store] in memory that holds one secret and fails the
// test at any call that the contract does not allow.
type Store struct {
	// Faults decides the fate of each write.
	Faults Injector
	// Calling decides the fate of each call before it is looked at.
	Calling Injector
	// Enabled, Function, Deleted, Rotated: as DescribeSecret tells them.
	Enabled  bool
	Function string
	Deleted  time.Time
	Rotated  time.Time
	// KeepPending leaves AWSPENDING on the version that becomes current; some
	// observations of Secrets Manager say that it does, others that it does not.
	KeepPending bool
	// Others are the current values of other secrets, by id: an administrator's,
	// say. They can be read and nothing else.
	Others map[string]rotation.Value

	t        testing.TB
	mu       sync.Mutex
	versions map[string]*version
	calls    []string
	tokens   int
}

type version struct {
	made   int // versions made before it
	value  *rotation.Value
	stages []string
}

// NewStore has one version, AWSCURRENT, and rotation enabled.
func NewStore(t testing.TB, current rotation.Value) *Store {
	return &Store{t: t, Enabled: true, versions: map[string]*version{
		"original-version-00000000000000000000": {value: &current, stages: []string{rotation.Current}},
	}}
}

// Begin makes a version without a value, labelled AWSPENDING, as RotateSecret does.
func (s *Store) Begin() rotation.Rotation {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens++
	token := fmt.Sprintf("token-%032d", s.tokens)
	s.move(rotation.Pending, token)
	return rotation.Rotation{SecretID: SecretID, Token: token, RotationToken: "rotation-token-of-the-test"}
}

// Labelled returns the id and value of the version with a label; "" if none.
func (s *Store) Labelled(stage string) (string, rotation.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, v := range s.versions {
		if slices.Contains(v.stages, stage) {
			if v.value == nil {
				return id, rotation.Value{}
			}
			return id, *v.value
		}
	}
	return "", rotation.Value{}
}

// Plant puts a value and labels on a version from outside, as a person would.
func (s *Store) Plant(id string, v rotation.Value, stages ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stage := range stages {
		s.move(stage, id)
	}
	if s.versions[id] == nil {
		s.versions[id] = &version{made: len(s.versions)}
	}
	s.versions[id].value = &v
}

// Unlabel removes a label from whatever version has it, as a person would.
func (s *Store) Unlabel(stage string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(stage)
}

// Calls are the names of the calls so far.
func (s *Store) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Describe implements [rotation.Store].
func (s *Store) Describe(ctx context.Context, id string) (rotation.Metadata, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enter(ctx, "Describe", id); err != nil {
		return rotation.Metadata{}, err
	}
	md := rotation.Metadata{ARN: SecretID, RotationEnabled: s.Enabled, Function: s.Function, Deleted: s.Deleted, Rotated: s.Rotated, Versions: map[string][]string{}}
	for id, v := range s.versions {
		if len(v.stages) > 0 { // DescribeSecret hides versions without labels
			md.Versions[id] = slices.Clone(v.stages)
		}
	}
	return md, nil
}

// Get implements [rotation.Store].
func (s *Store) Get(ctx context.Context, id string, want rotation.Version) (rotation.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if want.ID == "" && want.Stage == "" {
		s.t.Errorf("illegal call: Get without a version id or a stage")
	}
	if err := s.enter(ctx, "Get "+want.Stage, id); err != nil {
		return rotation.Stored{}, err
	}
	if other, ok := s.Others[id]; ok {
		return rotation.Stored{VersionID: "current", Stages: []string{rotation.Current}, Value: other}, nil
	}
	for id, v := range s.versions {
		switch {
		case want.ID != "" && want.ID != id,
			want.ID == "" && !slices.Contains(v.stages, want.Stage):
			continue
		case want.Stage != "" && !slices.Contains(v.stages, want.Stage):
			return rotation.Stored{}, fmt.Errorf("version %s is not %s: %w", id, want.Stage, rotation.ErrNotPending)
		case v.value == nil:
			return rotation.Stored{}, fmt.Errorf("version %s has no value: %w", id, rotation.ErrNotFound)
		}
		return rotation.Stored{VersionID: id, Stages: slices.Clone(v.stages), Value: *v.value}, nil
	}
	return rotation.Stored{}, fmt.Errorf("no version %+v: %w", want, rotation.ErrNotFound)
}

// Unlabelled implements [rotation.Historian].
func (s *Store) Unlabelled(ctx context.Context, id string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enter(ctx, "Unlabelled", id); err != nil {
		return nil, err
	}
	var ids []string
	for id, v := range s.versions {
		if len(v.stages) == 0 {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return s.versions[b].made - s.versions[a].made })
	return ids, nil
}

// Put implements [rotation.Store].
func (s *Store) Put(ctx context.Context, r rotation.Rotation, v rotation.Value) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enter(ctx, "Put", r.SecretID); err != nil {
		return err
	}
	pending, known := s.versions[r.Token]
	switch {
	case known && pending.value != nil:
		// Whatever the labels: the version keeps the value that it has. An invocation
		// that is late comes to this.
	case !known || !slices.Contains(pending.stages, rotation.Pending):
		s.t.Errorf("illegal call: Put of %s, which is not pending", r.Token)
	case r.RotationToken == "":
		s.t.Errorf("illegal call: Put without the rotation token of the event")
	case v.Len() == 0 || v.Len() > rotation.MaxValueSize:
		s.t.Errorf("illegal call: Put of %d bytes", v.Len())
	}
	return s.Faults.Do("Put", func() error {
		if pending.value != nil && !pending.value.Equal(v) {
			return fmt.Errorf("version %s: %w", r.Token, rotation.ErrConflict)
		}
		pending.value = &v
		return nil
	})
}

// Promote implements [rotation.Store].
func (s *Store) Promote(ctx context.Context, r rotation.Rotation, from string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enter(ctx, "Promote", r.SecretID); err != nil {
		return err
	}
	next, known := s.versions[r.Token]
	switch {
	case !known || next.value == nil:
		s.t.Errorf("illegal call: Promote of %s, which has no value", r.Token)
		return rotation.ErrNotFound
	case slices.Contains(next.stages, rotation.Current):
		return nil
	case s.versions[from] == nil || !slices.Contains(s.versions[from].stages, rotation.Current):
		s.t.Errorf("illegal call: Promote from %q, which is not current", from)
		return rotation.ErrConflict
	}
	return s.Faults.Do("Promote", func() error {
		s.move(rotation.Current, r.Token)
		s.move(rotation.Previous, from)
		if !s.KeepPending {
			s.drop(rotation.Pending)
		}
		return nil
	})
}

// enter is what every call begins with.
func (s *Store) enter(ctx context.Context, call, id string) error {
	s.calls = append(s.calls, call)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", call, rotation.ErrUnreachable)
	}
	if _, other := s.Others[id]; id != SecretID && !other {
		return fmt.Errorf("%s: %w", call, rotation.ErrNotFound)
	}
	return s.Calling.Do(call, func() error { return nil })
}

func (s *Store) move(stage, to string) {
	s.drop(stage)
	if s.versions[to] == nil {
		s.versions[to] = &version{made: len(s.versions)}
	}
	s.versions[to].stages = append(s.versions[to].stages, stage)
}

func (s *Store) drop(stage string) {
	for _, v := range s.versions {
		v.stages = slices.DeleteFunc(v.stages, func(x string) bool { return x == stage })
	}
}

var errKilled = errors.New("the process was killed")

// Run carries out the four steps of a rotation once, in order, and returns the
// first error. A step that an [Injector] kills ends the sequence.
func Run(ctx context.Context, m *rotation.Machine, r rotation.Rotation) error {
	for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret} {
		if err := RunStep(ctx, m, r, step); err != nil {
			return err
		}
	}
	return nil
}

// RunStep carries out one step.
func RunStep(ctx context.Context, m *rotation.Machine, r rotation.Rotation, step rotation.Step) error {
	return RunEvent(ctx, m, rotation.Event{Step: step, SecretID: r.SecretID, Token: r.Token, RotationToken: r.RotationToken})
}

// RunEvent has the machine handle an event, such as that of a retirement.
func RunEvent(ctx context.Context, m *rotation.Machine, e rotation.Event) error {
	result := make(chan error, 1)
	go func() {
		err := errKilled
		defer func() { result <- err }() // also after runtime.Goexit
		err = m.Handle(ctx, e)
	}()
	return <-result
}
