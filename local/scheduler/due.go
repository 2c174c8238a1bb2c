package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
)

// flight is an event on its way to a function. It is kept with the schedules until it has
// come to its end: what was begun when a server ended is begun again by the next.
type flight struct {
	Schedule   string // its ARN
	Target     target
	Payload    []byte
	Begun      time.Time
	Due        time.Time
	Attempts   int
	HandedOver bool // once it was, errors are the function's
	Failures   int  // of the function
	flying     bool // an attempt is under way
}

// functionTries is how often Lambda runs a function for an asynchronous invocation
// whose function fails, with a minute and then two in between.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const functionTries = 3

// Run carries out schedules when they are due, until ctx ends. Invocations that
// are under way then end with it.
func (s *Server) Run(ctx context.Context) error {
	for {
		if err := s.Tick(ctx); err != nil {
			return err
		}
		timer := time.NewTimer(s.untilNext())
		select {
		case <-timer.C:
		case <-s.changed:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

func (s *Server) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// idle is how long Run waits when there is nothing to do; what changes wakes it.
const idle = time.Hour

func (s *Server) untilNext() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait, now := idle, s.opt.Now()
	for _, g := range s.groups {
		for _, sch := range g.Schedules {
			if sch.waiting() {
				wait = min(wait, sch.At.Sub(now))
			}
		}
	}
	for _, f := range s.flights {
		if !f.flying {
			wait = min(wait, f.Due.Sub(now))
		}
	}
	return max(wait, 0)
}

func (s *schedule) waiting() bool { return s.State == "ENABLED" && !s.Over }

// Tick carries out what is due now, one after the other, and returns when it is
// done. Its error is that the file could not be written.
func (s *Server) Tick(ctx context.Context) error {
	flights, err := s.takeOff()
	if err != nil {
		return err
	}
	for _, f := range flights {
		if err := s.fly(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// takeOff takes what is due. A schedule that deletes itself does so now: what
// becomes of its event is not its matter any more.
func (s *Server) takeOff() ([]*flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opt.Now()
	var due []*flight
	began := false
	for _, g := range sorted(s.groups) {
		for _, sch := range sorted(g.Schedules) {
			if !sch.waiting() || now.Before(sch.At) {
				continue
			}
			s.flights = append(s.flights, &flight{Schedule: s.scheduleARN(sch), Target: sch.Target, Payload: sch.payload(), Begun: now, Due: sch.At})
			began, sch.Over = true, true
			if sch.ActionAfterCompletion == "DELETE" {
				delete(g.Schedules, sch.Name)
			}
		}
	}
	for _, f := range s.flights {
		if !f.flying && !now.Before(f.Due) {
			f.flying = true
			due = append(due, f)
		}
	}
	slices.SortStableFunc(due, func(a, b *flight) int { return a.Due.Compare(b.Due) })
	if began {
		return due, s.save()
	}
	return due, nil
}

// payload is what a function gets that was given no input.
func (s *schedule) payload() []byte {
	if s.Target.Input == "" {
		return []byte("{}")
	}
	return []byte(s.Target.Input)
}

// fly makes one attempt. Its error is that the file could not be written.
func (s *Server) fly(ctx context.Context, f *flight) error {
	f.Attempts++
	_, err := s.opt.Invoker.Invoke(ctx, f.Target.Arn, f.Payload)
	if err != nil && ctx.Err() != nil {
		return nil //nolint:nilerr // the server ends, and not the event: the next one takes it up
	}
	if s.opt.OnInvocation != nil {
		s.opt.OnInvocation(Invocation{Schedule: f.Schedule, Function: f.Target.Arn, Payload: f.Payload, Attempt: f.Attempts, Err: err})
	}
	again, saved := s.landed(f, err)
	if err != nil && !again && s.opt.OnDeadLetter != nil {
		letter := DeadLetter{
			Schedule: f.Schedule, Function: f.Target.Arn, Payload: f.Payload, Attempts: f.Attempts,
			HandedOver: f.HandedOver, Err: err,
		}
		if q := f.Target.DeadLetterConfig; q != nil {
			letter.Queue = q.Arn
		}
		s.opt.OnDeadLetter(letter)
	}
	return saved
}

// landed keeps a flight for another attempt, or forgets it.
func (s *Server) landed(f *flight, err error) (again bool, saved error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.flying = false
	if again = err != nil && f.again(err, s.opt.Now()); !again {
		s.flights = slices.DeleteFunc(s.flights, func(other *flight) bool { return other == f })
	}
	return again, s.save()
}

// again decides whether there is another attempt, and when.
func (f *flight) again(err error, now time.Time) bool {
	var failure *lambda.FunctionError
	if errors.As(err, &failure) {
		f.HandedOver = true
		f.Failures++
		f.Due = now.Add(time.Duration(f.Failures) * time.Minute)
		return f.Failures < functionTries
	}
	var refusal *lambda.ServiceError
	if errors.As(err, &refusal) && refusal.Code != "TooManyRequestsException" {
		return false // there is no such function, or the event is none that it takes
	}
	age, attempts := f.Target.limits()
	f.Due = now.Add(time.Second << min(f.Attempts, 9)) // doubling up to about eight minutes
	return f.Attempts <= attempts && f.Due.Sub(f.Begun) <= age
}

func (l DeadLetter) String() string {
	return fmt.Sprintf("%s for %s, after %d attempts: %v", l.Schedule, l.Function, l.Attempts, l.Err)
}
