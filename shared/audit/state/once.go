package state

import (
	"context"
	"slices"
	"time"
)

// Status says whose a finding is.
type Status int

// The statuses of a claim.
const (
	Won   Status = iota // the caller's, to tell sinks of
	Taken               // another's, who is at it; ask again after the lease
	Done                // every sink that must have it, has it
)

// Claim is the answer to who tells sinks of a finding.
type Claim struct {
	Status Status
	Has    []string // the sinks that have it already, from an earlier try
}

// delivery is what is known of a finding on its way.
type delivery struct {
	Owner string    `json:"owner,omitempty"`
	Until time.Time `json:"until"` // of the owner's lease
	Has   []string  `json:"has,omitempty"`
	Done  bool      `json:"done,omitempty"`
}

// remembered is how long a finding that was told is known: longer than any event is delivered
// again, also from a queue of dead letters, which keeps 14 days.
const remembered = 15 * 24 * time.Hour

// Claim makes owner the one who tells sinks of a finding, for the time of the lease. Who dies
// meanwhile has told some sinks and not others: when the lease is over the next one goes on
// with those that are not known to have it.
func (b *Book) Claim(ctx context.Context, finding, owner string, lease time.Duration) (c Claim, err error) {
	err = edit(ctx, b, Key{"told " + short(finding), "-"}, func(d *delivery, known bool) (bool, time.Time) {
		now := b.now()
		c = Claim{Won, d.Has}
		switch {
		case d.Done:
			c.Status = Done
			return false, now
		case known && d.Owner != "" && d.Owner != owner && now.Before(d.Until):
			c.Status = Taken
			return false, now
		}
		d.Owner, d.Until = owner, now.Add(lease)
		return true, now.Add(remembered)
	})
	return c, err
}

// Told notes the sinks that have a finding, and whether that is all of them. If it is not, the
// claim ends: the next try need not wait for the lease.
func (b *Book) Told(ctx context.Context, finding string, sinks []string, done bool) error {
	return edit(ctx, b, Key{"told " + short(finding), "-"}, func(d *delivery, _ bool) (bool, time.Time) {
		d.Has = slices.Compact(slices.Sorted(slices.Values(slices.Concat(d.Has, sinks))))
		d.Owner, d.Done = "", d.Done || done
		return true, b.now().Add(remembered)
	})
}

// Note is Told while the claim goes on: one sink has it.
func (b *Book) Note(ctx context.Context, finding, sink string) error {
	return edit(ctx, b, Key{"told " + short(finding), "-"}, func(d *delivery, _ bool) (bool, time.Time) {
		if slices.Contains(d.Has, sink) {
			return false, time.Time{}
		}
		d.Has = append(d.Has, sink)
		return true, b.now().Add(remembered)
	})
}

// incident is a trouble that sinks were told of.
type incident struct {
	Open  bool      `json:"open"`
	Since time.Time `json:"since"`
}

// incidents are remembered for long: a rotation may fail for months.
const incidentKept = 400 * 24 * time.Hour

// Opened notes that sinks were told of an incident.
func (b *Book) Opened(ctx context.Context, name string) error {
	return edit(ctx, b, Key{"incident " + short(name), "-"}, func(i *incident, _ bool) (bool, time.Time) {
		if i.Open {
			return false, time.Time{}
		}
		*i = incident{true, b.now()}
		return true, b.now().Add(incidentKept)
	})
}

// IsOpen says whether sinks were told of an incident, and not yet of its end.
func (b *Book) IsOpen(ctx context.Context, name string) (open bool, err error) {
	err = edit(ctx, b, Key{"incident " + short(name), "-"}, func(i *incident, _ bool) (bool, time.Time) {
		open = i.Open
		return false, time.Time{}
	})
	return open, err
}

// Closed notes that sinks were told of an incident's end.
func (b *Book) Closed(ctx context.Context, name string) error {
	return edit(ctx, b, Key{"incident " + short(name), "-"}, func(i *incident, _ bool) (bool, time.Time) {
		if !i.Open {
			return false, time.Time{}
		}
		i.Open = false
		return true, b.now().Add(incidentKept)
	})
}
