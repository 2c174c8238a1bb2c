package eventbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Event is an event as EventBridge hands it to a target:
// https://docs.aws.amazon.com/eventbridge/latest/ref/overview-event-structure.html
type Event struct {
	Version    string          `json:"version"` // "0"
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       time.Time       `json:"time"` // to the second, in UTC
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"` // empty, not null, if there are none
	Detail     json.RawMessage `json:"detail"`    // a JSON object
}

// MaxEvent is the size of the largest event, in bytes:
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const MaxEvent = 256 << 10

// JSON is the event in one line, with what every event has set: version, resources, and a
// time to the second in UTC.
func (e Event) JSON() ([]byte, error) {
	e.Version = "0"
	e.Time = e.Time.UTC().Truncate(time.Second)
	if e.Resources == nil {
		e.Resources = []string{}
	}
	b, err := json.Marshal(e)
	switch {
	case err != nil:
		return nil, fmt.Errorf("encoding the event %s: its detail is not JSON", e.ID)
	case len(b) > MaxEvent:
		return nil, fmt.Errorf("encoding the event %s: it is longer than %d bytes", e.ID, MaxEvent)
	}
	return b, nil
}

// CallViaCloudTrail is the detail-type of the API calls that CloudTrail records.
const CallViaCloudTrail = "AWS API Call via CloudTrail"

// readOnlyManagement says whether an event is one that only rules in the state
// EnabledWithAllManagementEvents get:
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
func (d *document) readOnlyManagement() bool {
	detailType, ok := d.member(0, "detail-type")
	if !ok || d.nodes[detailType].kind != kindString || string(d.string(detailType)) != CallViaCloudTrail {
		return false
	}
	detail, _ := d.member(0, "detail") // match has seen it
	if managed, ok := d.member(detail, "managementEvent"); ok && d.nodes[managed].kind == kindFalse {
		return false
	}
	readOnly, ok := d.member(detail, "readOnly")
	return ok && d.nodes[readOnly].kind == kindTrue
}

// State says which events a rule gets.
type State string

// The states of a rule: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Rule.html
const (
	Enabled                        State = "ENABLED" // all but read-only management events of CloudTrail
	Disabled                       State = "DISABLED"
	EnabledWithAllManagementEvents State = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
)

// Rule sends the events that match to its targets.
type Rule struct {
	Name    string // unique on the bus
	Pattern string // see the package's documentation
	State   State  // Enabled if empty
	Targets []Target
}

// Target is a function that gets events.
type Target struct {
	ID       string // unique in the rule; the function's name if empty
	Function string // a name or an ARN that the bus's Invoker knows
	Retry    Retry
}

// Retry is how long a delivery is tried. A field that is zero is the bus's.
type Retry struct {
	Attempts int           // in all, the first included
	MaxAge   time.Duration // of the event since it was put; no attempt begins later
}

// Invoker runs functions; *lambda.Registry is one. Implementations must be safe for
// concurrent use.
type Invoker interface {
	Invoke(ctx context.Context, function string, payload []byte) (response []byte, err error)
}

// InvokerFunc makes an Invoker of a Go function.
type InvokerFunc func(ctx context.Context, function string, payload []byte) ([]byte, error)

// Invoke calls f.
func (f InvokerFunc) Invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	return f(ctx, function, payload)
}

// compiledRule is a rule in force. It never changes.
type compiledRule struct {
	Rule
	pattern *Pattern
	queues  []*queue // of its targets
}

func (r *compiledRule) wants(d *document, readOnly bool) bool {
	switch r.State {
	case Disabled:
		return false
	case Enabled:
		return !readOnly && r.pattern.matches(d)
	}
	return r.pattern.matches(d)
}

func compileRule(r Rule) (*compiledRule, error) {
	if r.Name == "" {
		return nil, errors.New("a rule needs a name")
	}
	if r.State == "" {
		r.State = Enabled
	}
	if r.State != Enabled && r.State != Disabled && r.State != EnabledWithAllManagementEvents {
		return nil, fmt.Errorf("rule %q: %q is no state: give %s, %s or %s", r.Name, r.State, Enabled, Disabled, EnabledWithAllManagementEvents)
	}
	p, err := Compile([]byte(r.Pattern))
	if err != nil {
		return nil, fmt.Errorf("rule %q: %w", r.Name, err)
	}
	targets := make([]Target, len(r.Targets))
	ids := map[string]bool{}
	for i, t := range r.Targets {
		if t.ID == "" {
			t.ID = t.Function
		}
		switch {
		case t.Function == "":
			return nil, fmt.Errorf("rule %q: target %d names no function", r.Name, i+1)
		case ids[t.ID]:
			return nil, fmt.Errorf("rule %q: two targets have the id %q", r.Name, t.ID)
		case t.Retry.Attempts < 0 || t.Retry.MaxAge < 0:
			return nil, fmt.Errorf("rule %q: target %q: a negative limit of retries", r.Name, t.ID)
		}
		ids[t.ID], targets[i] = true, t
	}
	r.Targets = targets
	return &compiledRule{Rule: r, pattern: p}, nil
}
