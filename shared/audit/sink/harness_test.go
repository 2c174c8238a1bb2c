package sink_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/sink"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// wire stands in for the network: it answers what it is told to, and keeps what was sent.
type wire struct {
	mu     sync.Mutex
	sent   []sent
	answer func(n int, r sent) (status int, header http.Header, err error) // nil: 200
}

type sent struct {
	url    string
	header http.Header
	body   string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := sent{r.URL.String(), r.Header, string(body)}
	w.sent = append(w.sent, s)
	status, header := http.StatusOK, http.Header{}
	if w.answer != nil {
		status, header, err = w.answer(len(w.sent), s)
		if err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("what the other side says: secret-path")), Request: r}, nil
}

// vault holds the sinks' secrets; the second value of one is what is there when it is read anew.
type vault struct {
	values map[string][]string
	anew   int
}

func (v *vault) Value(_ context.Context, id string, anew bool) (rotation.Value, error) {
	all := v.values[id]
	if len(all) == 0 {
		return rotation.Value{}, fmt.Errorf("no secret %s: %w", id, rotation.ErrConfig)
	}
	if anew {
		v.anew++
		return rotation.TextValue(all[len(all)-1]), nil
	}
	return rotation.TextValue(all[0]), nil
}

const (
	slackURL = "https://hooks.slack.com/services/secret-path"
	teamsURL = "https://prod-01.westeurope.logic.azure.com/workflows/secret-path?sig=secret-path"
	hookURL  = "https://alerts.example.com/secret-path"
	hookKey  = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

// set is a wire, a vault and the options of sinks with them. Nothing is waited for: the pauses
// are kept.
type set struct {
	wire    wire
	vault   vault
	pauses  []time.Duration
	options sink.Options
}

var clock = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func newSet() *set {
	s := &set{vault: vault{values: map[string][]string{
		"slack": {`{"url": "` + slackURL + `"}`},
		"teams": {`{"url": "` + teamsURL + `"}`},
		"hook":  {`{"url": "` + hookURL + `", "key": "` + hookKey + `"}`},
		"pager": {`{"routingKey": "secret-path"}`},
	}}}
	s.options = sink.Options{
		Secrets: &s.vault, Playbooks: "https://example.com/playbooks/", Transport: &s.wire, Now: func() time.Time { return clock },
		Pause: func(_ context.Context, d time.Duration) error {
			s.pauses = append(s.pauses, d)
			return nil
		},
	}
	return s
}

// failed is a rotation that failed, with all there can be in a finding.
func failed() audit.Finding {
	d := &audit.Detection{
		ID: "rotation-failed", Title: "Rotation failed", Severity: audit.High, Techniques: []string{"T1098"},
		Why: "The credential stays older than its policy allows until a rotation succeeds.", Do: "Read the cause.",
	}
	secret := audit.NamedSecret("arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/billing/db-AbCdEf", "", "")
	return audit.Finding{
		Key: d.ID + "|e-1", Incident: d.ID + "|" + secret.Key(), Detection: d, Time: clock, Secret: secret, Count: 1,
		Event: audit.Event{
			ID: "e-1", Time: clock, Kind: audit.ServiceEvent, Source: audit.SecretsManager, Name: "RotationFailed", Account: "123456789012",
			Region: "eu-central-1", Secret: secret,
			Request: audit.Request{Function: "arn:aws:lambda:eu-central-1:123456789012:function:rotate-rds", Step: "setSecret"},
		},
		Cause: &audit.Cause{
			Step: "setSecret", Kind: "refused", Error: `logging in as "billing": the password is refused by every version`,
			Hint: "Put the password that the database accepts into AWSCURRENT, then run the rotation again.", RequestID: "r-1",
		},
	}
}

// hostile is a read by someone whose session's name is markup in all the languages of sinks.
func hostile() audit.Finding {
	d, _ := audit.Find("pending-read")
	f := failed()
	f.Key, f.Incident, f.Detection, f.Cause = d.ID+"|e-2", d.ID+"|"+f.Secret.Key(), d, nil
	f.Event.Kind, f.Event.Name, f.Event.SourceIP = audit.Call, "GetSecretValue", "198.51.100.7"
	f.Event.Request = audit.Request{VersionStage: "AWSPENDING"}
	f.Actor = audit.Identity{
		Type: "AssumedRole", Principal: "arn:aws:iam::123456789012:role/x", Name: "x",
		Session: "<!channel> <https://evil.example|click> [click](https://evil.example) *b* & \"q\"\nSubject: line",
	}
	f.Unverified = "the state could not be reached"
	return f
}

// over ends the first one's incident.
func over() audit.Finding {
	f := failed()
	f.Resolves, f.Detection, f.Cause = []string{f.Incident}, audit.Recovered, nil
	f.Key, f.Incident, f.Event.Name = "recovered|e-3", "recovered|"+f.Secret.Key(), "RotationSucceeded"
	return f
}

// people are the sinks that post to others' services.
func people(t *testing.T, s *set) map[string]audit.Sink {
	t.Helper()
	hook, err := sink.NewWebhook("hook", "hook", "", false, s.options)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]audit.Sink{
		"slack": sink.NewSlack("slack", "slack", s.options), "teams": sink.NewTeams("teams", "teams", s.options),
		"pager": sink.NewPagerDuty("pager", "pager", s.options), "hook": hook,
	}
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Hostname()
}
