package forwarder

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// The time around a failure in which its function's log is read. Secrets Manager tries a
// rotation several times before it gives up, and each step may take 15 minutes; records come
// with the second, lines with the millisecond.
const (
	before = time.Hour
	after  = time.Minute
)

// Lines appear in CloudWatch Logs a moment after they are written.
const (
	looks     = 3
	lookAgain = 700 * time.Millisecond
)

// readers is how many logs are read at once.
const readers = 8

func (f *Forwarder) explainAll(ctx context.Context, all []*work) {
	var group sync.WaitGroup
	free := make(chan struct{}, readers)
	for _, w := range all {
		free <- struct{}{}
		group.Go(func() {
			defer func() { <-free }()
			f.explain(ctx, w)
		})
	}
	group.Wait()
}

// explain adds to the failure of a rotation what its function said, or why that is not told.
// See docs/state-machine.md for the line.
func (f *Forwarder) explain(ctx context.Context, w *work) {
	r := w.Event.Request
	if w.Event.Kind != audit.ServiceEvent || r.Function == "" || !versionID.fits(r.VersionID) || f.Account == nil {
		return
	}
	group := f.logGroup(r.Function)
	pattern := fmt.Sprintf(`{ ($.level = "ERROR") && ($.version = %q) }`, r.VersionID)
	for look := 1; ; look++ {
		lines, err := f.Account.Lines(ctx, group, pattern, w.Time.Add(-before), w.Time.Add(after), 100)
		if err != nil {
			note(&w.Finding, fmt.Sprintf("why it failed is in the function's log, which could not be read (%s): %s", err.Error(), rotation.Hint(err)))
			return
		}
		if w.Cause = cause(lines, r.Step); w.Cause != nil {
			return
		}
		if look == looks || sleep(ctx, lookAgain) != nil {
			note(&w.Finding, "no line about it was found in the function's log "+group)
			return
		}
	}
}

// logGroup is that of a function, given by its ARN or name.
func (f *Forwarder) logGroup(function string) string {
	name := function
	if part := strings.Split(function, ":"); len(part) >= 7 {
		name = part[6] // and not a version or an alias behind it
	}
	return cmp.Or(f.LogGroups[name], "/aws/lambda/"+name)
}

// longestCause keeps a text from filling messages.
const longestCause = 800

// cause is what the latest of the lines says, of the step that failed if that is known.
func cause(lines []string, step string) (found *audit.Cause) {
	for _, text := range lines {
		var line struct {
			Step      string `json:"step"`
			Kind      string `json:"kind"`
			Error     string `json:"error"`
			Hint      string `json:"hint"`
			RequestID string `json:"request_id"`
		}
		if json.Unmarshal([]byte(text), &line) != nil || line.Error == "" || step != "" && line.Step != step {
			continue
		}
		found = &audit.Cause{
			Step: clip(line.Step), Kind: clip(line.Kind), Error: clip(line.Error), Hint: clip(line.Hint), RequestID: clip(line.RequestID),
		}
	}
	return found
}

func clip(s string) string {
	if len(s) > longestCause {
		s = s[:longestCause] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
