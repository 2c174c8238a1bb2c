package rotation

import (
	"context"
	"fmt"
	"time"
)

// Retirer is an [Engine] whose old credential outlives the rotation: the four
// steps cannot end it without an outage, so that a fifth does, after a grace
// period.
type Retirer interface {
	// Retire ends the credential of r.Old, and nothing else. It succeeds if that
	// has ended already, and if there is nothing to end, which it notes. ErrBusy:
	// the credential is still in use, or now is not the time; it is called again
	// later. It may run again after any partial effect, twice at once, and while
	// a rotation is under way (r.Rotating).
	//
	// What it ends is never the credential of r.Current or r.Pending: it compares
	// what identifies them. Before an act whose effect depends on which credential
	// is which at that moment, it asks r.StillDue.
	Retire(ctx context.Context, r Request) error
}

// Keeper is a [Retirer] that can tell from the value that became current whether
// the one before it outlives the rotation at all. Where it does not, nothing is
// planned. It is asked in finishSecret, with r.Current set.
type Keeper interface {
	KeepsOld(ctx context.Context, r Request) (bool, error)
}

// Planner has retirements carried out: it sees to it that the function is invoked
// with the event of the retirement at its time or somewhat later.
type Planner interface {
	// Plan is idempotent: a retirement of the same secret, token and try that is
	// planned already stays as it is.
	Plan(ctx context.Context, r Retirement) error
}

// Retirement is the end of an old credential that is to come.
type Retirement struct {
	SecretID string    // the secret's ARN
	Token    string    // the version that became current
	Old      string    // the version that was current before: what is retired
	At       time.Time // not before
	Try      int       // 1, or more if it was put off
}

// Event is what the function is invoked with when the time has come.
func (r Retirement) Event() Event {
	return Event{Step: RetireSecret, SecretID: r.SecretID, Token: r.Token, Old: r.Old, NotBefore: r.At.UTC().Truncate(time.Second), Try: r.Try}
}

// The number of times that a retirement is tried, when the old credential is in
// use or something fails, and the pause between: a quarter of the grace period.
const (
	maxRetireTries = 12
	minRetirePause = time.Minute
	maxRetirePause = 6 * time.Hour
)

func retirePause(grace time.Duration) time.Duration {
	return min(max(grace/4, minRetirePause), maxRetirePause)
}

// validateRetirement refuses what no planner of ours would send.
func (e Event) validateRetirement() error {
	switch {
	case len(e.Old) < 32 || len(e.Old) > 64:
		return badRetirement(fmt.Sprintf("Retires has %d characters", len(e.Old)), "Retires must be the id of the version to retire, 32 to 64 characters.")
	case e.Old == e.Token:
		return badRetirement("Retires and ClientRequestToken are the same version", "Retires is the version that was current before ClientRequestToken.")
	case e.NotBefore.IsZero():
		return badRetirement("NotBefore is missing", "NotBefore must be the time at which the grace period ends, such as 2026-01-31T12:00:00Z.")
	case e.Try < 1 || e.Try > maxRetireTries:
		return badRetirement(fmt.Sprintf("Try is %d", e.Try), fmt.Sprintf("Try counts from 1 to %d.", maxRetireTries))
	}
	return nil
}

func badRetirement(wrong, remedy string) error {
	return WithHint(fmt.Errorf("reading the event: %s: %w", wrong, ErrConfig), remedy)
}
