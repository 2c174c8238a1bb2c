package audit_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/fixture"
)

// canary stands for a value. It has the form of a password, a token and an id alike, so that
// no check of form keeps it out.
const canary = "Canary0123456789Canary0123456789Canary01"

// copied are the fields whose text is meant to be forwarded: see Event. Their texts are names,
// ids and addresses.
var copied = []string{
	"eventName", "eventSource", "eventID", "sharedEventID", "awsRegion", "requestID", "errorCode", "sourceIPAddress", "userAgent",
	"vpcEndpointId", "vpcEndpointAccountId", "recipientAccountId", "secretId", "SecretId", "arn", "ARN", "name", "userName", "type",
	"versionId", "versionStage", "versionStages", "moveToVersionId", "kmsKeyId", "keyId", "rotationLambdaARN", "functionName",
	"removeReplicaRegions", "region", "trailName", "eventDataStore", "sourceIdentity", "identityProvider", "federatedProvider", "invokedBy",
	"principalId", "userId", "id", "labelUpdated", "accountId", "aRN", "secretARN", "trailARN", "account", "resources", "rule",
}

// planted puts the canary into every text of a JSON value but those under names that are
// copied, and adds what an API that is to come might record.
func planted(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, inner := range v {
			out[k] = planted(inner, k)
		}
		for _, more := range []string{"secretString", "secretBinary", "rotationToken", "clientRequestToken", "password", "SecretString", "sessionToken", canary} {
			out[more] = canary
			out[more+"List"] = []any{canary, map[string]any{"value": canary}}
		}
		return out
	case []any:
		out := []any{}
		for _, inner := range v {
			out = append(out, planted(inner, name))
		}
		return out
	case string:
		for _, c := range copied {
			if c == name {
				return v
			}
		}
		if name == "eventTime" || name == "time" || name == "detail-type" || name == "eventType" || name == "source" {
			return v
		}
		return canary
	}
	return v
}

// What is in no field that is copied is in no event, finding or JSON text.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	d, err := audit.NewDetector(fixture.Config(), audit.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	findings := 0
	for _, c := range fixture.Cases() {
		for _, payload := range c.Events {
			var v any
			if err := json.Unmarshal(payload, &v); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(planted(v, ""))
			if err != nil {
				t.Fatal(err)
			}
			e, err := audit.Normalize(text)
			if err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			found := d.Examine(t.Context(), &e, nil)
			findings += len(found)
			noCanary(t, e, found)
		}
	}
	if findings < 100 {
		t.Errorf("%d findings: the detections did not see the events", findings)
	}
}

func noCanary(t *testing.T, e audit.Event, found []audit.Finding) {
	t.Helper()
	shown, err := json.Marshal(struct {
		Event    audit.Event
		Findings []audit.Finding
	}{e, found})
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%s %+v %+v", shown, e, found)
	for i := range found {
		all += found[i].Sentence() + found[i].Key + found[i].Incident
	}
	if strings.Contains(all, canary) {
		t.Errorf("the canary is in %s", all)
	}
}

// FuzzNormalize: no text makes the normaliser panic, disagree with itself about where a record
// ends, or keep what stands under the name of a value or token.
func FuzzNormalize(f *testing.F) {
	seen := map[string]bool{}
	for _, c := range fixture.Cases() {
		if !seen[c.Detection] {
			seen[c.Detection] = true
			for _, payload := range c.Events {
				f.Add(string(payload))
			}
		}
	}
	f.Add(`{"Records":[` + record("GetSecretValue", `"requestParameters":{"secretId":"a"},`) + `]}`)
	f.Add(`{"EventId":"x","CloudTrailEvent":"{}"}`)
	d, err := audit.NewDetector(fixture.Config(), audit.NewMemory())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if e, err := audit.Normalize([]byte(text)); err == nil {
			noCanary(t, e, d.Examine(t.Context(), &e, nil))
			if e.ID == "" || e.Name == "" || e.Source == "" || e.Time.IsZero() {
				t.Errorf("%+v lacks what every event has", e)
			}
		}
		var n audit.Normalizer
		_, _ = n.Records(strings.NewReader(text), func(e *audit.Event) { d.Examine(t.Context(), e, nil) })
		var v any
		if strings.Contains(text, canary) || json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		again, err := json.Marshal(planted(v, ""))
		if err != nil {
			t.Fatal(err)
		}
		if e, err := audit.Normalize(again); err == nil {
			noCanary(t, e, d.Examine(t.Context(), &e, nil))
		}
	})
}
