package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
)

// flight is an event on its way to a function.
type flight struct {
	schedule   string // its ARN
	target     target
	payload    []byte
	begun      time.Time
	due        time.Time
	attempts   int
	handedOver bool // once it was, errors are the function's
	failures   int  // of the function
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
		wait = min(wait, f.due.Sub(now))
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
		s.fly(ctx, f)
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
			due = append(due, &flight{schedule: s.scheduleARN(sch), target: sch.Target, payload: sch.payload(), begun: now, due: sch.At})
			began, sch.Over = true, true
			if sch.ActionAfterCompletion == "DELETE" {
				delete(g.Schedules, sch.Name)
			}
		}
	}
	for _, f := range s.flights {
		if !now.Before(f.due) {
			due = append(due, f)
		}
	}
	s.flights = slices.DeleteFunc(s.flights, func(f *flight) bool { return !now.Before(f.due) })
	slices.SortStableFunc(due, func(a, b *flight) int { return a.due.Compare(b.due) })
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

// fly makes one attempt.
func (s *Server) fly(ctx context.Context, f *flight) {
	f.attempts++
	_, err := s.opt.Invoker.Invoke(ctx, f.target.Arn, f.payload)
	if s.opt.OnInvocation != nil {
		s.opt.OnInvocation(Invocation{Schedule: f.schedule, Function: f.target.Arn, Payload: f.payload, Attempt: f.attempts, Err: err})
	}
	if err == nil {
		return
	}
	s.mu.Lock()
	again := f.again(err, s.opt.Now())
	if again {
		s.flights = append(s.flights, f)
	}
	s.mu.Unlock()
	if !again && s.opt.OnDeadLetter != nil {
		letter := DeadLetter{
			Schedule: f.schedule, Function: f.target.Arn, Payload: f.payload, Attempts: f.attempts,
			HandedOver: f.handedOver, Err: err,
		}
		if q := f.target.DeadLetterConfig; q != nil {
			letter.Queue = q.Arn
		}
		s.opt.OnDeadLetter(letter)
	}
}

// again decides whether there is another attempt, and when.
func (f *flight) again(err error, now time.Time) bool {
	var failure *lambda.FunctionError
	if errors.As(err, &failure) {
		f.handedOver = true
		f.failures++
		f.due = now.Add(time.Duration(f.failures) * time.Minute)
		return f.failures < functionTries
	}
	var refusal *lambda.ServiceError
	if errors.As(err, &refusal) && refusal.Code != "TooManyRequestsException" {
		return false // there is no such function, or the event is none that it takes
	}
	age, attempts := f.target.limits()
	f.due = now.Add(time.Second << min(f.attempts, 9)) // doubling up to about eight minutes
	return f.attempts <= attempts && f.due.Sub(f.begun) <= age
}

func (l DeadLetter) String() string {
	return fmt.Sprintf("%s for %s, after %d attempts: %v", l.Schedule, l.Function, l.Attempts, l.Err)
}
