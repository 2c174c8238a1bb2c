package audit

import (
	"fmt"
	"strings"
)

// Severity says how soon a person must look. The zero value is Informational. In JSON and
// text it is its name, in lower case.
type Severity int

// The severities, as in OCSF and in Security Hub.
const (
	Informational Severity = iota // nobody needs to act
	Low                           // look when there is time
	Medium                        // look within days
	High                          // look today
	Critical                      // look now
)

var severities = [...]string{"informational", "low", "medium", "high", "critical"}

// ParseSeverity reads a severity's name, in any case.
func ParseSeverity(text string) (Severity, error) {
	for n, name := range severities {
		if strings.EqualFold(name, text) {
			return Severity(n), nil
		}
	}
	return 0, fmt.Errorf("%q is no severity: give one of %s", text, strings.Join(severities[:], ", "))
}

func (s Severity) String() string {
	if s < 0 || int(s) >= len(severities) {
		return fmt.Sprintf("Severity(%d)", int(s))
	}
	return severities[s]
}

// MarshalText is for JSON, YAML and flags.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText refuses what is no severity.
func (s *Severity) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSeverity(string(text))
	return err
}
