package sink

import (
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
)

// Alert is a finding as webhooks get it, and the input of their templates. Members are added,
// not changed.
type Alert struct {
	Version   string         `json:"version"` // "1"
	Action    string         `json:"action"`  // alert, or resolve: what the incidents named were is over
	Key       string         `json:"key"`     // the same whenever the same finding is sent again
	Incident  string         `json:"incident"`
	Resolves  []string       `json:"resolves,omitempty"` // incidents
	Detection string         `json:"detection"`          // its id
	Severity  audit.Severity `json:"severity"`
	Title     string         `json:"title"`
	What      string         `json:"what"`
	Why       string         `json:"why"`
	Do        string         `json:"do"`
	Time      time.Time      `json:"time"`
	Count     int            `json:"count"`
	Counted   int            `json:"counted,omitempty"`
	Secret    *audit.Secret  `json:"secret,omitempty"`
	Actor     *actor         `json:"actor,omitempty"`
	Event     event          `json:"event"`
	Cause     *audit.Cause   `json:"cause,omitempty"`
	Due       *time.Time     `json:"due,omitempty"`
	Notes     []string       `json:"notes,omitempty"`
	Playbook  string         `json:"playbook,omitempty"`
	Console   string         `json:"console,omitempty"`
	Text      string         `json:"text"` // all of it for people, in lines
}

type actor struct {
	audit.Identity
	Text string `json:"text"` // for people
}

type event struct {
	ID        string     `json:"id"`
	Kind      audit.Kind `json:"kind"`
	Name      string     `json:"name"`
	Account   string     `json:"account,omitempty"`
	Region    string     `json:"region,omitempty"`
	SourceIP  string     `json:"sourceIp,omitempty"`
	RequestID string     `json:"requestId,omitempty"`
	ErrorCode string     `json:"errorCode,omitempty"`
}

// NewAlert makes the document of a finding; see [Describe] for playbooks.
func NewAlert(f audit.Finding, playbooks string) Alert {
	m := Describe(f, playbooks)
	a := Alert{
		Version: "1", Action: "alert", Key: f.Key, Incident: f.Incident, Resolves: f.Resolves, Detection: f.Detection.ID,
		Severity: f.Detection.Severity, Title: m.Title, What: m.What, Why: m.Why, Do: m.Do, Time: f.Time, Count: f.Count,
		Counted: f.Counted, Cause: f.Cause, Due: f.Due, Notes: m.Notes, Playbook: m.Playbook, Console: m.Console, Text: m.Text(),
		Event: event{f.Event.ID, f.Event.Kind, f.Event.Name, f.Event.Account, f.Event.Region, f.Event.SourceIP, f.Event.RequestID, f.Event.ErrorCode},
	}
	if m.Over {
		a.Action = "resolve"
	}
	if f.Secret.Name != "" {
		a.Secret = &f.Secret
	}
	if f.Event.Kind == audit.Call {
		a.Actor = &actor{f.Actor, f.Actor.String()}
	}
	return a
}
