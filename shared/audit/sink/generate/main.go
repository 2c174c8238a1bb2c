// Command generate draws what the sinks for people send, for docs/alerts.md: the payloads are
// the real ones.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/sink"
	"github.com/rekey-aws/rekey/shared/rotation"
)

func main() {
	folder := filepath.Join("..", "..", "..", "docs") // go generate runs in the package's folder
	slack, err := payload(func(o sink.Options) audit.Sink { return sink.NewSlack("slack", "secret", o) })
	check(err)
	teams, err := payload(func(o sink.Options) audit.Sink { return sink.NewTeams("teams", "secret", o) })
	check(err)
	picture, err := drawSlack(slack)
	check(err)
	check(os.WriteFile(filepath.Join(folder, "alert-slack.svg"), picture, 0o644)) //nolint:gosec // G306: a picture in the source tree is public
	picture, err = drawTeams(teams)
	check(err)
	check(os.WriteFile(filepath.Join(folder, "alert-teams.svg"), picture, 0o644)) //nolint:gosec // G306: a picture in the source tree is public
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "drawing alerts:", err)
		os.Exit(1)
	}
}

// payload is what a sink sends of the sample.
func payload(make func(sink.Options) audit.Sink) ([]byte, error) {
	c := &capture{}
	one := make(sink.Options{Secrets: c, Transport: c, Playbooks: "https://github.com/rekey-aws/rekey/blob/main/docs/playbooks/"})
	err := one.Deliver(context.Background(), []audit.Finding{sample()})
	return c.body, err
}

// capture is the other side, and its address.
type capture struct{ body []byte }

func (c *capture) Value(context.Context, string, bool) (rotation.Value, error) {
	return rotation.TextValue(`{"url": "https://example.com/"}`), nil
}

func (c *capture) RoundTrip(r *http.Request) (_ *http.Response, err error) {
	c.body, err = io.ReadAll(r.Body)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("")), Request: r}, err
}

// sample is a rotation that failed.
func sample() audit.Finding {
	d, _ := audit.Find("rotation-failed")
	secret := audit.NamedSecret("arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/billing/db-AbCdEf", "", "")
	at := time.Date(2026, 5, 4, 3, 12, 9, 0, time.UTC)
	return audit.Finding{
		Key: "k", Incident: "i", Detection: d, Time: at, Secret: secret, Count: 1,
		Event: audit.Event{
			Time: at, Kind: audit.ServiceEvent, Name: "RotationFailed", Account: secret.Account, Region: secret.Region, Secret: secret,
			Request: audit.Request{Function: "arn:aws:lambda:eu-central-1:123456789012:function:rotate-rds", Step: "setSecret"},
		},
		Cause: &audit.Cause{
			Step: "setSecret", Kind: "refused", Error: `logging in as "billing" on db.internal:5432: the password is refused, and so is that of every older version`,
			Hint: "Put the password that the database accepts into AWSCURRENT, then run the rotation again.",
		},
	}
}
