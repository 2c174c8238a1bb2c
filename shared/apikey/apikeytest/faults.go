package apikeytest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Fate is what becomes of one effect: a call of the vendor, of Secrets Manager or of
// the scheduler.
type Fate int

// Healthy: the effect happens. The others are the faults.
const (
	Healthy      Fate = iota
	NoConnection      // certainly not done, and the caller knows
	NotDone           // not done; the caller cannot tell
	ReplyLost         // done; the caller cannot tell
	KilledBefore      // the process dies before it
	KilledAfter       // the process dies after it
	Throttled         // this call and all others of the vendor or store are throttled until the step ends
	Failed            // not done, and the other side says that it failed
	FailedAfter       // done, and the other side says that it failed
	LateBefore        // not done, because the time is over
	LateAfter         // done, and the reply comes when the time is over
	TwiceBefore       // the same step runs a second time, from start to end, just before it
	TwiceAfter        // the same, just after it
)

// Fates are all faults.
var Fates = []Fate{NoConnection, NotDone, ReplyLost, KilledBefore, KilledAfter, Throttled, Failed, FailedAfter, LateBefore, LateAfter, TwiceBefore, TwiceAfter}

// String says the fate as tables do.
func (f Fate) String() string {
	return [...]string{
		"healthy", "no connection", "not done", "reply lost", "killed before", "killed after", "throttled", "failed", "failed after",
		"late", "late after", "twice, before", "twice, after",
	}[f]
}

// side is who is called.
type side string

const (
	vendorSide side = "vendor"
	storeSide  side = "Secrets Manager"
	planSide   side = "scheduler"
)

// line decides the fate of each effect of a [World]. One fault is planned at a time.
type line struct {
	effects   []string
	at        int // the effect that meets fate; from 0
	fate      Fate
	met       bool
	throttled side   // who throttles until the step ends
	cancel    func() // ends the step's time
	again     func() // runs the step a second time
	quiet     int    // more than 0: a second run, which meets no faults
	after     func(name string)
}

// next records an effect and tells its fate.
func (l *line) next(from side, name string) Fate {
	if l.quiet > 0 {
		return Healthy
	}
	l.effects = append(l.effects, fmt.Sprintf("%s: %s", from, name))
	if l.throttled == from {
		return Throttled
	}
	if l.fate == Healthy || len(l.effects) != l.at+1 {
		return Healthy
	}
	l.met = true
	return l.fate
}

// replies are the forms that faults have on one side.
type replies[T any] struct {
	lost      func() (T, error) // nothing came back
	unsent    func() (T, error) // and the caller knows that nothing was sent
	throttled func() (T, error)
	failed    func() (T, error)
}

// meet carries out one effect as its fate has it.
func meet[T any](ctx context.Context, l *line, from side, name string, r replies[T], do func() (T, error)) (T, error) {
	if ctx.Err() != nil {
		return r.unsent()
	}
	done := func() (T, error) {
		v, err := do()
		if l.after != nil {
			l.after(name)
		}
		return v, err
	}
	switch l.next(from, name) {
	case NoConnection:
		return r.unsent()
	case NotDone:
		return r.lost()
	case ReplyLost:
		_, _ = done()
		return r.lost()
	case KilledBefore:
		runtime.Goexit()
	case KilledAfter:
		_, _ = done()
		runtime.Goexit()
	case Throttled:
		l.throttled = from
		return r.throttled()
	case Failed:
		return r.failed()
	case FailedAfter:
		_, _ = done()
		return r.failed()
	case LateBefore:
		l.cancel()
		return r.lost()
	case LateAfter:
		_, _ = done()
		l.cancel()
		return r.lost()
	case TwiceBefore:
		l.again()
	case TwiceAfter:
		v, err := done()
		l.again()
		return v, err
	}
	return done()
}

