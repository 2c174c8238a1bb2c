// Package functionlog reads what rotation functions log of the rotations that a command
// follows: which step was done, and why one failed. See docs/state-machine.md for the line.
package functionlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
)

// Line is a step's, as the function logged it. The zero Line is none.
type Line struct {
	Time      time.Time `json:"time"`
	Step      string    `json:"step"`
	Version   string    `json:"version"`
	Outcome   string    `json:"outcome"`
	Kind      string    `json:"kind"`
	Error     string    `json:"error"`
	Hint      string    `json:"hint"`
	RequestID string    `json:"request_id"`
}

// Outcomes of a line that are not the step's success.
const (
	Failed  = "failed"
	Waiting = "waiting"
)

// Story is what is known of one rotation.
type Story struct {
	Last     Line
	Failure  Line // the last; a further try may have begun since
	Failures int  // invocations that failed
}

// Enough failures are one that stays, whatever their kind.
const Enough = 3

// transient are the kinds of failure that the next try of Secrets Manager may mend.
var transient = []string{"unreachable", "throttled", "vendor", "busy", "not_found", "internal"}

// Stays tells whether another try will not mend the rotation.
func (s Story) Stays() bool {
	return s.Failures >= Enough || s.Failures > 0 && !slices.Contains(transient, s.Failure.Kind)
}

// Group is the log group of a function, given by its ARN.
func Group(functionARN string) string { return "/aws/lambda/" + fleet.FunctionName(functionARN) }

// Reader reads the logs of functions while someone follows one of their versions. Make one
// with New, and run it. It is safe for concurrent use.
type Reader struct {
	api   cloudwatchlogs.FilterLogEventsAPIClient
	every time.Duration

	mu     sync.Mutex
	groups map[string]*group
}

type group struct {
	from     time.Time                            // lines before are not asked for
	rest     *cloudwatchlogs.FilterLogEventsInput // what the last reading did not come to; nil: nothing
	versions map[string]*seen
	failure  error // of the last reading
	denied   bool
}

type seen struct {
	story    Story
	past     Past
	requests map[string]bool // that failed, by their ids
}

// Past is what a version has behind it when it is followed. The zero Past is nothing.
type Past struct {
	requests map[string]bool // invocations, by their ids
	until    time.Time       // lines before are of then too: the log was not read to its end
}

func (p Past) has(l Line) bool { return p.requests[l.RequestID] || l.Time.Before(p.until) }

// New makes a reader that asks CloudWatch Logs as often as every, for one log group at a time:
// an account may ask five times a second in all, and others do too.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
func New(api cloudwatchlogs.FilterLogEventsAPIClient, every time.Duration) *Reader {
	return &Reader{api: api, every: every, groups: map[string]*group{}}
}

// Past are the invocations that a version has behind it. Follow leaves them out, so that the
// failures of an earlier try are not taken for news. Where the log is not read, as when too many
// ask at once, the clock tells, as well as this machine's goes.
func (r *Reader) Past(ctx context.Context, functionARN, version string, now time.Time) Past {
	past := Past{requests: map[string]bool{}}
	if functionARN == "" || !versionForm.MatchString(version) {
		return past
	}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(r.api, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: aws.String(Group(functionARN)), StartTime: aws.Int64(now.Add(-time.Hour).UnixMilli()),
		FilterPattern: aws.String(fmt.Sprintf(`{ ($.msg = "rotation step") && ($.version = %q) }`, version)),
	})
	for n := 0; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(ctx)
		if err != nil || n == mostPages {
			past.until = now
			return past
		}
		for _, e := range page.Events {
			var l Line
			if json.Unmarshal([]byte(aws.ToString(e.Message)), &l) == nil && l.RequestID != "" {
				past.requests[l.RequestID] = true
			}
		}
	}
	return past
}

// versionForm is that of a version's id, which goes into a filter pattern.
var versionForm = regexp.MustCompile(`^[A-Za-z0-9-]{32,64}$`)

// skew is how much this machine's clock may be ahead of AWS's.
const skew = 5 * time.Minute

// Follow has lines about a version, from a time on, read until the function that it returns is
// called. A secret without a function has no lines.
func (r *Reader) Follow(functionARN, version string, since time.Time, past Past) (stop func()) {
	if functionARN == "" {
		return func() {}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	name := Group(functionARN)
	g := r.groups[name]
	if g == nil {
		g = &group{versions: map[string]*seen{}}
		r.groups[name] = g
	}
	if len(g.versions) == 0 {
		g.from, g.rest = since.Add(-skew), nil
	}
	g.versions[version] = &seen{past: past, requests: map[string]bool{}}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(g.versions, version)
	}
}

// Story is what was read so far about a version that is followed; the error says why the log
// cannot be read.
func (r *Reader) Story(functionARN, version string) (Story, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.groups[Group(functionARN)]
	if g == nil {
		return Story{}, nil
	}
	if s := g.versions[version]; s != nil {
		return s.story, g.failure
	}
	return Story{}, g.failure
}

// Run reads until ctx ends.
func (r *Reader) Run(ctx context.Context) {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		for _, name := range r.due() {
			r.read(ctx, name)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// due are the groups of which lines are awaited.
func (r *Reader) due() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, g := range r.groups {
		if len(g.versions) > 0 && !g.denied {
			names = append(names, name)
		}
	}
	return names
}

const (
	pattern = `{ $.msg = "rotation step" }`
	// lag is how late a line may appear, behind others: so much is read again.
	lag = 30 * time.Second
	// mostPages of one reading; the rest is read with the next.
	mostPages = 20
)

func (r *Reader) read(ctx context.Context, name string) {
	r.mu.Lock()
	g := r.groups[name]
	in := g.rest
	if in == nil {
		in = &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: &name, FilterPattern: aws.String(pattern), StartTime: aws.Int64(g.from.Add(-lag).UnixMilli()),
		}
	}
	r.mu.Unlock()
	for range mostPages {
		page, err := r.api.FilterLogEvents(ctx, in)
		if ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		g.failure = account.Explain(ctx, "FilterLogEvents of "+name, err)
		var refused smithy.APIError
		g.denied = errors.As(err, &refused) && strings.HasPrefix(refused.ErrorCode(), "AccessDenied")
		g.rest = nil
		if err == nil {
			for _, e := range page.Events {
				g.take(aws.ToString(e.Message), time.UnixMilli(aws.ToInt64(e.Timestamp)))
			}
			if aws.ToString(page.NextToken) != "" { // a token goes with the beginning that it is of
				in.NextToken, g.rest = page.NextToken, in
			}
		}
		more := g.rest != nil
		r.mu.Unlock()
		if !more {
			return // what is not there yet, or throttled, is asked for again
		}
	}
}

// take adds a line to the story of its version. It may come again, and out of order.
func (g *group) take(text string, at time.Time) {
	var l Line
	if json.Unmarshal([]byte(text), &l) != nil {
		return
	}
	if at.After(g.from) {
		g.from = at
	}
	s := g.versions[l.Version]
	if s == nil || s.past.has(l) {
		return
	}
	if l.Outcome == Failed {
		s.requests[l.RequestID] = true
		s.story.Failures = len(s.requests)
		if !l.Time.Before(s.story.Failure.Time) {
			s.story.Failure = l
		}
	}
	if !l.Time.Before(s.story.Last.Time) {
		s.story.Last = l
	}
}
