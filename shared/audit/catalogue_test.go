package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/fixture"
)

func TestEntriesAreWhole(t *testing.T) {
	t.Parallel()
	id, technique := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`), regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)
	seen := map[string]bool{}
	for _, d := range audit.Catalogue() {
		if !id.MatchString(d.ID) || seen[d.ID] {
			t.Errorf("the id %q is not one of its own", d.ID)
		}
		seen[d.ID] = true
		if d.Title == "" || d.When == "" || d.Why == "" || d.Do == "" || len(d.Needs) == 0 || len(d.Controls) == 0 || d.Severity < audit.Low {
			t.Errorf("%s lacks something: %+v", d.ID, d)
		}
		for _, x := range d.Techniques {
			if !technique.MatchString(x) {
				t.Errorf("%s: %q is no technique", d.ID, x)
			}
		}
		if found, ok := audit.Find(d.ID); !ok || found != d {
			t.Errorf("%s is not found by its id", d.ID)
		}
	}
	if _, ok := audit.Find("recovered"); ok || seen["recovered"] {
		t.Error("a recovery is no detection")
	}
}

// What a detection finds, a rule brings to it: in the state that gets it, if it is a read.
func TestRulesBringWhatIsFound(t *testing.T) {
	t.Parallel()
	bus := busOf(t, audit.Rules(audit.Catalogue()))
	for _, c := range fixture.Cases() {
		if !c.Found {
			continue
		}
		for _, payload := range c.Events {
			if bus.rule(payload) == "" {
				t.Errorf("%s: %s: no rule brings %s", c.Detection, c.Name, payload)
			}
		}
	}
}

// One event comes once: no two rules want it.
func TestRulesAreDisjoint(t *testing.T) {
	t.Parallel()
	bus := busOf(t, audit.Rules(audit.Catalogue()))
	for _, c := range fixture.Cases() {
		for _, payload := range c.Events {
			if n := len(bus.rules(payload)); n > 1 {
				t.Errorf("%d rules bring %s", n, payload)
			}
		}
	}
}

// Without the detections that need reads, no rule asks for them.
func TestRulesWithoutReads(t *testing.T) {
	t.Parallel()
	quiet := slices.DeleteFunc(audit.Catalogue(), (*audit.Detection).NeedsReads)
	for _, r := range audit.Rules(quiet) {
		if r.State != audit.RuleEnabled {
			t.Errorf("%s is %s", r.Name, r.State)
		}
	}
	if len(quiet) == len(audit.Catalogue()) || len(quiet) == 0 {
		t.Errorf("%d of %d detections need no reads", len(quiet), len(audit.Catalogue()))
	}
}

// rules are those of a deployment, each as EventBridge matches it.
type rules map[audit.Rule]*eventbus.Pattern

func busOf(t *testing.T, list []audit.Rule) rules {
	t.Helper()
	all := rules{}
	for _, r := range list {
		p, err := eventbus.Compile([]byte(r.Pattern))
		if err != nil {
			t.Fatal(err)
		}
		all[r] = p
	}
	return all
}

func (all rules) rules(payload []byte) []string {
	e, err := audit.Normalize(payload)
	if err != nil {
		return nil
	}
	var names []string
	for r, p := range all {
		if p.Matches(payload) && (!e.ReadOnly || r.State == audit.RuleEnabledWithReads) {
			names = append(names, r.Name)
		}
	}
	return names
}

func (all rules) rule(payload []byte) string {
	if names := all.rules(payload); len(names) > 0 {
		return names[0]
	}
	return ""
}

// lost is a state that cannot be reached.
type lost struct{}

var errLost = errors.New("the table is not there")

func (lost) See(context.Context, string, time.Time, time.Duration) (time.Time, error) {
	return time.Time{}, errLost
}

func (lost) Count(context.Context, string, string, time.Time, time.Duration) (audit.Tally, error) {
	return audit.Tally{}, errLost
}

// Without its state, a detection that counts forwards what it could not count, and says so:
// as one finding for each window, not one for each event.
func TestStateLost(t *testing.T) {
	t.Parallel()
	d, err := audit.NewDetector(fixture.Config(), lost{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]bool{}
	for _, c := range fixture.Cases() {
		for _, payload := range c.Events {
			if !c.Found {
				continue
			}
			e, err := audit.Normalize(payload)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range d.Examine(t.Context(), &e, nil) {
				if f.Unverified == "" {
					continue
				}
				if found[f.Detection.ID] == nil {
					found[f.Detection.ID] = map[string]bool{}
				}
				found[f.Detection.ID][f.Key] = true
			}
		}
	}
	for _, id := range []string{"mass-read", "denied-reads", "batch-read", "batch-across-regions", "first-seen-reader"} {
		if n := len(found[id]); n == 0 || n > 6 {
			t.Errorf("%s: %d findings that were not counted", id, n)
		}
	}
}

// Each detection has its playbook, with what every playbook has.
func TestPlaybooks(t *testing.T) {
	t.Parallel()
	for _, d := range audit.Catalogue() {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(d.Playbook())))
		if err != nil {
			t.Errorf("%s has no playbook: %v", d.ID, err)
			continue
		}
		page := string(text)
		for _, part := range []string{
			"# " + d.Title + "\n", "`" + d.ID + "`, " + d.Severity.String() + ".", "(../detections.md#" + d.ID + ")",
			"\n## What happened\n", "\n## See it\n", "```sh\n", "\n## What to do\n\n1. ", "\n## When it is a false alarm\n", "\n## When it is over\n",
		} {
			if !strings.Contains(page, part) {
				t.Errorf("%s: %q is missing", d.Playbook(), part)
			}
		}
		_, see, _ := strings.Cut(page, "\n## See it\n")
		see, _, _ = strings.Cut(see, "\n## ")
		if !strings.Contains(see, "\naws ") {
			t.Errorf("%s: no command of the AWS CLI that shows it: rekey is not on every machine", d.Playbook())
		}
		if lines := strings.Count(page, "\n"); lines > 80 {
			t.Errorf("%s has %d lines: one page is enough", d.Playbook(), lines)
		}
	}
}

// The configuration that the page shows is one.
func TestConfigOfThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "detections.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```json\n")
	example, _, _ := strings.Cut(rest, "```")
	c, err := audit.ParseConfig([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(audit.DefaultThresholds, c.Thresholds); diff != "" {
		t.Errorf("the thresholds are not the defaults (-default +shown):\n%s", diff)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := audit.ParseConfig(text); err != nil || cmp.Diff(c, again) != "" {
		t.Errorf("written and read again: %v\n%s", err, cmp.Diff(c, again))
	}
}
