package secretsmanager

import (
	"context"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Fault is a failure on purpose. The zero value is none.
type Fault struct {
	Kind  FaultKind
	Delay time.Duration // before the call is executed, whatever the Kind
}

// FaultKind says how a call fails.
type FaultKind int

// The kinds of fault.
const (
	NoFault     FaultKind = iota
	Throttle              // ThrottlingException, HTTP 400; not executed
	ServerError           // InternalServiceError, HTTP 500; not executed
	Drop                  // the connection closes without an answer; not executed
	LoseReply             // executed, then the connection closes without an answer
)

// FaultRule makes calls fail, or wait, by rule. The zero value of a field asks for nothing.
// [ParseFaults] reads rules from text.
type FaultRule struct {
	Operations []string // that the rule is for; none: all

	// Kind befalls the Nth call of each operation, counted from 1, and a Share of all calls,
	// from 0 to 1. A share is kept evenly and repeatably: 0.05 is one call in each twenty.
	Kind  FaultKind
	Share float64
	Nth   int

	// Rate is how many calls a second the Operations may have together, in one account and
	// Region; beyond it they are throttled. As much as one second's calls may come at once.
	Rate float64

	// Each call waits from Latency to MaxLatency, or Latency if that is less.
	Latency, MaxLatency time.Duration
}

func (f Fault) wait(ctx context.Context) {
	if f.Delay > 0 {
		pause(ctx, f.Delay)
	}
}

// before is the error in place of execution, if the fault comes before it.
func (f Fault) before() error {
	switch f.Kind {
	case Throttle:
		return apiErr("ThrottlingException", "Rate exceeded")
	case ServerError, Drop:
		return &apiError{code: "InternalServiceError", status: http.StatusInternalServerError, message: "An error occurred on the server side."}
	}
	return nil
}

func (f Fault) drops() bool { return f.Kind == Drop || f.Kind == LoseReply }

// faults numbers the calls of each operation, and measures their rates.
type faults struct {
	rules []FaultRule

	mu      sync.Mutex
	n       map[string]int
	buckets map[bucketOf]*bucket
}

type bucketOf struct {
	rule int
	at   place
}

// bucket holds what is left of a rate: it fills again as time goes by.
type bucket struct {
	left float64
	at   time.Time
}

// next chooses the fault of a call: what choose says, else what the first rule says that has a
// say. Latencies add up.
func (f *faults) next(choose func(string, int) Fault, c *caller) Fault {
	if choose == nil && len(f.rules) == 0 || operations[c.operation] == nil {
		return Fault{}
	}
	f.mu.Lock()
	if f.n == nil {
		f.n, f.buckets = map[string]int{}, map[bucketOf]*bucket{}
	}
	f.n[c.operation]++
	n := f.n[c.operation]
	fault := Fault{}
	for i, rule := range f.rules {
		if len(rule.Operations) > 0 && !slices.Contains(rule.Operations, c.operation) {
			continue
		}
		fault.Delay += rule.delay(n)
		if fault.Kind == NoFault {
			fault.Kind = f.kind(i, n, c.place)
		}
	}
	f.mu.Unlock()
	if choose != nil {
		chosen := choose(c.operation, n)
		fault.Delay += chosen.Delay
		if chosen.Kind != NoFault {
			fault.Kind = chosen.Kind
		}
	}
	return fault
}

func (f *faults) kind(i, n int, at place) FaultKind {
	rule := f.rules[i]
	switch {
	case rule.Nth == n, falls(rule.Share, n, i):
		return rule.Kind
	case rule.Rate == 0:
		return NoFault
	}
	b := f.buckets[bucketOf{i, at}]
	now := time.Now()
	if b == nil {
		b = &bucket{left: math.Max(rule.Rate, 1), at: now}
		f.buckets[bucketOf{i, at}] = b
	}
	b.left = math.Min(b.left+now.Sub(b.at).Seconds()*rule.Rate, math.Max(rule.Rate, 1))
	b.at = now
	if b.left < 1 {
		return Throttle
	}
	b.left--
	return NoFault
}

// falls spreads a share of the calls evenly, and the shares of several rules apart.
func falls(share float64, n, rule int) bool {
	shift := math.Mod(float64(rule)*math.Phi, 1)
	return math.Floor(float64(n)*share+shift) > math.Floor(float64(n-1)*share+shift)
}

// delay goes up and down evenly between the two latencies.
func (r FaultRule) delay(n int) time.Duration {
	if r.MaxLatency <= r.Latency {
		return r.Latency
	}
	return r.Latency + time.Duration(math.Mod(float64(n)*math.Phi, 1)*float64(r.MaxLatency-r.Latency))
}
