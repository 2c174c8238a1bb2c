package audit

import (
	"encoding/json"
	"slices"
	"strings"
)

// Rule is an EventBridge rule that brings events to the forwarder.
type Rule struct {
	Name        string // unique, such as secretsmanager-calls; who deploys it may put a prefix before it
	Description string
	Pattern     string // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
	// State is ENABLED, or ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS for a rule that needs
	// read-only management events.
	State string
}

// The states of rules: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Rule.html
const (
	RuleEnabled          = "ENABLED"
	RuleEnabledWithReads = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
)

// Rules are the rules that the given detections need, in the order of their names: one for
// each service and form of event. Leave out detections that need reads
// ([Detection.NeedsReads]) to leave out the rule that gets them.
func Rules(detections []*Detection) []Rule {
	names := map[group][]string{}
	for _, d := range detections {
		for _, n := range d.Needs {
			if n.Kind == Scan {
				continue // no event: a schedule
			}
			g := group{n.Source, n.Kind, n.ReadOnly}
			names[g] = append(names[g], n.Names...)
		}
	}
	rules := make([]Rule, 0, len(names))
	for g, list := range names {
		slices.Sort(list)
		rules = append(rules, g.rule(slices.Compact(list)))
	}
	slices.SortFunc(rules, func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
	return rules
}

// group is what one rule can select.
type group struct {
	source   string
	kind     Kind
	readOnly bool
}

// detailTypes are what EventBridge calls the forms.
var detailTypes = map[Kind]string{
	Call:         "AWS API Call via CloudTrail",
	ServiceEvent: "AWS Service Event via CloudTrail",
	LabelUpdated: "Secret Label Updated",
}

func (g group) rule(names []string) Rule {
	service := strings.TrimSuffix(g.source, ".amazonaws.com")
	type detail struct {
		EventSource []string `json:"eventSource"`
		EventName   []string `json:"eventName"`
	}
	pattern, err := json.Marshal(struct {
		Source     []string `json:"source"`
		DetailType []string `json:"detail-type"`
		Detail     detail   `json:"detail"`
	}{[]string{"aws." + service}, []string{detailTypes[g.kind]}, detail{[]string{g.source}, names}})
	if err != nil {
		panic(err) // strings are always JSON
	}
	r := Rule{Pattern: string(pattern), State: RuleEnabled}
	switch {
	case g.readOnly:
		r.Name, r.State = service+"-reads", RuleEnabledWithReads
		r.Description = "Reads of secrets, for rekey's detections"
	case g.kind == ServiceEvent:
		r.Name, r.Description = service+"-events", "What "+service+" did by itself, for rekey's detections"
	default:
		r.Name, r.Description = service+"-calls", "Changes at "+service+", for rekey's detections"
	}
	return r
}
