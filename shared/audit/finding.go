package audit

import (
	"fmt"
	"strings"
	"time"
)

// Finding is a detection that found something. It is plain data, and holds no secret's value
// (see Event).
type Finding struct {
	// Key is the same whenever the same thing is found again, in another delivery of the
	// event or by another instance: the event's id and the detection's. For a detection that
	// counts, it is the detection, who is counted, and the window.
	Key string `json:"key"`
	// Incident is the same for all findings of one trouble: of the detection, and the secret
	// (for those that count, who acted). What a later success ends is named by it.
	Incident string `json:"incident"`

	Detection *Detection `json:"detection"`
	Time      time.Time  `json:"time"`
	Secret    Secret     `json:"secret"` // zero if the finding is about none, or many
	Actor     Identity   `json:"actor"`
	Event     Event      `json:"event"` // of Kind Scan if there was none

	// Count is the number of equal findings that this one stands for; at least 1.
	Count int `json:"count"`
	// Counted is what a counting detection has counted so far: secrets, calls or Regions. Then
	// Secret is zero, and Event is the one that reached the limit, or a later one.
	Counted int `json:"counted,omitempty"`
	// Unverified is why the condition could not be checked, such as a state that could not be
	// reached; the finding is forwarded all the same.
	Unverified string `json:"unverified,omitempty"`
	// Due is when an overdue rotation should have happened.
	Due *time.Time `json:"due,omitempty"`
	// Cause is why a rotation failed, if its function's log line could be read.
	Cause *Cause `json:"cause,omitempty"`
	// Resolves are the incidents that this success ends. Then Detection is Recovered, and
	// only sinks that keep incidents open need the finding.
	Resolves []string `json:"resolves,omitempty"`
}

// Cause is what a rotation function said in its own log line.
type Cause struct {
	Step      string `json:"step,omitempty"`
	Kind      string `json:"kind,omitempty"` // see rotation.KindName
	Error     string `json:"error,omitempty"`
	Hint      string `json:"hint,omitempty"`
	RequestID string `json:"requestId,omitempty"` // of the Lambda invocation
}

// Recovered is the Detection of findings that only end others. It is not in the catalogue.
var Recovered = &Detection{
	ID: "recovered", Title: "Rotation works again", Severity: Informational,
	When: "A rotation, or a test of one, succeeds.",
	Why:  "What was found about the secret's rotation before is over.",
	Do:   "Nothing.",
}

// Sentence says what happened in one sentence, for people, without its time.
func (f *Finding) Sentence() string {
	var b strings.Builder
	b.WriteString(f.Detection.Title)
	if f.Counted > 0 {
		fmt.Fprintf(&b, ": %d %s", f.Counted, f.Detection.Counts)
	} else if f.Secret.Name != "" {
		b.WriteString(": " + f.Secret.Name)
	} else if subject := f.Event.Request.subject(); subject != "" {
		b.WriteString(": " + subject)
	}
	if f.Event.Kind == Call {
		fmt.Fprintf(&b, ", %s by %s", f.Event.Name, f.Actor)
	}
	if f.Event.Failed() {
		b.WriteString(" (" + f.Event.ErrorCode + ")")
	}
	if f.Event.Request.Step != "" {
		b.WriteString(" in " + f.Event.Request.Step)
	}
	if f.Due != nil {
		b.WriteString(", due since " + f.Due.UTC().Format("2006-01-02 15:04 MST"))
	}
	return b.String()
}

// subject is what an event without a secret is about.
func (r *Request) subject() string {
	for _, s := range []string{r.Key, r.Trail, r.Rule, r.Function} {
		if s != "" {
			return s
		}
	}
	return ""
}
