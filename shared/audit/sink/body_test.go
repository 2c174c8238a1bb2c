package sink_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/sink"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// texts are the strings in a JSON document.
func texts(t *testing.T, document string) iter.Seq[string] {
	t.Helper()
	var root any
	if err := json.Unmarshal([]byte(document), &root); err != nil {
		t.Fatalf("%v: %s", err, document)
	}
	return func(yield func(string) bool) { walk(root, yield) }
}

func walk(v any, yield func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return yield(v)
	case []any:
		for _, one := range v {
			if !walk(one, yield) {
				return false
			}
		}
	case map[string]any:
		for _, one := range v {
			if !walk(one, yield) {
				return false
			}
		}
	}
	return true
}

// Every sink that people read tells what happened, to what, why, and what to do.
func TestReadable(t *testing.T) {
	t.Parallel()
	for _, which := range []string{"slack", "teams", "pager", "hook"} {
		s := newSet()
		if err := people(t, s)[which].Deliver(t.Context(), []audit.Finding{failed()}); err != nil {
			t.Fatal(err)
		}
		all := ""
		for text := range texts(t, s.wire.sent[0].body) {
			all += text + "\n"
		}
		f := failed()
		for _, want := range []string{
			f.Secret.Name, "123456789012", "eu-central-1", "2026-05-04", "setSecret", "refused", f.Cause.Error, f.Cause.Hint, f.Detection.Why,
			"https://example.com/playbooks/rotation-failed.md", "https://eu-central-1.console.aws.amazon.com/secretsmanager/secret",
		} {
			if !strings.Contains(all, want) && !strings.Contains(all, strings.ReplaceAll(want, "&", "&amp;")) {
				t.Errorf("%s does not tell %q:\n%s", which, want, all)
			}
		}
	}
}

// The longest texts there can be stay within the limits of blocks and cards.
func TestLimits(t *testing.T) {
	t.Parallel()
	f := hostile()
	long := strings.Repeat("x", 5000)
	f.Actor.Session, f.Unverified, f.Secret.Name = long, long, strings.Repeat("n", 512)
	f.Cause = &audit.Cause{Step: long, Kind: long, Error: long, Hint: long}
	s := newSet()
	for which, one := range people(t, s) {
		if err := one.Deliver(t.Context(), []audit.Finding{f}); err != nil {
			t.Fatal(err)
		}
		if last := s.wire.sent[len(s.wire.sent)-1]; len(last.body) > 28<<10 && which != "hook" {
			t.Errorf("%s: %d bytes", which, len(last.body))
		}
	}
	for _, r := range s.wire.sent {
		if r.url != slackURL {
			continue
		}
		var message struct {
			Attachments []struct {
				Blocks []struct {
					Type   string
					Text   struct{ Text string }
					Fields []struct{ Text string }
				}
			}
		}
		if err := json.Unmarshal([]byte(r.body), &message); err != nil {
			t.Fatal(err)
		}
		blocks := message.Attachments[0].Blocks
		if len(blocks) > 50 {
			t.Errorf("%d blocks", len(blocks))
		}
		for _, b := range blocks {
			most := map[string]int{"header": 150, "section": 3000}[b.Type]
			if most > 0 && len([]rune(b.Text.Text)) > most || len(b.Fields) > 10 {
				t.Errorf("a %s of %d characters and %d fields", b.Type, len(b.Text.Text), len(b.Fields))
			}
		}
	}
}

// PagerDuty keeps one alert open for an incident, and is told of its end.
func TestPagerDuty(t *testing.T) {
	t.Parallel()
	s := newSet()
	again := failed()
	again.Key = "another"
	if err := people(t, s)["pager"].Deliver(t.Context(), []audit.Finding{failed(), again, over()}); err != nil {
		t.Fatal(err)
	}
	type event struct {
		RoutingKey string `json:"routing_key"`
		Action     string `json:"event_action"`
		Dedup      string `json:"dedup_key"`
		Payload    struct{ Summary, Source, Severity string }
	}
	var events []event
	for _, r := range s.wire.sent {
		var e event
		if err := json.Unmarshal([]byte(r.body), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
		if r.url != "https://events.pagerduty.com/v2/enqueue" || e.RoutingKey != "secret-path" || e.Dedup != events[0].Dedup || len(e.Dedup) > 255 {
			t.Errorf("sent %+v to %s", e, r.url)
		}
	}
	if len(events) != 3 || events[0].Action != "trigger" || events[1].Action != "trigger" || events[2].Action != "resolve" ||
		events[0].Payload.Severity != "error" || events[0].Payload.Source == "" || events[0].Payload.Summary == "" {
		t.Errorf("sent %+v", events)
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	s := newSet()
	hook, err := sink.NewWebhook("hook", "hook", `{summary: .title, urgent: (.severity == "critical"), tags: [.detection, .secret.name], env: $ENV}`, false, s.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := hook.Deliver(t.Context(), []audit.Finding{failed()}); err != nil {
		t.Fatal(err)
	}
	if got := s.wire.sent[0].body; got != `{"env":{},"summary":"Rotation failed: prod/billing/db","tags":["rotation-failed","prod/billing/db"],"urgent":false}` {
		t.Errorf("sent %s", got)
	}
	for _, bad := range []string{"{", "nothing(1)", "empty", `error("no")`, "def f: f; f"} {
		if _, err := sink.NewWebhook("hook", "hook", bad, false, s.options); !errors.Is(err, rotation.ErrConfig) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A finding that is sent again has the same id, whatever the time.
func TestWebhookID(t *testing.T) {
	t.Parallel()
	s := newSet()
	other := failed()
	other.Key = "other"
	if err := people(t, s)["hook"].Deliver(t.Context(), []audit.Finding{failed(), failed(), other}); err != nil {
		t.Fatal(err)
	}
	id := func(n int) string { return s.wire.sent[n].header.Get("webhook-id") }
	if id(0) == "" || id(0) != id(1) || id(0) == id(2) {
		t.Errorf("the ids are %s, %s, %s", id(0), id(1), id(2))
	}
}

func TestConsole(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-west-1":     "https://eu-west-1.console.aws.amazon.com/secretsmanager/",
		"cn-north-1":    "https://cn-north-1.console.amazonaws.cn/secretsmanager/",
		"us-gov-west-1": "https://us-gov-west-1.console.amazonaws-us-gov.com/secretsmanager/",
		"us-iso-east-1": "",
		"":              "",
	} {
		f := failed()
		f.Secret.Region = region
		if got := sink.Describe(f, "").Console; !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %s", region, got)
		}
	}
}

// A line of the log carries its metrics.
func TestLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := failed()
	f.Count = 7
	if err := (&sink.Log{To: slog.New(slog.NewJSONHandler(&out, nil))}).Deliver(t.Context(), []audit.Finding{f}); err != nil {
		t.Fatal(err)
	}
	var line struct {
		Level, Msg, Detection, Severity, Secret string
		Findings                                int
		AWS                                     struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	m := line.AWS.CloudWatchMetrics
	if line.Findings != 7 || line.Detection != f.Detection.ID || line.Level != "WARN" || len(m) != 1 || m[0].Namespace != "rekey" || m[0].Metrics[0].Name != "Findings" {
		t.Errorf("the line is %s", out.String())
	}
}
