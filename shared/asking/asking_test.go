package asking_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/awsjson"
	"github.com/rekey-aws/rekey/local/eventbridge"
	"github.com/rekey-aws/rekey/local/sns"
	"github.com/rekey-aws/rekey/shared/asking"
	"github.com/rekey-aws/rekey/shared/rotation"
)

const topic = "arn:aws:sns:us-east-1:123456789012:rotations"

var question = rotation.Question{
	SecretID: "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf", Token: "11111111-1111-1111-1111-111111111111",
	Reason: "the vendor issues keys to people only", Remedy: "Use rekey submit.",
}

type world struct {
	bus   eventbridge.Bus
	topic sns.SNS
	asker rotation.Asker
}

func newWorld(t *testing.T, settings map[string]string) *world {
	t.Helper()
	w := &world{bus: eventbridge.Bus{Buses: []string{"rotations"}}, topic: sns.SNS{Topics: []string{topic}}}
	serve := func(h http.Handler) string {
		web := httptest.NewServer(h)
		t.Cleanup(web.Close)
		return web.URL
	}
	env := map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_MAX_ATTEMPTS": "1",
		"AWS_ENDPOINT_URL_EVENTBRIDGE": serve(&w.bus), "AWS_ENDPOINT_URL_SNS": serve(&w.topic),
	}
	for name, value := range settings {
		env[name] = value
	}
	var err error
	w.asker, err = asking.FromEnvironment(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAsk(t *testing.T) {
	w := newWorld(t, map[string]string{"ASK_EVENT_BUS": "rotations", "ASK_TOPIC_ARN": topic})
	if err := w.asker.Ask(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	events, messages := w.bus.Events(), w.topic.Messages()
	if len(events) != 1 || len(messages) != 1 {
		t.Fatalf("%d events, %d messages", len(events), len(messages))
	}
	e := events[0]
	if e.Bus != "rotations" || e.Source != asking.Source || e.DetailType != asking.DetailType || !cmp.Equal(e.Resources, []string{question.SecretID}) {
		t.Errorf("the event is %+v", e)
	}
	want := asking.Detail{Secret: question.SecretID, Version: question.Token, Reason: question.Reason, ToDo: question.Remedy}
	for _, text := range []string{e.Detail, messages[0].Text} {
		var got asking.Detail
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("it says %s: %v", text, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]string
		fault    string
		kind     error
		hint     string
	}{
		"no such bus":   {map[string]string{"ASK_EVENT_BUS": "other"}, "", rotation.ErrConfig, "ASK_EVENT_BUS"},
		"no such topic": {map[string]string{"ASK_TOPIC_ARN": topic + "x"}, "", rotation.ErrConfig, "ASK_TOPIC_ARN"},
		"denied":        {map[string]string{"ASK_EVENT_BUS": "rotations"}, "AccessDeniedException", rotation.ErrDenied, "events:PutEvents"},
		"throttled":     {map[string]string{"ASK_EVENT_BUS": "rotations"}, "ThrottlingException", rotation.ErrThrottled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.settings)
			if c.fault != "" {
				w.bus.Fault = func(string) *awsjson.Error { return awsjson.Refuse(c.fault, "because the test says so") }
			}
			err := w.asker.Ask(t.Context(), question)
			if !errors.Is(err, c.kind) || !strings.Contains(rotation.Hint(err), c.hint) {
				t.Errorf("got %v, hint %q", err, rotation.Hint(err))
			}
		})
	}
}

func TestSettings(t *testing.T) {
	from := func(env map[string]string) (rotation.Asker, error) {
		return asking.FromEnvironment(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	}
	if a, err := from(nil); a != nil || err != nil {
		t.Errorf("without settings: %v, %v", a, err)
	}
	for _, env := range []map[string]string{
		{"ASK_EVENT_BUS": "two words"}, {"ASK_TOPIC_ARN": "rotations"}, {"ASK_EVENT_BUS": "rotations"}, // no Region
	} {
		if _, err := from(env); !errors.Is(err, rotation.ErrConfig) {
			t.Errorf("%v: %v", env, err)
		}
	}
}
