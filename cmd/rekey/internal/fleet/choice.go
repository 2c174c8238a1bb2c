package fleet

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Choice is which secrets: all that have every tag, and a name that begins with the prefix.
// The zero Choice is all. Commands embed it.
type Choice struct {
	Tag        []Tag  `help:"Only secrets with this tag. Repeatable: with all of them." sep:"none" placeholder:"KEY=VALUE"`
	NamePrefix string `help:"Only secrets whose names begin so." placeholder:"TEXT"`
}

// Tag is one of a secret's.
type Tag struct{ Key, Value string }

// UnmarshalText reads KEY=VALUE; the value may hold further equals signs.
func (t *Tag) UnmarshalText(text []byte) error {
	var ok bool
	if t.Key, t.Value, ok = strings.Cut(string(text), "="); !ok || t.Key == "" {
		return fmt.Errorf("%.64q is no tag: give KEY=VALUE", text)
	}
	return nil
}

// String is KEY=VALUE.
func (t Tag) String() string { return t.Key + "=" + t.Value }

// None says whether it is all secrets.
func (c *Choice) None() bool { return len(c.Tag) == 0 && c.NamePrefix == "" }

// String describes it.
func (c *Choice) String() string {
	var parts []string
	for _, t := range c.Tag {
		parts = append(parts, "tag "+t.String())
	}
	if c.NamePrefix != "" {
		parts = append(parts, "name "+c.NamePrefix+"…")
	}
	if len(parts) == 0 {
		return "all secrets"
	}
	return strings.Join(parts, ", ")
}

// filterable is what a filter's value may be; an exclamation mark at its beginning negates:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html
var filterable = regexp.MustCompile(`^[a-zA-Z0-9 :_@/+=.-][a-zA-Z0-9 :_@/+=.\-!]{0,511}$`)

// mostFilters is how many ListSecrets takes.
const mostFilters = 10

// filters have Secrets Manager leave out most of what is not chosen: they match by prefix, and
// the key of one tag with the value of another. Has decides.
func (c *Choice) filters() []types.Filter {
	var all []types.Filter
	add := func(key types.FilterNameStringType, value string) {
		if filterable.MatchString(value) && len(all) < mostFilters {
			all = append(all, types.Filter{Key: key, Values: []string{value}})
		}
	}
	if c.NamePrefix != "" {
		add(types.FilterNameStringTypeName, c.NamePrefix)
	}
	for _, t := range c.Tag {
		add(types.FilterNameStringTypeTagKey, t.Key)
		add(types.FilterNameStringTypeTagValue, t.Value)
	}
	return all
}

// Has says whether an entry of ListSecrets is chosen.
func (c *Choice) Has(e *types.SecretListEntry) bool {
	if !strings.HasPrefix(aws.ToString(e.Name), c.NamePrefix) {
		return false
	}
	for _, want := range c.Tag {
		found := false
		for _, t := range e.Tags {
			found = found || aws.ToString(t.Key) == want.Key && aws.ToString(t.Value) == want.Value
		}
		if !found {
			return false
		}
	}
	return true
}
