package forwarder

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/state"
)

// Sink is a sink and what it is told of.
type Sink struct {
	audit.Sink
	From     audit.Severity
	Optional bool
}

// Account is what the forwarder asks of its AWS account; see package account.
type Account interface {
	// Page is a part of the list of secrets, and where the next begins; empty: nowhere.
	Page(ctx context.Context, from, tag string) (secrets []audit.Metadata, next string, err error)
	// Lines are log events between two times that match a filter pattern.
	Lines(ctx context.Context, group, pattern string, from, to time.Time, most int32) ([]string, error)
	// Bury sends a message to a queue.
	Bury(ctx context.Context, queue, message string) error
}

// Forwarder takes events to sinks. Set its fields before the first call of Handle, which is
// safe for several goroutines.
//
// What it guarantees: an event that Handle has taken without an error is with every sink that
// must have its findings. Each finding goes to each sink once, except where a function dies, or
// the state cannot be written, between the sink's answer and the note of it: then it goes there
// again when the event is delivered again, and what tells the two apart is the finding's key
// (PagerDuty, Security Hub, FIFO topics and receivers of webhooks do; Slack, Teams and other
// topics show it twice). While the state cannot be reached at all, findings are forwarded all
// the same, and say that they may come more than once.
type Forwarder struct {
	Detector *audit.Detector
	State    *state.Book
	Sinks    []Sink
	Account  Account
	Decoys   *Decoys // nil: none are marked by a tag

	Window      time.Duration     // see Settings
	LogGroups   map[string]string // see Settings
	DeadLetters string            // the URL of a queue; empty: there is none

	Log *slog.Logger
	Now func() time.Time // the clock; time.Now if nil
	// Misconfigured, if it is not nil, is what every call fails with.
	Misconfigured error
}

func (f *Forwarder) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}

// margin is kept back from the deadline, twice: so that what was done is noted, and so that
// what was not is told rather than cut off.
const margin = time.Second

func keepBack(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return ctx, func() {}
}

// Handle takes what invokes the function: an event of EventBridge, a batch of them from SQS, or
// the schedule ("Scheduled Event" of aws.events or aws.scheduler). Of a batch it answers what
// is to be delivered again; an error says that of what is not a batch. What is no event goes
// to the dead letters with the reason.
func (f *Forwarder) Handle(ctx context.Context, payload json.RawMessage) (any, error) {
	if f.Misconfigured != nil {
		return nil, f.failed(ctx, "configuration", f.Misconfigured)
	}
	ctx, cancel := keepBack(ctx)
	defer cancel()
	f.Decoys.refresh(ctx, f)
	in := parse(payload)
	switch {
	case in.scheduled():
		return nil, f.failed(ctx, "schedule", f.scheduled(ctx))
	case in.Records == nil:
		return nil, f.failed(ctx, "event", f.forward(ctx, []delivery{{body: payload}})[0])
	}
	answer := batchAnswer{Failures: []failure{}}
	deliveries := make([]delivery, len(in.Records))
	for n, r := range in.Records {
		deliveries[n] = delivery{body: []byte(r.Body)}
	}
	for n, err := range f.forward(ctx, deliveries) {
		if f.failed(ctx, "event", err) != nil {
			answer.Failures = append(answer.Failures, failure{in.Records[n].MessageID})
		}
	}
	return answer, nil
}
