package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
)

// Health is a secret's state. The constants are in the order of how much they need a person.
type Health int

const (
	// Stuck: AWSPENDING is on a version that is not current, for longer than a rotation takes.
	Stuck Health = iota
	// Overdue: a rotation was due, by the rule of the detection rotation-overdue.
	Overdue
	// Never: rotation is on, and none has succeeded yet.
	Never
	// Rotating: a rotation is under way, or failed a moment ago.
	Rotating
	// Off: nothing rotates it.
	Off
	// Deleting: it is marked for deletion.
	Deleting
	// Replica: its primary in another Region rotates.
	Replica
	// Managed: the service that made it rotates it.
	Managed
	// OK: it rotates.
	OK
)

var healthNames = [...]string{"stuck", "overdue", "never", "rotating", "off", "deleting", "replica", "managed", "ok"}

// Healths are all, the worst first.
func Healths() []Health {
	all := make([]Health, len(healthNames))
	for i := range all {
		all[i] = Health(i)
	}
	return all
}

// String is its word.
func (h Health) String() string { return healthNames[h] }

// MarshalText is its word.
func (h Health) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads its word, as a flag has it.
func (h *Health) UnmarshalText(text []byte) error {
	n := slices.Index(healthNames[:], string(text))
	if n < 0 {
		return fmt.Errorf("%.32q is no state of a secret: there are %s", text, strings.Join(healthNames[:], ", "))
	}
	*h = Health(n)
	return nil
}

// Unhealthy says whether someone should act: it is stuck, or overdue.
func (h Health) Unhealthy() bool { return h <= Overdue }

func (s *Secret) judge(m audit.Metadata, now time.Time, limits Limits) {
	due := m.Due(now, limits.Grace)
	switch {
	case !s.Deleted.IsZero():
		s.Health = Deleting
	case m.Replica():
		s.Health = Replica
	case s.Pending != "" && (s.Enabled || s.Owner != ""):
		// The version has no date in a list. It was made when the secret last changed, or before.
		s.Health, s.Since = Rotating, s.Changed
		if now.Sub(s.Changed) > limits.Stuck {
			s.Health = Stuck
		}
	case !due.IsZero():
		s.Health, s.Since = Overdue, due
	case s.Owner != "":
		s.Health = Managed
	case !s.Enabled:
		s.Health = Off
	case s.Last.IsZero():
		s.Health = Never
	default:
		s.Health = OK
	}
}
