package audit_test

import (
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/fixture"
)

func detector(t testing.TB, c audit.Config, options ...audit.Option) *audit.Detector {
	t.Helper()
	d, err := audit.NewDetector(c, audit.NewMemory(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// An event that is delivered again, to the same instance or to another one with the same
// state, is the same finding.
func TestDeliveredAgain(t *testing.T) {
	t.Parallel()
	for _, c := range fixture.Cases() {
		if len(c.Events) == 0 {
			continue
		}
		state := audit.NewMemory()
		keys := func() map[string]bool {
			d, err := audit.NewDetector(fixture.Config(), state)
			if err != nil {
				t.Fatal(err)
			}
			all := map[string]bool{}
			for _, payload := range c.Events {
				e := normalize(t, string(payload))
				for _, f := range d.Examine(t.Context(), &e, nil) {
					all[f.Key] = true
				}
			}
			return all
		}
		first, again := keys(), keys()
		for key := range first {
			if !again[key] {
				t.Errorf("%s: %s: %s is lost in a second delivery", c.Detection, c.Name, key)
			}
		}
		for key := range again {
			if !first[key] && !strings.HasPrefix(key, c.Detection) {
				t.Errorf("%s: %s: %s is new in a second delivery", c.Detection, c.Name, key)
			}
		}
	}
}

// Several goroutines may examine with one detector and one state: of what is counted, they find
// what one would.
func TestExamineTogether(t *testing.T) {
	t.Parallel()
	d := detector(t, fixture.Config())
	var payloads [][]byte
	for _, c := range fixture.Cases() {
		if c.Detection == "mass-read" && c.Found {
			payloads = c.Events
			break
		}
	}
	var group sync.WaitGroup
	keys := make([]map[string]bool, 8)
	for i := range keys {
		keys[i] = map[string]bool{}
		group.Go(func() {
			var n audit.Normalizer
			var e audit.Event
			for _, payload := range payloads {
				if err := n.Event(payload, &e); err != nil {
					t.Error(err)
					return
				}
				for _, f := range d.Examine(t.Context(), &e, nil) {
					keys[i][f.Key] = true
				}
			}
		})
	}
	group.Wait()
	all := map[string]bool{}
	for _, found := range keys {
		maps.Copy(all, found)
	}
	if len(all) != 1 {
		t.Errorf("%d different findings, want one: %v", len(all), all)
	}
}

// A success ends what was found of the same secret, however the records named it.
func TestResolves(t *testing.T) {
	t.Parallel()
	d := detector(t, audit.Config{})
	incidents := map[string]string{}
	var resolved []string
	for _, c := range fixture.Cases() {
		for _, payload := range c.Events {
			e := normalize(t, string(payload))
			if e.Kind != audit.ServiceEvent {
				continue
			}
			for _, f := range d.Examine(t.Context(), &e, nil) {
				if f.Detection == audit.Recovered && e.Name == "RotationSucceeded" {
					resolved = f.Resolves
				} else {
					incidents[f.Detection.ID] = f.Incident
				}
			}
		}
	}
	late, found := d.Overdue(audit.Metadata{Secret: secret, RotationEnabled: true, NextRotation: begin}, begin.AddDate(0, 0, 3))
	if !found {
		t.Fatal("not overdue")
	}
	want := []string{incidents["rotation-failed"], incidents["rotation-abandoned"], late.Incident, incidents["rotation-test-failed"]}
	if diff := cmp.Diff(want, resolved); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOverdue(t *testing.T) {
	t.Parallel()
	d := detector(t, audit.Config{})
	m := audit.Metadata{Secret: secret, RotationEnabled: true, NextRotation: begin}
	f, found := d.Overdue(m, begin.Add(25*time.Hour))
	again, _ := d.Overdue(m, begin.Add(50*time.Hour))
	if !found || f.Key != again.Key || !f.Due.Equal(begin) || f.Event.Kind != audit.Scan || f.Secret != secret || f.Detection.ID != "rotation-overdue" {
		t.Errorf("found %t, %+v", found, f)
	}
	if s := f.Sentence(); s != "Rotation overdue: prod/db, due since 2026-07-15 15:20 UTC" {
		t.Errorf("it says %q", s)
	}
	for schedule, due := range map[string]time.Duration{
		"rate(4 hours)": 4 * time.Hour, "rate(1 day)": 48 * time.Hour, "rate(10 days)": 11 * 24 * time.Hour,
		"cron(0 8 1 * ? *)": 0, "": 0, "rate(x days)": 0, "rate(99999999 days)": 0,
	} {
		m := audit.Metadata{Secret: secret, RotationEnabled: true, LastRotated: begin, Schedule: schedule}
		_, onTime := d.Overdue(m, begin.Add(due+24*time.Hour))
		_, late := d.Overdue(m, begin.Add(due+24*time.Hour+time.Second))
		if onTime || late != (due > 0) {
			t.Errorf("%s: found in time %t, late %t", schedule, onTime, late)
		}
	}
	if _, found := detector(t, audit.Config{Thresholds: audit.Thresholds{OverdueGrace: audit.Duration(time.Hour)}}).Overdue(m, begin.Add(2*time.Hour)); !found {
		t.Error("the grace period is not what was set")
	}
}

// Roles are known with and without their path; a session is its role.
func TestRotationRoles(t *testing.T) {
	t.Parallel()
	var payload []byte
	for _, c := range fixture.Cases() {
		if c.Detection == "value-put" && c.Name == "by the rotation" {
			payload = c.Events[0]
		}
	}
	for role, known := range map[string]bool{
		"arn:aws:iam::123456789012:role/rekey/rotate-rds": true, "arn:aws:iam::123456789012:role/rotate-rds": true,
		"arn:aws:iam::*:role/rekey/*": true, "arn:aws:iam::123456789012:role/rotate-*": true,
		"arn:aws:iam::210987654321:role/rotate-rds": false, "arn:aws:iam::123456789012:role/rotate": false,
		"arn:aws:iam::123456789012:role/rekey": false, "rotate-rds": false,
	} {
		e := normalize(t, string(payload))
		if found := detector(t, audit.Config{RotationRoles: []string{role}}).Examine(t.Context(), &e, nil); (len(found) == 0) != known {
			t.Errorf("%s: found %d", role, len(found))
		}
	}
}

// A reader is known for the secrets that its entry names, by any of its names.
func TestKnownReaders(t *testing.T) {
	t.Parallel()
	const actor = `{"type":"AssumedRole","arn":"arn:aws:sts::123456789012:assumed-role/app/i-1","accountId":"123456789012","invokedBy":"ecs.amazonaws.com","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::123456789012:role/team/app","userName":"app"}}}`
	text := `{"eventTime":"2026-07-15T15:20:30Z","eventID":"e","eventSource":"secretsmanager.amazonaws.com","eventName":"GetSecretValue","awsRegion":"us-east-1","recipientAccountId":"123456789012","requestParameters":{"secretId":"prod/db","versionStage":"AWSPREVIOUS"},"userIdentity":` + actor + `}`
	for _, test := range []struct {
		audit.KnownReader
		known bool
	}{
		{audit.KnownReader{Principal: "arn:aws:iam::123456789012:role/team/app"}, true},
		{audit.KnownReader{Principal: "arn:aws:iam::123456789012:role/app"}, true},
		{audit.KnownReader{Principal: "arn:aws:iam::*:role/team/*"}, true},
		{audit.KnownReader{Principal: "ecs.amazonaws.com"}, true},
		{audit.KnownReader{Principal: "arn:aws:iam::123456789012:role/app", Secrets: []string{"prod/*"}}, true},
		{audit.KnownReader{Principal: "arn:aws:iam::123456789012:role/app", Secrets: []string{"test/*", "prod"}}, false},
		{audit.KnownReader{Principal: "arn:aws:iam::123456789012:role/ap"}, false},
		{audit.KnownReader{Principal: "arn:aws:iam::123456789012:user/app"}, false},
	} {
		e := normalize(t, text)
		found := detector(t, audit.Config{KnownReaders: []audit.KnownReader{{Principal: "someone"}, test.KnownReader}}).Examine(t.Context(), &e, nil)
		if (len(found) == 0) != test.known {
			t.Errorf("%+v: found %d", test.KnownReader, len(found))
		}
	}
}

func TestDecoysByTag(t *testing.T) {
	t.Parallel()
	e := normalize(t, record("GetSecretValue", `"requestParameters":{"secretId":"prod/db"},`))
	d := detector(t, audit.Config{DecoyTag: "decoy"}, audit.WithDecoys(func(s audit.Secret) bool { return s.Name == "prod/db" }))
	if found := d.Examine(t.Context(), &e, nil); len(found) != 1 || found[0].Detection.ID != "decoy-read" {
		t.Errorf("found %+v", found)
	}
}

// A condition confines a statement only if nobody else can meet it.
func TestPublicPolicies(t *testing.T) {
	t.Parallel()
	public := func(statement string) bool {
		quoted, _ := json.Marshal(`{"Version":"2012-10-17","Statement":` + statement + `}`)
		return normalize(t, record("PutResourcePolicy", `"requestParameters":{"secretId":"a","resourcePolicy":`+string(quoted)+`},`)).Request.PublicPolicy
	}
	everybody := func(condition string) string {
		return `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{` + condition + `}}`
	}
	for statement, want := range map[string]bool{
		`[]`:                                false,
		everybody(``):                       true,
		`[` + everybody(``) + `]`:           true,
		`{"Effect":"Deny","Principal":"*"}`: false,
		`{"Effect":"Allow","Principal":{"AWS":"123456789012"}}`:                                 false,
		`{"Effect":"Allow","Principal":{"AWS":["1","*"]}}`:                                      true,
		`{"Effect":"Allow","Principal":{"Service":"x"}}`:                                        false,
		`{"Effect":"Allow","NotPrincipal":{"AWS":"1"}}`:                                         true,
		everybody(`"StringEquals":{"aws:PrincipalOrgID":"o-1"}`):                                false,
		everybody(`"StringEquals":{"AWS:principalorgid":["o-1","o-2"]}`):                        false,
		everybody(`"StringEquals":{"aws:PrincipalOrgID":"*"}`):                                  true,
		everybody(`"StringLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"}`):                  true,
		everybody(`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/*"}`):          false,
		everybody(`"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}`):                             true,
		everybody(`"StringEqualsIfExists":{"aws:SourceVpce":"vpce-1"}`):                         true,
		everybody(`"StringEquals":{"aws:SourceVpce":"vpce-1"}`):                                 false,
		everybody(`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`):                              false,
		everybody(`"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`):                                   true,
		everybody(`"Bool":{"aws:SecureTransport":true}`):                                        true,
		everybody(`"StringEquals":{"secretsmanager:VersionStage":"AWSCURRENT"}`):                true,
		everybody(`"ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-1"}`):                   true,
		everybody(`"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:SourceVpc":"v"}`): false,
		`"no statement"`: true,
	} {
		if got := public(statement); got != want {
			t.Errorf("%s: public %t, want %t", statement, got, want)
		}
	}
}

// Whoever is called what: * stands for any text, as in a glob.
func TestPatternsAsGlobs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab/")), 1, 12, -1).Draw(t, "text")
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune("ab/*")), 1, 8, -1).Draw(t, "pattern")
		d, err := audit.NewDetector(audit.Config{Decoys: []string{pattern}}, audit.NewMemory())
		if err != nil {
			t.Fatal(err)
		}
		e := audit.Event{ID: "e", Time: begin, Kind: audit.Call, Source: audit.SecretsManager, Name: "GetSecretValue", Secret: audit.Secret{Name: text}}
		found := false
		for _, f := range d.Examine(t.Context(), &e, nil) {
			found = found || f.Detection.ID == "decoy-read"
		}
		if want := glob(pattern, text); found != want {
			t.Fatalf("%q takes %q: %t, want %t", pattern, text, found, want)
		}
	})
}

