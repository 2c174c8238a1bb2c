package rekey_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/infra/rekey"
	"github.com/rekey-aws/rekey/shared/audit"
)

// Every alarm that is deployed is of a kind whose page says what to do, and every kind is
// deployed.
func TestAlarmsHavePlaybooks(t *testing.T) {
	used := map[string]bool{}
	for name, tmpl := range everything(t) {
		for id, alarm := range tmpl.of("AWS::CloudWatch::Alarm") {
			description := fmt.Sprint(alarm.at("AlarmDescription"))
			page := description[strings.LastIndex(description, " ")+1:]
			used[page] = true
			if len(list(alarm.at("AlarmActions"))) == 0 || len(list(alarm.at("OKActions"))) == 0 {
				t.Errorf("%s: %s tells nobody", name, id)
			}
		}
	}
	var want []string
	for _, a := range rekey.AllAlarms() {
		want = append(want, a.Playbook())
		text, err := os.ReadFile("../../" + a.Playbook())
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(text), "`"+a.ID+"`") || !strings.Contains(string(text), "## What to do") {
			t.Errorf("%s does not name the alarm, or what to do", a.Playbook())
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, sortedKeys(used)); diff != "" {
		t.Errorf("(-kinds of alarms +deployed):\n%s", diff)
	}
}

// Every rule of the catalogue is deployed, in every Region of the file, with the state that
// reads need, and leads somewhere when nobody takes its events.
func TestDetectionsHaveRules(t *testing.T) {
	want := map[string]audit.Rule{}
	for _, r := range audit.Rules(audit.Catalogue()) {
		want[r.Name] = r
	}
	for _, example := range deployments {
		f := load(t, example)
		prefix := fmt.Sprintf("%s-%s", f.Name, f.Environment)
		for stack, tmpl := range templates(t, example) {
			if strings.HasSuffix(stack, "-keys") {
				continue
			}
			found := 0
			for id, rule := range tmpl.of("AWS::Events::Rule") {
				for _, target := range list(rule.at("Targets")) {
					m, _ := target.(map[string]any)
					if m["DeadLetterConfig"] == nil || m["RetryPolicy"] == nil {
						t.Errorf("%s: %s: its events can be lost: %v", stack, id, m)
					}
				}
				r, ok := want[strings.TrimPrefix(fmt.Sprint(rule.at("Name")), prefix+"-")]
				if !ok {
					continue
				}
				found++
				pattern, err := json.Marshal(rule.at("EventPattern"))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(parsed(t, r.Pattern), parsed(t, string(pattern))); diff != "" || rule.at("State") != r.State {
					t.Errorf("%s: %s: state %v, pattern (-catalogue +deployed):\n%s", stack, id, rule.at("State"), diff)
				}
			}
			if found != len(want) {
				t.Errorf("%s: %d of %d rules", stack, found, len(want))
			}
		}
	}
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The dashboard is JSON, and its widgets lie beside each other on the grid.
func TestDashboard(t *testing.T) {
	for name, tmpl := range everything(t) {
		for _, d := range tmpl.of("AWS::CloudWatch::Dashboard") {
			body, ok := d.at("DashboardBody").(string)
			if !ok {
				t.Fatalf("%s: the body is %T", name, d.at("DashboardBody"))
			}
			var page struct {
				Widgets []struct{ X, Y, Width, Height int }
			}
			if err := json.Unmarshal([]byte(body), &page); err != nil {
				t.Fatal(err)
			}
			taken := map[[2]int]bool{}
			for _, w := range page.Widgets {
				if w.Width < 1 || w.Height < 1 || w.X+w.Width > 24 {
					t.Errorf("%s: %+v is not on the grid", name, w)
				}
				for x := w.X; x < w.X+w.Width; x++ {
					for y := w.Y; y < w.Y+w.Height; y++ {
						if taken[[2]int{x, y}] {
							t.Fatalf("%s: %+v lies on another", name, w)
						}
						taken[[2]int{x, y}] = true
					}
				}
			}
			if len(page.Widgets) < 6 {
				t.Errorf("%s: %d widgets", name, len(page.Widgets))
			}
		}
	}
}
