package sink_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/awsjson"
	"github.com/rekey-aws/rekey/local/firehose"
	"github.com/rekey-aws/rekey/local/securityhub"
	"github.com/rekey-aws/rekey/local/sns"
	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/sink"
	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// settings are those of a function whose AWS is this handler.
func settings(t *testing.T, api http.Handler) awsclient.Settings {
	t.Helper()
	web := httptest.NewServer(api)
	t.Cleanup(web.Close)
	s, err := awsclient.Read(func(name string) (string, bool) {
		v, ok := map[string]string{
			"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": web.URL, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "example", "AWS_MAX_ATTEMPTS": "3",
		}[name]
		return v, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// many are n findings of as many secrets.
func many(n int) []audit.Finding {
	all := make([]audit.Finding, n)
	for i := range all {
		all[i] = failed()
		all[i].Key, all[i].Incident = fmt.Sprint("key ", i), fmt.Sprint("incident ", i)
	}
	return all
}

func TestSNS(t *testing.T) {
	t.Parallel()
	const topic = "arn:aws:sns:eu-central-1:123456789012:alerts"
	api := &sns.SNS{Topics: []string{topic, topic + ".fifo"}}
	aws := settings(t, api)
	for _, arn := range []string{topic, topic + ".fifo"} {
		one := sink.NewSNS("topic", arn, aws, sink.Options{})
		for range 2 { // the second time a FIFO topic knows it
			if err := one.Deliver(t.Context(), []audit.Finding{failed(), hostile()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := api.Messages()
	if len(got) != 6 || got[4].Group == "" || got[4].Group == got[5].Group {
		t.Fatalf("%d messages: %+v", len(got), got)
	}
	if got[0].Subject != "[high] Rotation failed: prod/billing/db" || got[0].Attributes["severity"] != "high" {
		t.Errorf("the message is %+v", got[0])
	}
	odd := failed()
	odd.Secret.Name = strings.Repeat("ü", 200)
	if err := sink.NewSNS("topic", topic, aws, sink.Options{}).Deliver(t.Context(), []audit.Finding{odd}); err != nil {
		t.Errorf("a subject that is long and not ASCII: %v", err)
	}
	for code, kind := range map[string]error{"AuthorizationError": rotation.ErrDenied, "InternalError": rotation.ErrVendor, "Throttled": rotation.ErrThrottled} {
		api.Fault = func() string { return code }
		if err := sink.NewSNS("topic", topic, aws, sink.Options{}).Deliver(t.Context(), many(1)); !errors.Is(err, kind) && code != "Throttled" {
			t.Errorf("%s: %v", code, err)
		}
	}
	api.Fault = nil
	if err := sink.NewSNS("topic", topic+"-gone", aws, sink.Options{}).Deliver(t.Context(), many(1)); !errors.Is(err, rotation.ErrConfig) {
		t.Errorf("no such topic: %v", err)
	}
}

// The same trouble updates its finding; its end archives it; more than a call takes is several.
func TestSecurityHub(t *testing.T) {
	t.Parallel()
	hub := &securityhub.Hub{}
	now := clock
	one := sink.NewSecurityHub("hub", settings(t, hub), sink.Options{Playbooks: "https://example.com/", Now: func() time.Time { now = now.Add(time.Second); return now }})
	again := failed()
	again.Key, again.Count = "again", 12
	for _, f := range []audit.Finding{failed(), again} {
		if err := one.Deliver(t.Context(), []audit.Finding{f}); err != nil {
			t.Fatal(err)
		}
	}
	if hub.Imports() != 2 || len(hub.Findings()) != 1 {
		t.Fatalf("%d imports, %d findings", hub.Imports(), len(hub.Findings()))
	}
	if err := one.Deliver(t.Context(), []audit.Finding{over()}); err != nil {
		t.Fatal(err)
	}
	for id, f := range hub.Findings() {
		if f["RecordState"] != "ARCHIVED" || !strings.HasPrefix(id, "rekey/rotation-failed|123456789012/eu-central-1/prod/billing/db") {
			t.Errorf("%s is %v", id, f["RecordState"])
		}
	}
	bare := hostile()
	bare.Secret.ARN = ""
	other := failed()
	other.Secret, other.Incident = audit.Secret{}, strings.Repeat("long ", 200)
	other.Event.Request.Key = "arn:aws:kms:eu-central-1:123456789012:key/k"
	if err := one.Deliver(t.Context(), append(many(230), bare, other)); err != nil {
		t.Fatal(err)
	}
	if n := len(hub.Findings()); n != 1+230+2 {
		t.Errorf("%d findings", n)
	}
	hub.Fail = func(securityhub.Finding) bool { return true }
	if err := one.Deliver(t.Context(), many(2)); !errors.Is(err, rotation.ErrVendor) || !strings.Contains(err.Error(), "2 of 2") {
		t.Errorf("refused: %v", err)
	}
}

// What a stream does not take of a batch is put again, and nothing else; more than a call takes
// is several.
func TestFirehose(t *testing.T) {
	t.Parallel()
	var calls, fails atomic.Int32
	stream := firehose.New(firehose.Options{
		Streams: []string{"s"}, OnCall: func(string) { calls.Add(1) },
		FailRecord: func([]byte) bool { return fails.Add(1)%3 == 0 },
	})
	s := newSet()
	aws := settings(t, stream)
	one := sink.NewFirehose("lake", "s", aws, s.options)
	if err := one.Deliver(t.Context(), many(1200)); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range stream.Records("s") {
		var f struct {
			ClassUID int `json:"class_uid"`
			Metadata struct{ UID string }
		}
		if err := json.Unmarshal(r, &f); err != nil || f.ClassUID != 2004 || r[len(r)-1] != '\n' || seen[f.Metadata.UID] {
			t.Fatalf("%v: %s", err, r)
		}
		seen[f.Metadata.UID] = true
	}
	if len(seen) != 1200 || len(s.pauses) == 0 {
		t.Errorf("%d findings are on the stream, after %d calls", len(seen), calls.Load())
	}
	never := firehose.New(firehose.Options{Streams: []string{"s"}, FailRecord: func([]byte) bool { return true }})
	if err := sink.NewFirehose("lake", "s", settings(t, never), s.options).Deliver(t.Context(), many(2)); !errors.Is(err, rotation.ErrThrottled) {
		t.Errorf("never taken: %v", err)
	}
	down := firehose.New(firehose.Options{Streams: []string{"s"}, Fault: func(string) *awsjson.Error { return awsjson.Refuse("AccessDeniedException", "no") }})
	if err := sink.NewFirehose("lake", "s", settings(t, down), s.options).Deliver(t.Context(), many(1)); !errors.Is(err, rotation.ErrDenied) {
		t.Errorf("denied: %v", err)
	}
}
