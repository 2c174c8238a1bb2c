package secretsmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The steps of a rotation: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
var (
	allSteps  = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}
	testSteps = []string{"testSecret"}
)

// changeAndStart is change, after which the rotation that is then in flight runs. Both are
// one turn of the writers, as is a cancellation, so that none slips in between.
func (s *Server) changeAndStart(c *caller, id string, edit func(*secret) error) (*secret, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	sec, err := s.changeLocked(c, id, edit)
	if err == nil && sec.InFlight != nil {
		s.start(sec)
	}
	return sec, err
}

// start runs the rotation in flight, unless it runs already. The caller holds writing.
func (s *Server) start(sec *secret) {
	f := s.rotations.add(sec)
	if f == nil {
		return
	}
	go func() {
		defer s.rotations.running.Done()
		defer close(f.done)
		defer f.abandon()
		s.fly(f)
	}()
}

// RunDue does what the clock asks for: it ends secrets whose recovery window has passed,
// starts rotations whose window is open (they run on; see Wait), tries a failed rotation
// again at the next window, with the same token, takes up rotations that a former server
// on the same state directory left in flight, and brings to replicas what is due there.
func (s *Server) RunDue(ctx context.Context) error {
	now := s.opt.Now()
	for _, sec := range s.all() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case sec.gone(now):
			if err := s.sweep(sec); err != nil {
				return fmt.Errorf("deleting %s: %w", sec.ARN, err)
			}
		case sec.dueReplicas(now):
			if err := s.revise(sec, func(*secret) error { return nil }); err != nil && !isNotFound(err) {
				return fmt.Errorf("replicating %s: %w", sec.ARN, err)
			}
		}
		switch {
		case sec.deleted():
		case sec.InFlight != nil || sec.due(now):
			if err := s.rotateDue(sec); err != nil {
				return fmt.Errorf("starting the rotation of %s: %w", sec.ARN, err)
			}
		}
	}
	return nil
}

// Run calls RunDue every second until ctx ends; that is no error.
func (s *Server) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := s.RunDue(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Server) sweep(seen *secret) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	sec := s.kept(seen.place(), seen.Name)
	if sec == nil || !sec.gone(s.opt.Now()) {
		return nil
	}
	if err := s.commit(change{sec, nil}); err != nil {
		return err
	}
	s.happened(SecretEvent{Kind: EndSecretVersionDelete, ARN: sec.ARN, Region: sec.Region})
	return nil
}

func (s *secret) due(now time.Time) bool {
	r := s.Rotation
	return r != nil && r.Enabled && !r.Next.Start.IsZero() && !now.Before(r.Next.Start)
}

func (s *Server) rotateDue(seen *secret) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	sec, err := s.reviseLocked(seen, func(sec *secret) error {
		now := s.opt.Now()
		if sec.InFlight != nil || sec.deleted() || !sec.due(now) {
			return errUnchanged
		}
		token := newUUID()
		if p := sec.holder(pending); p != nil && !p.has(current) {
			token = p.ID // "That rotation will be reattempted."
		}
		sec.Rotation.plan(now)
		sec.begin(token, false, now)
		return nil
	})
	if err == nil && sec.InFlight != nil {
		s.start(sec)
	}
	if isNotFound(err) {
		return nil // deleted meanwhile
	}
	return err
}

// fly runs a rotation to its end: the whole sequence, again with the same token if a step
// fails, then the last word on it.
func (s *Server) fly(f *flight) {
	begin := time.Now()
	s.tell(f, RotationEvent{Kind: RotationStarted, Attempt: 1})
	attempts := s.opt.Attempts
	if f.Test {
		attempts = 1
	}
	n := 1
	for ; ; n++ {
		f.err = s.attempt(f, n)
		if f.err == nil || n == attempts || f.ctx.Err() != nil {
			break
		}
		s.tell(f, RotationEvent{Kind: RotationRetried, Attempt: n, Err: f.err})
		if !pause(f.ctx, s.opt.Backoff(n)) {
			break
		}
	}
	f.err = s.land(f, f.err)
	f.result = RotationResult{ARN: f.arn, Token: f.Token, Test: f.Test, Attempts: n, Duration: time.Since(begin)}
	end := RotationEvent{Kind: RotationSucceeded, Attempt: n, Duration: f.result.Duration, Err: f.err}
	switch {
	case errors.Is(f.err, ErrCancelled) || errors.Is(f.err, ErrClosed):
		end.Kind = RotationAbandoned
	case f.err != nil:
		end.Kind = RotationFailed
	}
	s.tell(f, end)
}

