package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// RotationEvent is one turn of a rotation, as [Options.OnRotation] sees it. It holds no
// value of a secret, and no rotation token.
type RotationEvent struct {
	Kind     RotationEventKind
	Time     time.Time // by the server's clock
	ARN      string    // of the secret
	Name     string    // of the secret
	Region   string
	Token    string // the ClientRequestToken, which is the version's id
	Function string // the ARN of the rotation function
	Test     bool   // RotateImmediately was false: testSecret only
	Attempt  int    // of the whole sequence; 1 is the first
	Step     string // createSecret, setSecret, testSecret, finishSecret; only in step events

	Duration time.Duration // StepFinished: of the step; at the end: of the whole rotation
	Err      error         // StepFinished, RotationRetried, RotationFailed, RotationAbandoned
}

// RotationEventKind says what happened.
type RotationEventKind string

// The turns of a rotation.
const (
	RotationStarted   RotationEventKind = "RotationStarted"
	StepStarted       RotationEventKind = "StepStarted"
	StepFinished      RotationEventKind = "StepFinished"
	RotationRetried   RotationEventKind = "RotationRetried" // an attempt failed, another follows
	RotationSucceeded RotationEventKind = "RotationSucceeded"
	RotationFailed    RotationEventKind = "RotationFailed"
	RotationAbandoned RotationEventKind = "RotationAbandoned" // CancelRotateSecret, or Close
)

// RotationResult is how a rotation ended.
type RotationResult struct {
	ARN      string
	Token    string // the version's id
	Test     bool
	Attempts int
	Duration time.Duration
}

// RotationError is the end of a rotation that failed for good, or of one attempt.
type RotationError struct {
	ARN  string
	Step string // the step that failed; empty if it was none of the four
	Err  error
}

// Error names the step, as AWS does in its RotationFailed event, and the cause.
func (e *RotationError) Error() string {
	if e.Step == "" {
		return fmt.Sprintf("rotating %s: %v", e.ARN, e.Err)
	}
	return fmt.Sprintf("rotating %s: in step %s: %v", e.ARN, e.Step, e.Err)
}

// Unwrap gives the cause.
func (e *RotationError) Unwrap() error { return e.Err }

// ErrCancelled is the cause of a rotation that CancelRotateSecret ended.
var ErrCancelled = errors.New("the rotation was cancelled")

// ErrNoRotation is the answer of Wait for a secret that this server has not begun to rotate.
var ErrNoRotation = errors.New("no rotation of the secret has begun")

// flight is a rotation of this process.
type flight struct {
	secret    *secret // as it was when the rotation began
	at        place
	arn, name string
	function  string
	inFlight

	ctx     context.Context
	abandon context.CancelFunc // no further step begins
	done    chan struct{}      // closed after result and err are set
	result  RotationResult
	err     error
}

// rotations are the flights of a server: for each secret the one that runs, or the last.
type rotations struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	flights map[string]*flight // by ARN

	ctx  context.Context // of invocations; ends with Close
	stop context.CancelFunc
}

func (r *rotations) init() {
	r.flights = map[string]*flight{}
	r.ctx, r.stop = context.WithCancel(context.Background())
}

// add registers the flight of a secret's rotation; nil if it runs already, or after close.
func (r *rotations) add(sec *secret) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.flights[sec.ARN]
	if r.closed || old != nil && old.runs() && old.ctx.Err() == nil {
		return nil
	}
	f := &flight{
		secret: sec, at: sec.place(), arn: sec.ARN, name: sec.Name, function: sec.Rotation.FunctionARN,
		inFlight: *sec.InFlight, done: make(chan struct{}),
	}
	f.ctx, f.abandon = context.WithCancel(r.ctx)
	r.flights[sec.ARN] = f
	r.running.Add(1)
	return f
}

func (f *flight) runs() bool {
	select {
	case <-f.done:
		return false
	default:
		return true
	}
}

func (r *rotations) get(arn string) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flights[arn]
}

func (r *rotations) abandon(arn string) {
	if f := r.get(arn); f != nil {
		f.abandon()
	}
}

// forget is abandon for a secret that is no more.
func (r *rotations) forget(arn string) {
	r.abandon(arn)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.flights, arn)
}

func (r *rotations) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	r.running.Wait()
}

// Wait waits until the rotation of a secret that runs has ended, or returns the end of the
// last one. The error is nil only if that rotation (or test) succeeded: else it is a
// [*RotationError], [ErrNoRotation], or the end of ctx. A secret that is named, not given by
// its ARN, is looked for in the server's own account and Region.
func (s *Server) Wait(ctx context.Context, secretID string) (RotationResult, error) {
	sec, err := s.find(s.home(secretID), secretID)
	if err != nil {
		return RotationResult{}, fmt.Errorf("waiting for the rotation of %q: %w", secretID, err)
	}
	f := s.rotations.get(sec.ARN)
	if f == nil {
		return RotationResult{}, fmt.Errorf("waiting for the rotation of %q: %w", secretID, ErrNoRotation)
	}
	select {
	case <-f.done:
		return f.result, f.err
	case <-ctx.Done():
		return RotationResult{}, fmt.Errorf("waiting for the rotation of %q: %w", secretID, ctx.Err())
	}
}

// home is the place that an ARN names, or the server's own.
func (s *Server) home(secretID string) place {
	if part := strings.SplitN(secretID, ":", 6); len(part) == 6 && part[0] == "arn" {
		return place{part[4], part[3]}
	}
	return place{s.opt.Account, s.opt.Region}
}
