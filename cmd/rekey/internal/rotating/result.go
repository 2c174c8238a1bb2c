package rotating

import (
	"strconv"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/functionlog"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/output"
)

// Outcome is what came of a rotation.
type Outcome string

// The outcomes.
const (
	Rotated  Outcome = "rotated"
	Failed   Outcome = "failed"
	Waits    Outcome = "waiting"   // for a person, who makes the new key: rekey submit
	UnderWay Outcome = "under way" // it was begun, and is not followed any more
	Passed   Outcome = "passed"    // a rehearsal
	Unknown  Outcome = "unknown"   // a rehearsal that has ended, whose result cannot be read
)

// result is the row of a rotation. Its names are kept: programs read them.
type result struct {
	Secret   string  `json:"secret"`
	ARN      string  `json:"arn"`
	Region   string  `json:"region"`
	Version  string  `json:"version,omitempty"`
	Outcome  Outcome `json:"outcome"`
	Seconds  float64 `json:"seconds"`
	Step     string  `json:"step,omitempty"` // the last that is known of
	Kind     string  `json:"kind,omitempty"` // of a failure, as in the function's log
	Error    string  `json:"error,omitempty"`
	Hint     string  `json:"hint,omitempty"`
	LogGroup string  `json:"log_group,omitempty"`
}

func (r *run) result(s *fleet.Secret) result {
	res := result{Secret: s.Name, ARN: s.ARN, Region: s.Region}
	if s.FunctionARN != "" {
		res.LogGroup = functionlog.Group(s.FunctionARN)
	}
	return res
}

var resultColumns = []output.Column[result]{
	{Name: "secret", Text: func(r result) string { return r.Secret }},
	{Name: "region", Text: func(r result) string { return r.Region }},
	{Name: "outcome", Text: func(r result) string { return string(r.Outcome) }},
	{Name: "seconds", Text: func(r result) string { return strconv.FormatFloat(r.Seconds, 'f', 1, 64) }},
	{Name: "version", Text: func(r result) string { return r.Version }},
	{Name: "step", Text: func(r result) string { return r.Step }},
	{Name: "kind", Text: func(r result) string { return r.Kind }},
	{Name: "error", Text: func(r result) string { return r.Error }},
	{Name: "hint", Text: func(r result) string { return r.Hint }},
	{Name: "log_group", Text: func(r result) string { return r.LogGroup }},
	{Name: "arn", Text: func(r result) string { return r.ARN }},
}

// planned is the row of what --plan shows.
type planned struct {
	Secret   string `json:"secret"`
	ARN      string `json:"arn"`
	Region   string `json:"region"`
	Action   string `json:"action"` // rotate, resume, skip
	Health   string `json:"health"`
	Function string `json:"function,omitempty"`
	Version  string `json:"version,omitempty"` // that is resumed
	Reason   string `json:"reason,omitempty"`  // why it is skipped
}

func plannedOf(s *fleet.Secret, reason error) planned {
	p := planned{Secret: s.Name, ARN: s.ARN, Region: s.Region, Action: "rotate", Health: s.Health.String(), Function: s.Function(), Version: s.Pending}
	switch {
	case reason != nil:
		p.Action, p.Reason = "skip", reason.Error()
	case s.Pending != "":
		p.Action = "resume"
	}
	return p
}

var plannedColumns = []output.Column[planned]{
	{Name: "action", Text: func(p planned) string { return p.Action }},
	{Name: "secret", Text: func(p planned) string { return p.Secret }},
	{Name: "health", Text: func(p planned) string { return p.Health }},
	{Name: "function", Text: func(p planned) string { return p.Function }},
	{Name: "version", Text: func(p planned) string { return p.Version }},
	{Name: "reason", Text: func(p planned) string { return p.Reason }},
}
