package forwarder_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/fixture"
	"github.com/rekey-aws/rekey/shared/audit/forwarder"
	"github.com/rekey-aws/rekey/shared/audit/sink"
	"github.com/rekey-aws/rekey/shared/audit/state"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// planted is put where values, tokens and other payloads are.
const planted = "Planted-Value-0123456789"

// plant puts it into every member of a record that nobody may forward.
func plant(payload []byte) []byte {
	var e map[string]any
	if json.Unmarshal(payload, &e) != nil {
		return payload
	}
	record := e
	if detail, ok := e["detail"].(map[string]any); ok {
		record = detail
	}
	for _, name := range []string{"requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "tlsDetails", "addendum"} {
		members, ok := record[name].(map[string]any)
		if !ok {
			members = map[string]any{}
			if record[name] != nil {
				continue
			}
		}
		for _, secret := range []string{"secretString", "secretBinary", "rotationToken", "clientRequestToken", "SecretString", "other", "password"} {
			members[secret] = planted
		}
		record[name] = members
	}
	record["unknown"], e["unknown"] = planted, map[string]any{"deep": []any{planted}}
	text, err := json.Marshal(e)
	if err != nil {
		return payload
	}
	return text
}

// everything keeps all that leaves a forwarder: what sinks post, its log, and dead letters.
type everything struct {
	lines
	world
}

func (e *everything) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	_, _ = e.Write(body)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("")), Request: r}, err
}

func (e *everything) Value(context.Context, string, bool) (rotation.Value, error) {
	return rotation.TextValue(`{"url": "https://example.com/", "routingKey": "k", "key": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}`), nil
}

func forwardAll(t testing.TB) (*forwarder.Forwarder, *everything) {
	t.Helper()
	e := &everything{}
	e.world.linesErr = rotation.ErrDenied // a line that is not there would be waited for
	book := state.New(&state.Memory{}, nil)
	detector, err := audit.NewDetector(fixture.Config(), book)
	if err != nil {
		t.Fatal(err)
	}
	o := sink.Options{Secrets: e, Transport: e}
	hook, err := sink.NewWebhook("hook", "s", "", false, o)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(&e.lines, nil))
	f := &forwarder.Forwarder{Detector: detector, State: book, Account: &e.world, Window: time.Minute, Log: log}
	for _, s := range []audit.Sink{&sink.Log{To: log}, hook, sink.NewSlack("slack", "s", o), sink.NewTeams("teams", "s", o), sink.NewPagerDuty("pager", "s", o)} {
		f.Sinks = append(f.Sinks, forwarder.Sink{Sink: s})
	}
	return f, e
}

// Of every detection's story nothing leaves that was planted, and each is told.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	for n, c := range fixture.Cases() {
		if !c.Found || len(c.Events) == 0 {
			continue
		}
		f, e := forwardAll(t)
		e.world.linesErr = nil
		e.world.lines = []string{`{"level":"ERROR","step":"setSecret","error":"no","secretString":"` + planted + `"}`}
		for _, payload := range c.Events {
			if _, err := f.Handle(t.Context(), plant(payload)); err != nil {
				t.Fatal(err)
			}
		}
		if all := e.String(); strings.Contains(all, planted) || !strings.Contains(all, c.Detection) {
			t.Errorf("case %d, %s (%s): leaks, or is not told: %s", n, c.Detection, c.Name, all)
		}
	}
}

// Whatever is invoked with: no panic, and what is in members that nobody may forward stays.
func FuzzHandle(f *testing.F) {
	for _, c := range fixture.Cases() {
		for _, payload := range c.Events[:min(len(c.Events), 2)] {
			f.Add(payload)
		}
	}
	f.Add([]byte(tick))
	f.Add([]byte(`{"Records":[{"messageId":"1","eventSource":"aws:sqs","body":"{}"}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		forward, e := forwardAll(t)
		if strings.Contains(string(payload), planted[:8]) {
			t.Skip("it has what is looked for where it may be")
		}
		_, err := forward.Handle(t.Context(), plant(payload))
		if all := e.String() + fmt.Sprint(err); strings.Contains(all, planted) {
			t.Errorf("leaks: %s", all)
		}
	})
}
