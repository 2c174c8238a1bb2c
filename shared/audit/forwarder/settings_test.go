package forwarder_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/forwarder"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// What docs/alerts.md shows is what the function takes, sinks and their templates too.
func TestDocumentedSettings(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 2 {
		t.Fatalf("%d blocks of JSON", len(blocks))
	}
	for _, b := range blocks {
		document := b[1]
		if !strings.Contains(document, `"sinks"`) {
			document = `{"sinks": [` + document + `]}`
		}
		f := forwarder.New(func(name string) (string, bool) {
			v, ok := map[string]string{"AWS_REGION": "eu-central-1", forwarder.EnvConfig: document}[name]
			return v, ok
		}, slog.New(slog.DiscardHandler))
		if f.Misconfigured != nil || len(f.Sinks) < 2 {
			t.Errorf("%v, with %d sinks: %s", f.Misconfigured, len(f.Sinks), document)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	s, err := forwarder.Read("")
	if err != nil || time.Duration(s.Window) != 10*time.Minute {
		t.Errorf("without a document: %+v, %v", s, err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(`{"window": "3m", "sinks": [{"name": "a", "from": "High", "securityHub": {}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = forwarder.Read(file)
	if err != nil || time.Duration(s.Window) != 3*time.Minute || s.Sinks[0].From != audit.High {
		t.Errorf("from a file: %+v, %v", s, err)
	}
	for document, says := range map[string]string{
		"/no/such/file":                   "neither",
		"{":                               "EOF",
		"{} {}":                           "more after",
		`{"sinks": 1}`:                    "sinks",
		`{"unknown": 1}`:                  "unknown",
		`{"window": "1h30"}`:              "duration",
		`{"window": "48h"}`:               "window",
		`{"playbooks": "http"}`:           "playbooks",
		`{"logGroups": {"f": "a group"}}`: "logGroups: f",
		`{"sinks": [{"name": "a"}]}`:      "sinks[0] (a): give one of",
		`{"sinks": [{"name": "a", "slack": {"secret": ""}}]}`:                             "secret",
		`{"sinks": [{"name": "a", "slack": {"secret": "s"}, "sns": {}}]}`:                 "give one of",
		`{"sinks": [{"name": "a b", "securityHub": {}}]}`:                                 "sinks[0].name",
		`{"sinks": [{"name": "a", "from": "urgent", "securityHub": {}}]}`:                 "severity",
		`{"sinks": [{"name": "a", "sns": {"topic": "alerts"}}]}`:                          "topic",
		`{"sinks": [{"name": "a", "firehose": {"stream": "a/b"}}]}`:                       "stream",
		`{"sinks": [{"name": "a", "slack": {"secret": "s", "url": "u"}}]}`:                "url",
		`{"detect": {"rotationRoles": ["*"]}}`:                                            "rotationRoles",
		`{"sinks": [{"name": "a", "webhook": {"secret": "` + longID + `"}}]}`:             "secret",
		`{"sinks": [{"name": "a", "securityHub": {}}, {"name": "a", "securityHub": {}}]}`: "another sink",
	} {
		if _, err := forwarder.Read(document); !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), says) || rotation.Hint(err) == "" {
			t.Errorf("%s: %v, want %q", document, err, says)
		}
	}
}

var longID = strings.Repeat("s", 2049)
