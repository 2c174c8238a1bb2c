package sink

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/rekey-aws/rekey/shared/audit"
)

// PagerDuty triggers alerts with Events API v2, and resolves them when the trouble is over:
// https://developer.pagerduty.com/docs/events-api-v2-overview
//
// Its deduplication key is the finding's incident: PagerDuty keeps one alert of it open,
// however often it is triggered.
type PagerDuty struct{ chat }

// NewPagerDuty makes the sink; the secret's value is {"routingKey": "…"}, and with a url for
// another service region than the US.
func NewPagerDuty(name, secret string, o Options) *PagerDuty {
	return &PagerDuty{newChat(name, secret, o, nil)}
}

// enqueue is the address in the US service region:
// https://support.pagerduty.com/main/docs/service-regions
const enqueue = "https://events.pagerduty.com/v2/enqueue"

// The limits of an event.
const (
	longestSummary = 1024
	longestDedup   = 255
)

type pagerEvent struct {
	RoutingKey string        `json:"routing_key"`
	Action     string        `json:"event_action"`
	DedupKey   string        `json:"dedup_key"`
	Client     string        `json:"client,omitempty"`
	Payload    *pagerPayload `json:"payload,omitempty"`
	Links      []pagerLink   `json:"links,omitempty"`
}

type pagerPayload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp string            `json:"timestamp"`
	Class     string            `json:"class"`
	Component string            `json:"component,omitempty"`
	Group     string            `json:"group,omitempty"`
	Details   map[string]string `json:"custom_details"`
}

type pagerLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// pagerSeverities are PagerDuty's words, from informational to critical.
var pagerSeverities = [...]string{"info", "info", "warning", "error", "critical"}

// Deliver sends an event for each finding, or for each incident that one resolves, and stops at
// the first that is not accepted.
func (p *PagerDuty) Deliver(ctx context.Context, findings []audit.Finding) error {
	for _, f := range findings {
		for _, e := range p.events(f) {
			if err := p.enqueue(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *PagerDuty) events(f audit.Finding) []pagerEvent {
	var all []pagerEvent
	for _, incident := range f.Resolves {
		all = append(all, pagerEvent{Action: "resolve", DedupKey: dedup(incident)})
	}
	if len(f.Resolves) > 0 {
		return all
	}
	m := Describe(f, p.playbooks)
	payload := &pagerPayload{
		Summary: clip(m.What, longestSummary), Source: "secretsmanager", Severity: pagerSeverities[m.Severity],
		Timestamp: stamp(f.Time), Class: f.Detection.ID, Component: f.Secret.Name, Group: f.Secret.Account,
		Details: map[string]string{"Why it matters": m.Why, "What to do": m.Do},
	}
	for _, fact := range m.Facts {
		payload.Details[fact.Name] = fact.Text
	}
	if len(m.Notes) > 0 {
		payload.Details["Note"] = m.Notes[0]
	}
	e := pagerEvent{Action: "trigger", DedupKey: dedup(f.Incident), Client: "rekey", Payload: payload}
	if m.Playbook != "" {
		e.Links = append(e.Links, pagerLink{m.Playbook, "Playbook"})
	}
	if m.Console != "" {
		e.Links = append(e.Links, pagerLink{m.Console, "Console"})
	}
	return append(all, e)
}

func (p *PagerDuty) enqueue(ctx context.Context, e pagerEvent) error {
	return p.send(ctx, func(anew bool) (message, error) {
		a, err := open(ctx, p.secrets, p.secret, anew)
		if err != nil {
			return message{}, err
		}
		if a.RoutingKey == "" {
			return message{}, badSecret("has no routingKey")
		}
		to, err := pagerTarget(a)
		if err != nil {
			return message{}, err
		}
		e.RoutingKey = a.RoutingKey
		body, err := json.Marshal(e)
		return message{to: to, header: http.Header{}, body: body}, err
	})
}

func pagerTarget(a address) (*url.URL, error) {
	if a.URL == "" {
		return url.Parse(enqueue)
	}
	return a.target(false)
}

// dedup is an incident as a key of limited length.
func dedup(incident string) string {
	if len(incident) <= longestDedup {
		return incident
	}
	sum := sha256.Sum256([]byte(incident))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
