package eventbus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// letter is an event on its way to one target.
type letter struct {
	event    Event
	payload  []byte
	since    time.Time // when it was put
	attempts int
	last     time.Time // of the attempts
	err      error     // of the last attempt
}

// queue holds the letters of one target. A letter has a slot from when it is put until it is
// delivered or dead, also while it waits for another attempt; so ready, which has as many
// places as there are slots, never blocks who sends.
type queue struct {
	bus    *Bus
	rule   string
	target Target

	slots chan struct{}
	ready chan *letter

	mu      sync.Mutex
	closed  bool
	letters int // that have a slot
}

// openQueue starts the workers of a target. They end when the queue is closed and empty.
func (b *Bus) openQueue(rule string, t Target) *queue {
	if t.Retry.Attempts == 0 {
		t.Retry.Attempts = b.opt.Retry.Attempts
	}
	if t.Retry.MaxAge == 0 {
		t.Retry.MaxAge = b.opt.Retry.MaxAge
	}
	q := &queue{
		bus: b, rule: rule, target: t,
		slots: make(chan struct{}, b.opt.Queue), ready: make(chan *letter, b.opt.Queue),
	}
	for range b.opt.Concurrency {
		b.queues.Go(q.work)
	}
	return q
}

// put queues a letter, or buries it if there is no slot in time.
func (q *queue) put(ctx context.Context, l *letter) {
	err := q.take(ctx)
	if err == nil {
		err = q.send(l)
	}
	if err != nil {
		l.err = err
		q.bury(l)
	}
}

func (q *queue) send(l *letter) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed && q.letters == 0 {
		<-q.slots
		return fmt.Errorf("the rule %q was changed or removed as the event matched it", q.rule)
	}
	q.letters++
	q.ready <- l
	return nil
}

func (q *queue) take(ctx context.Context) error {
	select {
	case q.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case q.slots <- struct{}{}:
		return nil
	case <-time.After(q.bus.opt.Patience):
		return fmt.Errorf("the target's queue of %d events stayed full for %s", cap(q.slots), q.bus.opt.Patience)
	case <-ctx.Done():
		return fmt.Errorf("the target's queue of %d events was full when the caller gave up: %w", cap(q.slots), ctx.Err())
	}
}

// close lets the workers end when the queue is empty.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	if q.letters == 0 {
		close(q.ready)
	}
}

// done gives a letter's slot back.
func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	<-q.slots
	q.letters--
	if q.closed && q.letters == 0 {
		close(q.ready)
	}
}

func (q *queue) work() {
	for l := range q.ready {
		q.deliver(l)
	}
}

// deliver makes one attempt, and sees to what follows from its end.
func (q *queue) deliver(l *letter) {
	b := q.bus
	begin := time.Now()
	switch {
	case begin.Sub(l.since) > q.target.Retry.MaxAge:
		l.err = fmt.Errorf("the event is older than %s: %w", q.target.Retry.MaxAge, orFirst(l.err))
	case b.invoking.Err() != nil:
		l.err = fmt.Errorf("the bus was closed before the event could be delivered: %w", orFirst(l.err))
	default:
		l.attempts++
		l.last = begin
		_, l.err = b.opt.Invoker.Invoke(b.invoking, q.target.Function, l.payload)
		q.report(l, time.Since(begin))
		if l.err != nil && l.attempts < q.target.Retry.Attempts {
			b.queues.Go(func() { q.later(l) })
			return
		}
	}
	if l.err != nil {
		q.bury(l)
	}
	q.done()
}

func orFirst(err error) error {
	if err == nil {
		return errNoAttempt
	}
	return err
}

var errNoAttempt = errors.New("no attempt was made")

// later puts a letter back when its pause is over, or when the bus closes.
func (q *queue) later(l *letter) {
	select {
	case <-time.After(q.bus.opt.Backoff(l.attempts)):
	case <-q.bus.closing:
		// One more attempt, at once, is the last.
		l.attempts = max(l.attempts, q.target.Retry.Attempts-1)
	}
	q.ready <- l
}

func (q *queue) report(l *letter, took time.Duration) {
	if q.bus.opt.OnDelivery != nil {
		q.bus.opt.OnDelivery(Delivery{
			Event: l.event, Rule: q.rule, Target: q.target.ID, Function: q.target.Function,
			Attempt: l.attempts, Duration: took, Err: l.err,
		})
	}
}

func (q *queue) bury(l *letter) {
	q.bus.bury(DeadLetter{
		Event: l.event, Rule: q.rule, Target: q.target.ID, Function: q.target.Function,
		Put: l.since, LastAttempt: l.last, Attempts: l.attempts, Reason: reason(l.err),
	})
}