// toVendor is a way to the vendor: [declarative.Sender].
func (w *World) toVendor(ctx context.Context, r *http.Request) (outbound.Answer, error) {
	status := func(code int, headers ...string) func() (outbound.Answer, error) {
		h := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return func() (outbound.Answer, error) { return outbound.Answer{Status: code, Header: h}, nil }
	}
	lost := fmt.Errorf("%s: the connection broke: %w", r.URL.Host, rotation.ErrUnreachable)
	faults := replies[outbound.Answer]{
		lost:      func() (outbound.Answer, error) { return outbound.Answer{}, lost },
		unsent:    func() (outbound.Answer, error) { return outbound.Answer{}, apikey.NotSent(lost) },
		throttled: status(http.StatusTooManyRequests, "Retry-After", "2"),
		failed:    status(http.StatusServiceUnavailable),
	}
	return meet(ctx, &w.line, vendorSide, r.Method+" "+r.URL.Path, faults, func() (outbound.Answer, error) {
		// The transport reads the body once; here a lost request is not read at all.
		response, err := w.Vendor.RoundTrip(r)
		if err != nil {
			return outbound.Answer{}, fmt.Errorf("%w: %w", err, rotation.ErrUnreachable)
		}
		defer response.Body.Close()
		var body bytes.Buffer
		_, err = io.Copy(&body, response.Body)
		return outbound.Answer{Status: response.StatusCode, Header: response.Header, Body: body.Bytes()}, err
	})
}

// toStore passes a call of Secrets Manager through the line.
func toStore[T any](ctx context.Context, w *World, name string, do func() (T, error)) (T, error) {
	fault := func(kind error) func() (T, error) {
		return func() (none T, err error) { return none, fmt.Errorf("%s: %w", name, kind) }
	}
	lost := fault(rotation.ErrUnreachable)
	return meet(ctx, &w.line, storeSide, name, replies[T]{lost, lost, fault(rotation.ErrThrottled), fault(rotation.ErrVendor)}, do)
}

// store is the world's store, with faults.
type store struct{ *World }

func (s store) Describe(ctx context.Context, id string) (rotation.Metadata, error) {
	return toStore(ctx, s.World, "Describe", func() (rotation.Metadata, error) { return s.Store.Describe(ctx, id) })
}

func (s store) Get(ctx context.Context, id string, v rotation.Version) (rotation.Stored, error) {
	return toStore(ctx, s.World, "Get "+v.Stage, func() (rotation.Stored, error) { return s.Store.Get(ctx, id, v) })
}

func (s store) Put(ctx context.Context, r rotation.Rotation, v rotation.Value) error {
	return s.do(ctx, "Put", func() error {
		err := s.Store.Put(ctx, r, v)
		s.put[s.secretOf(v)] = s.put[s.secretOf(v)] || err == nil
		return err
	})
}

func (s store) Promote(ctx context.Context, r rotation.Rotation, from string) error {
	return s.do(ctx, "Promote", func() error {
		err := s.Store.Promote(ctx, r, from)
		if err == nil {
			s.Store.Rotated = s.Clock.Now()
		}
		return err
	})
}

func (s store) Claim(ctx context.Context, r rotation.Rotation, id string, note rotation.Value) error {
	return s.do(ctx, "Claim", func() error { return s.Store.Claim(ctx, r, id, note) })
}

func (s store) Unlabelled(ctx context.Context, id string) ([]string, error) {
	return toStore(ctx, s.World, "Unlabelled", func() ([]string, error) { return s.Store.Unlabelled(ctx, id) })
}

func (s store) do(ctx context.Context, name string, effect func() error) error {
	_, err := toStore(ctx, s.World, name, func() (struct{}, error) { return struct{}{}, effect() })
	return err
}

// planner is the world's scheduler, with faults.
type planner struct{ *World }

func (p planner) Plan(ctx context.Context, r rotation.Retirement) error {
	fault := func(kind error) func() (struct{}, error) {
		return func() (struct{}, error) { return struct{}{}, fmt.Errorf("planning: %w", kind) }
	}
	lost := fault(rotation.ErrUnreachable)
	faults := replies[struct{}]{lost, lost, fault(rotation.ErrThrottled), fault(rotation.ErrVendor)}
	_, err := meet(ctx, &p.line, planSide, "Plan", faults, func() (struct{}, error) { return struct{}{}, p.Planner.Plan(ctx, r) })
	return err
}
