package ocsf_test

import (
	"encoding/json"
	"testing"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/fixture"
	"github.com/rekey-aws/rekey/shared/audit/ocsf"
)

// required are the attributes that the class and its objects demand, in version 1.3.0:
// https://schema.ocsf.io/1.3.0/classes/detection_finding
var required = [][]string{
	{"activity_id"},
	{"category_uid"},
	{"class_uid"},
	{"type_uid"},
	{"time"},
	{"severity_id"},
	{"metadata", "version"},
	{"metadata", "product", "vendor_name"},
	{"finding_info", "uid"},
	{"finding_info", "title"},
	{"cloud", "provider"},
	{"remediation", "desc"},
}

// Every detection's true story becomes a whole finding of the class.
func TestWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range fixture.Cases() {
		if !c.Found {
			continue
		}
		d, err := audit.NewDetector(fixture.Config(), audit.NewMemory())
		if err != nil {
			t.Fatal(err)
		}
		var findings []audit.Finding
		for _, payload := range c.Events {
			e, err := audit.Normalize(payload)
			if err != nil {
				t.Fatal(err)
			}
			findings = d.Examine(t.Context(), &e, findings)
		}
		if c.Secret != nil {
			f, _ := d.Overdue(*c.Secret, c.Now)
			findings = append(findings, f)
		}
		for _, f := range findings {
			seen[f.Detection.ID] = true
			check(t, f)
		}
	}
	if len(seen) < len(audit.Catalogue()) {
		t.Errorf("%d detections of %d", len(seen), len(audit.Catalogue()))
	}
}

func check(t *testing.T, f audit.Finding) {
	t.Helper()
	text, err := ocsf.JSON(f)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for _, path := range required {
		at := any(m)
		for _, name := range path {
			object, _ := at.(map[string]any)
			at = object[name]
		}
		if at == nil || at == "" || at == 0.0 && path[0] != "time" {
			t.Errorf("%s: there is no %v in %s", f.Detection.ID, path, text)
		}
	}
	if m["class_uid"] != 2004.0 || m["type_uid"] != 200400+m["activity_id"].(float64) || m["severity_id"].(float64) < 1 || m["severity_id"].(float64) > 5 {
		t.Errorf("%s: %s", f.Detection.ID, text)
	}
	if f.Event.Kind == audit.Call && m["actor"] == nil {
		t.Errorf("%s: nobody acted in %s", f.Detection.ID, text)
	}
}

// What ends a trouble closes it.
func TestClose(t *testing.T) {
	t.Parallel()
	f := ocsf.From(audit.Finding{Detection: audit.Recovered, Key: "k", Count: 1, Resolves: []string{"incident"}})
	if f.ActivityID != 3 || f.TypeUID != 200403 || f.StatusID != 4 || f.FindingInfo.RelatedUIDs[0].UID != "incident" {
		t.Errorf("got %+v", f)
	}
}
