package audit_test

import (
	"regexp"
	"testing"

	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/shared/audit"
)

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html: a pattern has at
// most 2,048 characters.
func TestRulesAreValid(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,48}$`) // of 64: the rest is for a prefix
	seen := map[string]bool{}
	rules := audit.Rules(audit.Catalogue())
	if len(rules) == 0 {
		t.Fatal("there are no rules")
	}
	for _, r := range rules {
		if !name.MatchString(r.Name) || seen[r.Name] {
			t.Errorf("the name %q is not one of its own", r.Name)
		}
		seen[r.Name] = true
		if len(r.Pattern) > 2048 || len(r.Description) > 512 || r.Description == "" {
			t.Errorf("%s: a pattern of %d characters, a description of %d", r.Name, len(r.Pattern), len(r.Description))
		}
		if _, err := eventbus.Compile([]byte(r.Pattern)); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		if r.State != audit.RuleEnabled && r.State != audit.RuleEnabledWithReads {
			t.Errorf("%s: state %q", r.Name, r.State)
		}
	}
}
