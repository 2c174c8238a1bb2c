package audit

import "context"

// Detection is an entry of the catalogue: what to look for, why, and what to do about it.
type Detection struct {
	ID       string   `json:"id"` // stable, in lower case with hyphens; names the playbook
	Title    string   `json:"title"`
	Severity Severity `json:"severity"`
	Needs    []Need   `json:"-"`    // the events it looks at
	When     string   `json:"when"` // the condition, in words
	Why      string   `json:"why"`  // it matters
	Do       string   `json:"do"`   // first
	// Counts is what it counts, in the plural, such as secrets; empty: single events tell.
	Counts string `json:"counts,omitempty"`
	// Controls are the requirements it helps to meet, such as "NIST 800-53r5 AC-2(1)".
	Controls []string `json:"controls,omitempty"`
	// Techniques are MITRE ATT&CK's: https://attack.mitre.org/techniques/
	Techniques []string `json:"techniques,omitempty"`

	// match adds a finding if the event is one; nil: it is no event that tells (see Overdue).
	match func(context.Context, *Detector, *Event) (hit, bool)
}

// Need names events of one form and service.
type Need struct {
	Kind     Kind
	Source   string   // a service, such as SecretsManager
	Names    []string // operations or service events
	ReadOnly bool     // they are read-only management events, which a rule must ask for
}

// Playbook is the path of the detection's page in the repository.
func (d *Detection) Playbook() string { return "docs/playbooks/" + d.ID + ".md" }

// NeedsReads says whether the detection looks at read-only management events. EventBridge
// delivers each read of a secret then, which costs an invocation for a few of them.
func (d *Detection) NeedsReads() bool {
	for _, n := range d.Needs {
		if n.ReadOnly {
			return true
		}
	}
	return false
}

// hit is what a match says beyond the event.
type hit struct {
	many       bool   // it is about no single secret
	counted    int    // by a counting detection
	occasion   string // what is one finding, if not the event: see Finding.Key
	unverified string // why the condition could not be checked
}
