package forwarder

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/state"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// delivery is an event that was delivered, and what it comes to.
type delivery struct {
	body     []byte
	findings []*work
	err      error // of the event itself
}

// work is a finding on its way. Deliveries of the same event share it.
type work struct {
	audit.Finding
	unclaimed bool     // the state could not be asked whose it is
	reminder  bool     // of a storm
	has       []string // the sinks that have it
	err       error    // what kept it from being done with
	done      bool
}

// forward takes deliveries to sinks, and returns what became of each.
func (f *Forwarder) forward(ctx context.Context, deliveries []delivery) []error {
	all := map[string]*work{}
	var order []*work
	for n := range deliveries {
		d := &deliveries[n]
		findings, err := f.examine(ctx, d.body)
		d.err = err
		for _, one := range findings {
			w := all[one.Key]
			if w == nil {
				w = &work{Finding: one}
				all[one.Key], order = w, append(order, w)
			}
			d.findings = append(d.findings, w)
		}
	}
	f.tell(ctx, order)
	results := make([]error, len(deliveries))
	for n, d := range deliveries {
		problems := []error{d.err}
		for _, w := range d.findings {
			if !w.done {
				problems = append(problems, w.err)
			}
		}
		results[n] = errors.Join(problems...)
	}
	return results
}

// examine finds what is in an event. What is no event is buried.
func (f *Forwarder) examine(ctx context.Context, body []byte) ([]audit.Finding, error) {
	event, err := audit.Normalize(body)
	if err != nil {
		return nil, f.bury(ctx, body, err)
	}
	return f.Detector.Examine(ctx, &event, nil), nil
}

// longestLetter leaves room in an SQS message for what is around the input.
const longestLetter = 200 << 10

// bury puts what is no event where a person finds it, with the reason.
func (f *Forwarder) bury(ctx context.Context, body []byte, reason error) error {
	refused := rotation.WithHint(fmt.Errorf("the input is no event: %w: %w", reason, rotation.ErrConfig),
		"Look at the rule, the queue or whatever else invoked the function: it forwards events of EventBridge and CloudTrail.")
	if f.DeadLetters == "" {
		return refused
	}
	letter, err := json.Marshal(struct {
		Reason string `json:"reason"`
		Time   string `json:"time"`
		Input  string `json:"input"`
	}{reason.Error(), f.now().UTC().Format(time.RFC3339), strings.ToValidUTF8(string(body[:min(len(body), longestLetter)]), "\uFFFD")})
	if err != nil {
		return err
	}
	if err := f.Account.Bury(ctx, f.DeadLetters, string(letter)); err != nil {
		return err
	}
	f.Log.LogAttrs(ctx, slog.LevelWarn, "dead letter", slog.String("reason", reason.Error()))
	return nil
}

// tell sees that sinks have each finding, or says in its err why they do not.
func (f *Forwarder) tell(ctx context.Context, all []*work) {
	owner := rand.Text()
	var own, alerts []*work
	for _, w := range all {
		if len(w.Resolves) > 0 && !f.resolves(ctx, w) {
			w.done = true // of no trouble that anybody was told of
			continue
		}
		if f.claim(ctx, w, owner) {
			own = append(own, w)
		}
	}
	for _, group := range groups(own) {
		if w := f.gather(ctx, group); w != nil {
			alerts = append(alerts, w)
		}
	}
	f.explainAll(ctx, alerts)
	f.deliver(ctx, alerts)
	for _, w := range alerts {
		f.settle(ctx, w)
	}
}

// claim says whether the finding is this invocation's to tell. If the state cannot be reached
// it is: rather twice than never.
func (f *Forwarder) claim(ctx context.Context, w *work, owner string) bool {
	c, err := f.State.Claim(ctx, w.Key, owner, f.lease(ctx))
	switch {
	case err != nil:
		w.unclaimed = true
		note(&w.Finding, "the state could not be reached, so this alert may come more than once: "+err.Error())
		return true
	case c.Status == state.Done:
		w.done = true
		return false
	case c.Status == state.Taken:
		w.err = rotation.WithHint(takenError(w.Key), "Nothing is to be done: it is looked at again when the event is delivered again.")
		return false
	}
	w.has = c.Has
	return true
}

// takenError is that of a finding, named by its key, which another invocation is at.
type takenError string

func (e takenError) Error() string { return string(e) + ": another invocation is telling sinks of it" }
func (takenError) Unwrap() error   { return rotation.ErrConflict }

// lease is for as long as this invocation can last.
func (f *Forwarder) lease(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(time.Until(deadline), 0) + 4*margin
	}
	return time.Minute
}

// note adds to what is uncertain about a finding.
func note(f *audit.Finding, text string) {
	if f.Unverified != "" {
		text = f.Unverified + "; " + text
	}
	f.Unverified = text
}

// resolves says whether a success ends a trouble that sinks were told of, and leaves only
// those.
func (f *Forwarder) resolves(ctx context.Context, w *work) bool {
	var open []string
	for _, incident := range w.Resolves {
		is, err := f.State.IsOpen(ctx, incident)
		if is || err != nil {
			open = append(open, incident)
		}
	}
	w.Resolves = open
	return len(open) > 0
}

// groups puts equal findings together, in the order of their first.
func groups(all []*work) [][]*work {
	at := map[string]int{}
	var list [][]*work
	for _, w := range all {
		n, known := at[state.Alike(w.Finding)]
		if !known || len(w.Resolves) > 0 {
			n = len(list)
			at[state.Alike(w.Finding)] = n
			list = append(list, nil)
		}
		list[n] = append(list[n], w)
	}
	return list
}

// gather makes one alert of equal findings, or none, if there was one in this window. The rest
// of them are done with.
func (f *Forwarder) gather(ctx context.Context, group []*work) *work {
	w := group[0]
	rest := group[1:]
	w.Count = max(w.Count, 1) + len(rest)
	if len(w.Resolves) == 0 && !w.reminder && !w.unclaimed {
		count, err := f.State.Join(ctx, w.Finding, f.Window)
		switch {
		case err != nil:
			note(&w.Finding, "the state could not be reached, so equal ones were not counted: "+err.Error())
		case count == 0:
			f.finish(ctx, group)
			return nil
		default:
			w.Count = count
		}
	}
	f.finish(ctx, rest)
	return w
}

// finish notes that nothing is to be told of findings any more.
func (f *Forwarder) finish(ctx context.Context, all []*work) {
	for _, w := range all {
		w.done = true
		if err := f.State.Told(ctx, w.Key, nil, true); err != nil && !w.unclaimed {
			f.warn(ctx, "the state was not written: this may be counted twice", err)
		}
	}
}

// settle notes what sinks have, and that a trouble is known or over.
func (f *Forwarder) settle(ctx context.Context, w *work) {
	w.done = w.err == nil
	if w.unclaimed {
		return
	}
	if err := f.State.Told(ctx, w.Key, w.has, w.done); err != nil {
		f.warn(ctx, "the state was not written: sinks may be told again", err)
	}
	if !w.done {
		return
	}
	var err error
	switch {
	case len(w.Resolves) > 0:
		for _, incident := range w.Resolves {
			err = errors.Join(err, f.State.Closed(ctx, incident))
		}
	case w.Event.Kind != audit.Call: // those that a success can end
		err = f.State.Opened(ctx, w.Incident)
	}
	if w.reminder {
		err = errors.Join(err, f.State.Reminded(ctx, w.Finding))
	}
	if err != nil {
		f.warn(ctx, "the state was not written: the end of this trouble may not be told", err)
	}
}
