package cloudtrail_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rekey-aws/rekey/local/cloudtrail"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// secretsSeen are all the values that existed, in every form in which one could leak.
type secretsSeen struct {
	n      int
	values []string
}

// next makes a value that occurs nowhere else.
func (s *secretsSeen) next() string {
	s.n++
	v := fmt.Sprintf(`hunter"%d-%x\é`, s.n, s.n*7919)
	s.values = append(s.values, v)
	return v
}

func (s *secretsSeen) in(text []byte) string {
	for _, v := range s.values {
		escaped, _ := json.Marshal(v)
		for _, form := range []string{v, string(escaped[1 : len(escaped)-1]), base64.StdEncoding.EncodeToString([]byte(v)), hex.EncodeToString([]byte(v))} {
			if bytes.Contains(text, []byte(form)) {
				return form
			}
		}
	}
	return ""
}

var operationNames = []string{
	"BatchGetSecretValue", "CancelRotateSecret", "CreateSecret", "DeleteResourcePolicy", "DeleteSecret", "DescribeSecret", "GetRandomPassword",
	"GetResourcePolicy", "GetSecretValue", "ListSecretVersionIds", "ListSecrets", "PutResourcePolicy", "PutSecretValue", "RemoveRegionsFromReplication",
	"ReplicateSecretToRegions", "RestoreSecret", "RotateSecret", "StopReplicationToReplica", "TagResource", "UntagResource", "UpdateSecret",
	"UpdateSecretVersionStage", "ValidateResourcePolicy",
}

// request draws a request that may or may not be valid. Whatever the operation, a value may
// be where one belongs, where it does not, under a name spelt wrongly, or of a wrong type.
func request(t *rapid.T, seen *secretsSeen) map[string]any {
	name := rapid.SampledFrom([]string{"a", "b"})
	version := rapid.SampledFrom([]string{first, second, third, fourth})
	v := seen.next()
	members := map[string]func() any{
		"SecretString":       func() any { return v },
		"SecretBinary":       func() any { return base64.StdEncoding.EncodeToString([]byte(v)) },
		"RotationToken":      func() any { return strings.Repeat("x", 36) + v },
		"secretString":       func() any { return v },
		"SecretStrin":        func() any { return v },
		"Name":               func() any { return name.Draw(t, "name") },
		"SecretId":           func() any { return name.Draw(t, "id") },
		"ClientRequestToken": func() any { return version.Draw(t, "token") },
		"VersionId":          func() any { return version.Draw(t, "version") },
		"VersionStages":      func() any { return []string{"AWSCURRENT"} },
		"VersionStage":       func() any { return "AWSCURRENT" },
		"MoveToVersionId":    func() any { return version.Draw(t, "to") },
		"Description":        func() any { return map[string]any{"SecretString": v} }, // of the wrong type
		"Tags":               func() any { return []any{map[string]any{"Key": "k", "Value": "v", "SecretString": v}} },
		"RotationRules":      func() any { return map[string]any{"AutomaticallyAfterDays": 3, "Extra": v} },
		"Filters":            func() any { return []any{map[string]any{"Key": "name", "Values": []string{"a"}, "Value": v}} },
		"SecretIdList":       func() any { return []any{"a", "b"} },
		"Unknown":            func() any { return []any{v} },
		"RecoveryWindow":     func() any { return v },
	}
	out := map[string]any{}
	for _, member := range []string{
		"SecretString", "SecretBinary", "RotationToken", "secretString", "SecretStrin", "Name", "SecretId", "ClientRequestToken", "VersionId",
		"VersionStages", "VersionStage", "MoveToVersionId", "Description", "Tags", "RotationRules", "Filters", "SecretIdList", "Unknown", "RecoveryWindow",
	} {
		if rapid.IntRange(0, 3).Draw(t, member) == 0 {
			out[member] = members[member]()
		}
	}
	return out
}

// Nothing of a value that existed is in any event, whatever is called and however wrongly.
func TestNoValueEverReachesAnEvent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		// A call that a fault fails is recorded without its request having been checked.
		w := newWorld(t, func(o *secretsmanager.Options) {
			o.Fault = func(_ string, n int) secretsmanager.Fault {
				if n%3 == 2 {
					return secretsmanager.Fault{Kind: secretsmanager.Throttle}
				}
				return secretsmanager.Fault{}
			}
		})
		defer w.close()
		w.rotate = func(map[string]string) error { return errFunction }
		seen := &secretsSeen{}
		for i := range rapid.IntRange(1, 25).Draw(rt, "calls") {
			body := request(rt, seen)
			operation := rapid.SampledFrom(operationNames).Draw(rt, "operation")
			if i == 0 { // so that most sequences have something to work on
				operation, body = "CreateSecret", map[string]any{"Name": "a", "SecretString": seen.next(), "ClientRequestToken": first}
			}
			text, err := json.Marshal(body)
			if err != nil {
				rt.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(text))
			r.Header.Set("X-Amz-Target", "secretsmanager."+operation)
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=alice/20260715/us-east-1/secretsmanager/aws4_request")
			w.manager.ServeHTTP(httptest.NewRecorder(), r)
		}
		events := w.take()
		if len(events) == 0 {
			rt.Fatal("nothing was recorded")
		}
		for _, e := range events {
			text, err := e.JSON()
			if err != nil {
				rt.Fatal(err)
			}
			if form := seen.in(append(text, cloudtrail.Line(e)...)); form != "" {
				rt.Fatalf("the value %q is in %s", form, text)
			}
		}
	})
}