// glob is the plain way to compare.
func glob(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case pattern[0] == '*':
		return glob(pattern[1:], text) || text != "" && glob(pattern, text[1:])
	}
	return text != "" && pattern[0] == text[0] && glob(pattern[1:], text[1:])
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{"rotationRole":[]}`:                  `unknown field "rotationRole"`,
		`{}{}`:                                 "more after",
		`[]`:                                   "cannot unmarshal array",
		`{"regions":[""]}`:                     "regions[0]: it is empty",
		`{"decoys":[" x"]}`:                    "space",
		`{"deployers":["*"]}`:                  "deployers[0]: * is everybody",
		`{"knownReaders":[{"secrets":["a"]}]}`: "knownReaders[0].principal: it is empty",
		`{"knownReaders":[{"principal":"a","secrets":[""]}]}`: "knownReaders[0].secrets[0]",
		`{"thresholds":{"massRead":{"count":501}}}`:           "massRead.count: 501 is out of range",
		`{"thresholds":{"deniedReads":{"within":"1s"}}}`:      "deniedReads.within: 1s is out of range",
		`{"thresholds":{"overdueGrace":"a day"}}`:             `"a day" is no duration`,
		`{"thresholds":{"firstSeenReader":"-1h"}}`:            "firstSeenReader: -1h0m0s is out of range",
	} {
		if _, err := audit.ParseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
	if _, err := audit.NewDetector(audit.Config{}, nil); err == nil {
		t.Error("a detector without a state")
	}
	if _, err := audit.NewDetector(audit.Config{Regions: []string{""}}, audit.NewMemory()); err == nil {
		t.Error("a detector with a configuration that is not valid")
	}
}

func TestSeverity(t *testing.T) {
	t.Parallel()
	for s := audit.Informational; s <= audit.Critical; s++ {
		text, err := json.Marshal(s)
		var again audit.Severity
		if err != nil || json.Unmarshal(text, &again) != nil || again != s {
			t.Errorf("%s is read as %s, %v", text, again, err)
		}
	}
	if _, err := audit.ParseSeverity("loud"); err == nil || !strings.Contains(err.Error(), "critical") {
		t.Errorf("loud: %v", err)
	}
}

// What people read names who, what and which.
func TestSentences(t *testing.T) {
	t.Parallel()
	d := detector(t, fixture.Config())
	want := map[string]string{
		"forced-delete":    "Secret deleted without recovery: prod/db, DeleteSecret by user alice",
		"rotation-failed":  "Rotation failed: prod/db in setSecret",
		"trail-stopped":    "Trail stopped: main, StopLogging by role deploy, session session",
		"kms-key-disabled": "Key of secrets disabled: 1234abcd-12ab-34cd-56ef-1234567890ab, DisableKey by user alice",
		"mass-read":        "Many secrets read by one caller: 20 secrets, GetSecretValue by user alice",
		"alerts-silenced":  "Alerts silenced: rekey-secretsmanager-calls, DisableRule by user alice",
	}
	for _, c := range fixture.Cases() {
		says, asked := want[c.Detection]
		if !asked || !c.Found {
			continue
		}
		delete(want, c.Detection)
		var found []audit.Finding
		for _, payload := range c.Events {
			e := normalize(t, string(payload))
			found = d.Examine(t.Context(), &e, found)
		}
		if len(found) != 1 || found[0].Sentence() != says {
			t.Errorf("%s says %+v, want %q", c.Detection, found, says)
		}
	}
	if len(want) > 0 {
		t.Errorf("not seen: %v", want)
	}
}
