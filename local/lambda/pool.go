package lambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrClosed is returned by invocations of a function that was closed.
var ErrClosed = errors.New("the function is closed")

// acquire takes one of the function's places and the instance to use, nil when a new one
// must be started. Each success is paired with one release.
func (f *Function) acquire(ctx context.Context) (*instance, int, error) {
	if err := f.takeSlot(ctx); err != nil {
		return nil, 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		<-f.slots
		return nil, 0, f.closedError()
	}
	f.running.Add(1)
	for len(f.idle) > 0 {
		last := len(f.idle) - 1
		inst := f.idle[last]
		f.idle = f.idle[:last]
		if inst.alive() {
			return inst, f.generation, nil
		}
		// It ended by itself while idle: AWS too finds that out at the next invocation.
		delete(f.live, inst)
		f.running.Go(inst.stop)
	}
	return nil, f.generation, nil
}

func (f *Function) takeSlot(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("invoking function %q: %w", f.cfg.Name, err)
	}
	select {
	case f.slots <- struct{}{}:
		return nil
	default:
	}
	if f.cfg.Throttle {
		return &ServiceError{Code: "TooManyRequestsException", Message: fmt.Sprintf(
			"Rate Exceeded. All %d instances of function %s are busy: raise Concurrency or try again",
			f.cfg.Concurrency, f.cfg.Name)}
	}
	select {
	case f.slots <- struct{}{}:
		return nil
	case <-f.closing:
		return f.closedError()
	case <-ctx.Done():
		return fmt.Errorf("waiting for one of the %d instances of function %q: %w", f.cfg.Concurrency, f.cfg.Name, ctx.Err())
	}
}

// release returns a place, and the instance if it can be used again.
func (f *Function) release(inst *instance, generation int) {
	defer f.running.Done()
	defer func() { <-f.slots }()
	if inst == nil {
		return
	}
	f.mu.Lock()
	reuse := !f.closed && generation == f.generation && inst.alive()
	if reuse {
		f.idle = append(f.idle, inst)
	}
	f.mu.Unlock()
	if !reuse {
		f.discard(inst)
	}
}

// adopt records a started instance, so that Close ends it whatever happens next.
func (f *Function) adopt(inst *instance) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.live[inst] = struct{}{}
	return true
}

// discard ends an instance and waits for its end.
func (f *Function) discard(inst *instance) {
	inst.stop()
	f.mu.Lock()
	delete(f.live, inst)
	f.mu.Unlock()
}

// Recycle drops every instance, so that the next invocation is a cold start. Idle instances
// have ended when it returns; busy ones end after their invocation.
func (f *Function) Recycle() {
	f.mu.Lock()
	f.generation++
	idle := slices.Clone(f.idle)
	f.idle = nil
	f.mu.Unlock()
	for _, inst := range idle {
		f.discard(inst)
	}
}

// Close ends every process that the function started and waits for their end. Invocations
// under way fail with ErrClosed. It may be called again; it always returns nil.
func (f *Function) Close() error {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.closing)
	}
	f.idle = nil
	live := make([]*instance, 0, len(f.live))
	for inst := range f.live {
		live = append(live, inst)
	}
	f.mu.Unlock()
	for _, inst := range live {
		inst.kill()
	}
	f.running.Wait()
	for _, inst := range live {
		f.discard(inst)
	}
	return nil
}

func (f *Function) isClosing() bool {
	select {
	case <-f.closing:
		return true
	default:
		return false
	}
}

func (f *Function) closedError() error {
	return fmt.Errorf("invoking function %q: %w", f.cfg.Name, ErrClosed)
}
