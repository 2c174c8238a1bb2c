package forwarder

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/state"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// scanEvery is how often all secrets are looked at. The schedule may be more frequent: then it
// tells of storms that are over in between, and goes on with a scan that one invocation had not
// the time for.
const scanEvery = time.Hour

// pageTime is more than a page of secrets takes, with what is found in it.
const pageTime = 5 * time.Second

// scheduled tells of storms that are over, and looks for rotations that are overdue.
func (f *Forwarder) scheduled(ctx context.Context) error {
	return errors.Join(f.remind(ctx), f.scan(ctx))
}

func (f *Forwarder) remind(ctx context.Context) error {
	due, err := f.State.Reminders(ctx, f.Window)
	works := make([]*work, len(due))
	for n, one := range due {
		works[n] = &work{Finding: one, reminder: true}
	}
	f.tell(ctx, works)
	for _, w := range works {
		if !w.done {
			err = errors.Join(err, w.err)
		} else if e := f.State.Reminded(ctx, w.Finding); e != nil {
			err = errors.Join(err, e)
		}
	}
	return err
}

// scan goes on where the last one ended, page by page, until the end or until there is no time
// for another page. Without a state it begins anew each time.
func (f *Forwarder) scan(ctx context.Context) error {
	last, err := f.State.LastScan(ctx)
	if err != nil {
		f.warn(ctx, "the state could not be read: the secrets are looked at from the beginning", err)
	}
	if last.Next == "" && f.now().Sub(last.Done) < scanEvery {
		return nil
	}
	var problems error
	for seen := 0; ; {
		page, next, err := f.Account.Page(ctx, last.Next, "")
		if errors.Is(err, rotation.ErrNotFound) && last.Next != "" { // the place is no longer one
			last.Next = ""
			continue
		}
		if err != nil {
			return errors.Join(problems, err)
		}
		seen += len(page)
		if err := f.overdue(ctx, page); err != nil {
			problems = errors.Join(problems, err)
		}
		last.Next = next
		if next == "" {
			last = state.Scan{Done: f.now()}
		}
		if err := f.State.SaveScan(ctx, last); err != nil {
			f.warn(ctx, "the state was not written: the secrets are looked at again from the beginning", err)
		}
		if next == "" || !enough(ctx, pageTime) {
			f.Log.LogAttrs(ctx, slog.LevelInfo, "looked for overdue rotations", slog.Int("secrets", seen), slog.Bool("all", next == ""))
			return problems
		}
	}
}

func enough(ctx context.Context, need time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > need
}

func (f *Forwarder) overdue(ctx context.Context, page []audit.Metadata) error {
	var works []*work
	for _, secret := range page {
		if found, is := f.Detector.Overdue(secret, f.now()); is {
			works = append(works, &work{Finding: found})
		}
	}
	f.tell(ctx, works)
	var problems error
	for _, w := range works {
		if !w.done {
			problems = errors.Join(problems, w.err)
		}
	}
	return problems
}

// Decoys are the secrets that have a tag, as they were listed at most five minutes ago. A nil
// one has none.
type Decoys struct {
	tag     string
	account Account
	names   atomic.Pointer[map[string]bool] // by Secret.Key
	since   atomic.Int64                    // Unix seconds
}

// NewDecoys makes the list of a tag, nil if that is empty.
func NewDecoys(tag string, a Account) *Decoys {
	if tag == "" {
		return nil
	}
	return &Decoys{tag: tag, account: a}
}

// Has is for [audit.WithDecoys].
func (d *Decoys) Has(s audit.Secret) bool {
	names := d.names.Load()
	return names != nil && (*names)[s.Key()]
}

const decoysFresh = 5 * time.Minute

func (d *Decoys) refresh(ctx context.Context, f *Forwarder) {
	if d == nil || f.now().Unix()-d.since.Load() < int64(decoysFresh/time.Second) {
		return
	}
	names := map[string]bool{}
	for from := ""; ; {
		page, next, err := d.account.Page(ctx, from, d.tag)
		if err != nil {
			f.warn(ctx, "the decoys could not be listed: those that were known are", err)
			return
		}
		for _, m := range page {
			names[m.Secret.Key()] = true
		}
		if from = next; next == "" {
			d.names.Store(&names)
			d.since.Store(f.now().Unix())
			return
		}
	}
}