// attempt runs the sequence once.
func (s *Server) attempt(f *flight, n int) error {
	steps := allSteps
	if f.Test {
		steps = testSteps
	}
	rotationToken := newUUID()
	for _, step := range steps {
		if f.ctx.Err() != nil {
			return f.ctx.Err()
		}
		s.tell(f, RotationEvent{Kind: StepStarted, Attempt: n, Step: step})
		begin := time.Now()
		err := s.invoke(f, step, rotationToken)
		s.tell(f, RotationEvent{Kind: StepFinished, Attempt: n, Step: step, Duration: time.Since(begin), Err: err})
		if err != nil {
			return &RotationError{ARN: f.arn, Step: step, Err: err}
		}
	}
	if f.Test {
		return nil
	}
	return s.verify(f)
}

// invoke lets the function finish its step even if the rotation is cancelled meanwhile, as
// nothing on AWS could stop it; only Close ends it.
func (s *Server) invoke(f *flight, step, rotationToken string) error {
	payload, err := json.Marshal(map[string]string{
		"Step": step, "SecretId": f.arn, "ClientRequestToken": f.Token, "RotationToken": rotationToken,
	})
	if err != nil {
		return err
	}
	_, err = s.opt.Invoker.Invoke(s.rotations.ctx, f.function, payload)
	return err
}

// verify holds the function to its word: after finishSecret the version is current.
func (s *Server) verify(f *flight) error {
	sec, err := s.find(f.at, f.arn)
	if err != nil {
		return &RotationError{ARN: f.arn, Err: err}
	}
	if v := sec.holder(current); v == nil || v.ID != f.Token {
		return &RotationError{ARN: f.arn, Step: "finishSecret", Err: fmt.Errorf("the function reported success, but %s is not on version %s", current, f.Token)}
	}
	return nil
}

// land writes down how the rotation ended. A failed one leaves AWSPENDING where it is. One
// that Close cut short stays in flight, for the next server to take up.
func (s *Server) land(f *flight, failure error) error {
	if failure != nil && s.rotations.ctx.Err() != nil {
		return &RotationError{ARN: f.arn, Err: ErrClosed}
	}
	cancelled := f.ctx.Err() != nil
	err := s.revise(f.secret, func(sec *secret) error {
		ours := sec.InFlight != nil && *sec.InFlight == f.inFlight
		cancelled = cancelled || !ours
		if f.Test && (!cancelled || !ours) {
			sec.remove(f.Token)
		}
		if !cancelled {
			s.landed(sec, f, failure)
		}
		return nil
	})
	switch {
	case cancelled:
		return &RotationError{ARN: f.arn, Err: ErrCancelled}
	case err != nil && failure == nil:
		return &RotationError{ARN: f.arn, Err: err}
	}
	return failure
}

// landed changes a secret as the end of its rotation does.
func (s *Server) landed(sec *secret, f *flight, failure error) {
	sec.InFlight = nil
	if failure != nil || f.Test {
		return
	}
	now := s.opt.Now()
	sec.Rotation.Last, sec.Changed = now, now
	sec.Rotation.plan(now)
	if v := sec.holder(pending); v != nil && v.has(current) && !s.opt.KeepPendingLabel {
		v.detach(pending)
	}
}

func isNotFound(err error) bool { return errorCode(err) == "ResourceNotFoundException" }

// pause reports whether it lasted to its end.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Server) tell(f *flight, e RotationEvent) {
	if s.opt.OnRotation == nil {
		return
	}
	e.Time, e.ARN, e.Name, e.Region = s.opt.Now(), f.arn, f.name, f.at.region
	e.Token, e.Function, e.Test = f.Token, f.function, f.Test
	s.opt.OnRotation(e)
}
