package status

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// summary counts all that was chosen, shown or not.
type summary struct {
	total, regions int
	of             [fleet.OK + 1]int
}

func (s *summary) add(one *fleet.Secret) {
	s.total++
	s.of[one.Health]++
}

func (s *summary) unhealthy() (n int) {
	for _, h := range fleet.Healths() {
		if h.Unhealthy() {
			n += s.of[h]
		}
	}
	return n
}

// line is such as: 1,204 secrets in 2 Regions: 1 stuck, 2 overdue, 1,201 ok.
func (s *summary) line(screen *terminal.Terminal) string {
	where := ""
	if s.regions > 1 {
		where = fmt.Sprintf(" in %d Regions", s.regions)
	}
	if s.total == 0 {
		return "no secrets" + where
	}
	var parts []string
	for _, h := range fleet.Healths() {
		if n := s.of[h]; n > 0 {
			part := grouped(n) + " " + h.String()
			if h.Unhealthy() {
				part = screen.Red(part)
			}
			parts = append(parts, part)
		}
	}
	noun := " secrets"
	if s.total == 1 {
		noun = " secret"
	}
	return screen.Bold(grouped(s.total)+noun) + where + ": " + strings.Join(parts, ", ")
}

// grouped is a number with commas: 500,000.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// worst keeps the few secrets that need someone most: by state, then those longest in it.
type worst struct {
	most    int
	secrets []*fleet.Secret
}

func (w *worst) add(s *fleet.Secret) {
	full := len(w.secrets) == w.most
	if full && compare(s, w.secrets[len(w.secrets)-1]) >= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(w.secrets, s, compare)
	if full {
		w.secrets = w.secrets[:w.most-1]
	}
	w.secrets = slices.Insert(w.secrets, at, s)
}

// compare orders secrets as a person reads them: the worst first, among them the longest so,
// then by name.
func compare(a, b *fleet.Secret) int {
	if a.Health != b.Health {
		return int(a.Health - b.Health)
	}
	if c := a.Since.Compare(b.Since); c != 0 {
		return c
	}
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Region, b.Region)
}
