package status

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/output"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// row is a secret's. Its names are kept: programs read them.
type row struct {
	Secret       string              `json:"secret"`
	ARN          string              `json:"arn"`
	Region       string              `json:"region"`
	Health       fleet.Health        `json:"health"`
	Since        time.Time           `json:"since,omitzero"`
	Strategy     string              `json:"strategy,omitempty"`
	Function     string              `json:"function,omitempty"` // its ARN
	Owner        string              `json:"owner,omitempty"`
	Rotates      bool                `json:"rotates"`
	LastRotated  time.Time           `json:"last_rotated,omitzero"`
	NextRotation time.Time           `json:"next_rotation,omitzero"`
	LastChanged  time.Time           `json:"last_changed,omitzero"`
	Deleted      time.Time           `json:"deleted,omitzero"`
	Pending      string              `json:"pending,omitempty"`
	Labels       map[string][]string `json:"labels,omitempty"`
	Tags         map[string]string   `json:"tags,omitempty"`

	labels []string
}

func rowOf(s *fleet.Secret) row {
	return row{
		Secret: s.Name, ARN: s.ARN, Region: s.Region, Health: s.Health, Since: s.Since.UTC(), Strategy: s.Strategy, Function: s.FunctionARN,
		Owner: s.Owner, Rotates: s.Enabled, LastRotated: s.Last.UTC(), NextRotation: s.Next.UTC(), LastChanged: s.Changed.UTC(),
		Deleted: s.Deleted.UTC(), Pending: s.Pending, Labels: s.Labels, Tags: s.Tags, labels: s.LabelNames(),
	}
}

type column = output.Column[row]

// columns are those of a table, or of CSV, which has more and times to the second.
func columns(format output.Format, screen *terminal.Terminal, regions bool, now time.Time) []column {
	health := column{Name: "health", Text: func(r row) string { return r.Health.String() }, Paint: func(r row, s string) string {
		switch {
		case r.Health.Unhealthy():
			return screen.Red(s)
		case r.Health == fleet.OK || r.Health == fleet.Managed || r.Health == fleet.Replica:
			return s
		}
		return screen.Bold(s)
	}}
	secret := column{Name: "secret", Text: func(r row) string { return r.Secret }}
	region := column{Name: "region", Text: func(r row) string { return r.Region }}
	strategy := column{Name: "strategy", Text: func(r row) string { return r.Strategy }}
	labels := column{Name: "labels", Text: func(r row) string { return strings.Join(r.labels, " ") }}
	if format == output.Table {
		last := column{Name: "last", Text: func(r row) string { return relative(now, r.LastRotated) }}
		next := column{Name: "next", Text: func(r row) string { return relative(now, r.NextRotation) }}
		about := column{Name: "note", Text: func(r row) string { return note(now, r) }}
		if regions {
			return []column{health, secret, region, strategy, last, next, labels, about}
		}
		return []column{health, secret, strategy, last, next, labels, about}
	}
	at := func(name string, of func(row) time.Time) column {
		return column{Name: name, Text: func(r row) string {
			if t := of(r); !t.IsZero() {
				return t.Format(time.RFC3339)
			}
			return ""
		}}
	}
	return []column{
		secret, region, health,
		at("since", func(r row) time.Time { return r.Since }),
		strategy,
		{Name: "rotates", Text: func(r row) string { return strconv.FormatBool(r.Rotates) }},
		at("last_rotated", func(r row) time.Time { return r.LastRotated }),
		at("next_rotation", func(r row) time.Time { return r.NextRotation }),
		at("last_changed", func(r row) time.Time { return r.LastChanged }),
		at("deleted", func(r row) time.Time { return r.Deleted }),
		{Name: "pending", Text: func(r row) string { return r.Pending }},
		labels,
		{Name: "function", Text: func(r row) string { return r.Function }},
		{Name: "owner", Text: func(r row) string { return r.Owner }},
		{Name: "arn", Text: func(r row) string { return r.ARN }},
	}
}

// note is what to know or to do beside the state's word.
func note(now time.Time, r row) string {
	switch r.Health {
	case fleet.Stuck:
		return "for " + age(now.Sub(r.Since)) + ": rekey unstick " + r.Secret
	case fleet.Overdue:
		return "for " + age(now.Sub(r.Since)) + ": rekey rotate " + r.Secret
	case fleet.Rotating:
		return "for " + age(now.Sub(r.Since))
	case fleet.Deleting:
		return "gone " + relative(now, r.Deleted)
	case fleet.Off:
		if r.Pending != "" {
			return "a rotation was cancelled and left AWSPENDING"
		}
	}
	return ""
}

// relative is a time as a person thinks of it: 3 d ago, in 3 d. Empty: none.
func relative(now, at time.Time) string {
	switch {
	case at.IsZero():
		return ""
	case at.After(now):
		return "in " + age(at.Sub(now))
	}
	return age(now.Sub(at)) + " ago"
}

// age is a duration in one unit, rounded down: 40 s, 5 min, 3 h, 12 d.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/day)
}
