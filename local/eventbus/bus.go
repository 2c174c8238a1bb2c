package eventbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a Bus. Invoker is required; every other field's zero value means the
// default named beside it.
type Options struct {
	Invoker Invoker

	// DeadLetters is the folder that gets the events that could not be delivered, one JSON
	// file each; see [DeadLetter]. It is made if need be. Empty: OnDeadLetter only.
	DeadLetters string

	// Queue limits the events of one target that wait, for their turn or for another attempt;
	// 1,000 if zero. When it is full, Put waits.
	Queue int

	// Patience limits that wait; 5 s if zero. Then the event is a dead letter of that target:
	// a function that itself causes events cannot block itself for ever.
	Patience time.Duration

	// Concurrency is the number of events of one target that are delivered at once; 4 if zero.
	Concurrency int

	// Retry is for targets that have none of their own. Its defaults are 3 attempts, as many
	// as Lambda makes of an asynchronous invocation whose function fails, within 24 hours.
	Retry Retry

	// Backoff is the pause after a failed attempt (the first is 1); 1 s, doubling, at most
	// 1 minute, if nil. (AWS waits one minute, then two.)
	Backoff func(attempt int) time.Duration

	// Duplicates is how often an event is delivered beside the one time it should be, for a
	// target that must not mind: at least once is all that EventBridge promises. None if nil.
	Duplicates func(e Event, function string) int

	OnEvent      func(Event)      // each event that is put, before its delivery; may be called concurrently
	OnDelivery   func(Delivery)   // each attempt, after it; may be called concurrently
	OnDeadLetter func(DeadLetter) // each dead letter, after it was written; may be called concurrently
}

// Delivery is one attempt to deliver an event.
type Delivery struct {
	Event        Event
	Rule, Target string
	Function     string
	Attempt      int // the first is 1
	Duration     time.Duration
	Err          error
}

// Bus carries events to rules, and from rules to functions. It is safe for concurrent use.
// Close it.
type Bus struct {
	opt   Options
	rules atomic.Pointer[[]*compiledRule] // copied on write

	mu     sync.Mutex // of changes to rules, and of closed
	closed bool

	putting  sync.WaitGroup // calls of Put under way
	queues   sync.WaitGroup // queues that are not empty or not closed
	closing  chan struct{}  // closed when Close begins: nobody waits for a retry any more
	invoking context.Context
	cut      context.CancelFunc // ends invocations

	failures failures
}

// ErrClosed is the answer of a bus after Close.
var ErrClosed = errors.New("the event bus is closed")

// New makes a bus without rules.
func New(o Options) (*Bus, error) {
	if o.Invoker == nil {
		return nil, errors.New("event bus: it needs an Invoker")
	}
	if o.Queue < 0 || o.Concurrency < 0 || o.Patience < 0 || o.Retry.Attempts < 0 || o.Retry.MaxAge < 0 {
		return nil, errors.New("event bus: a limit is negative")
	}
	o.Queue = cmp.Or(o.Queue, 1000)
	o.Patience = cmp.Or(o.Patience, 5*time.Second)
	o.Concurrency = cmp.Or(o.Concurrency, 4)
	o.Retry.Attempts = cmp.Or(o.Retry.Attempts, 3)
	o.Retry.MaxAge = cmp.Or(o.Retry.MaxAge, 24*time.Hour)
	if o.Backoff == nil {
		o.Backoff = func(attempt int) time.Duration {
			return min(time.Second<<min(attempt-1, 6), time.Minute)
		}
	}
	if err := openFolder(o.DeadLetters); err != nil {
		return nil, fmt.Errorf("event bus: making the folder of dead letters: %w", err)
	}
	b := &Bus{opt: o, closing: make(chan struct{})}
	b.rules.Store(&[]*compiledRule{})
	b.invoking, b.cut = context.WithCancel(context.Background())
	return b, nil
}

// PutRule adds a rule, or replaces the one of that name; events already matched by the old
// one are still delivered. A rule that is not valid changes nothing.
func (b *Bus) PutRule(r Rule) error {
	next, err := compileRule(r)
	if err != nil {
		return fmt.Errorf("event bus: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	for _, t := range next.Targets {
		next.queues = append(next.queues, b.openQueue(r.Name, t))
	}
	b.replace(r.Name, next)
	return nil
}

// DeleteRule removes a rule; events already matched are still delivered. It reports whether
// there was one.
func (b *Bus) DeleteRule(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.replace(name, nil)
}

// replace puts next in the place of the rule of that name. The caller holds mu.
func (b *Bus) replace(name string, next *compiledRule) bool {
	var old *compiledRule
	rules := slices.DeleteFunc(slices.Clone(*b.rules.Load()), func(r *compiledRule) bool {
		if r.Name == name {
			old = r
		}
		return r.Name == name
	})
	if next != nil {
		rules = append(rules, next)
	}
	b.rules.Store(&rules)
	if old != nil {
		old.retire()
	}
	return old != nil
}

func (r *compiledRule) retire() {
	for _, q := range r.queues {
		q.close()
	}
}

// Rules returns the rules in force, in the order in which they were put.
func (b *Bus) Rules() []Rule {
	var rules []Rule
	for _, r := range *b.rules.Load() {
		rules = append(rules, r.Rule)
	}
	return rules
}

// Put hands an event to the rules that match. It returns when every one of their targets has
// the event in its queue, or among its dead letters if the queue stayed full: see
// [Options.Patience]. An error means that no target has it: it is not a valid event, the bus
// is closed, or ctx ended before Put began.
func (b *Bus) Put(ctx context.Context, e Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	payload, err := e.JSON()
	if err != nil {
		return err
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	b.putting.Add(1)
	b.mu.Unlock()
	defer b.putting.Done()
	queues, err := b.match(payload)
	if err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	if b.opt.OnEvent != nil {
		b.opt.OnEvent(e)
	}
	now := time.Now()
	for _, q := range queues {
		copies := 1
		if b.opt.Duplicates != nil {
			copies += max(0, b.opt.Duplicates(e, q.target.Function))
		}
		for range copies {
			q.put(ctx, &letter{event: e, payload: payload, since: now})
		}
	}
	return nil
}

// match returns the queues of the targets whose rules match.
func (b *Bus) match(payload []byte) ([]*queue, error) {
	d := documents.Get().(*document)
	defer documents.Put(d)
	if err := d.parse(payload); err != nil {
		return nil, err
	}
	if at, ok := d.member(0, "detail"); !ok || d.nodes[at].kind != kindObject {
		return nil, errors.New("its detail is not a JSON object")
	}
	var queues []*queue
	readOnly := d.readOnlyManagement()
	rules := *b.rules.Load()
	for i, r := range rules {
		if r.wants(d, readOnly) {
			if queues == nil {
				queues = make([]*queue, 0, len(rules)-i)
			}
			queues = append(queues, r.queues...)
		}
	}
	return queues, nil
}

// Close takes no more events and waits until each one put is delivered or a dead letter.
// Nothing waits for a retry any more: what has failed is tried once more at once. When ctx
// ends first, invocations are cancelled and what is left becomes dead letters. The error
// says how many events are lost because there is no folder for dead letters, or it cannot
// be written to. Close may be called again.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	if first {
		close(b.closing)
	}
	b.mu.Unlock()
	stop := context.AfterFunc(ctx, b.cut)
	defer stop()
	b.putting.Wait()
	if first {
		for _, r := range *b.rules.Load() {
			r.retire()
		}
	}
	b.queues.Wait()
	b.cut()
	return b.failures.err()
}
