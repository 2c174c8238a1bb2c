package audit

import (
	"context"
	"time"
)

// State remembers what single events do not tell: who was seen before, and how often. Times
// are those of events, so that a recording gives the same findings as the live stream.
// Implementations are right under concurrent callers in several processes, and drop what is
// over by themselves. An error means that the state could not be reached: the detector then
// forwards the finding and says so.
//
// Keys and members are up to 2,300 bytes of UTF-8 and hold no secret's value; they do hold
// names of secrets and principals. A second call with the same arguments gives the same
// answer: events are delivered more than once.
type State interface {
	// See records that key was seen at a time, and keeps it for at least keep after the last
	// time it was seen (an implementation may put this off for up to a twentieth of keep, to
	// save writes). First is when it was seen first: at, if it was not known, or forgotten.
	See(ctx context.Context, key string, at time.Time, keep time.Duration) (first time.Time, err error)

	// Count adds member to the set under key, and says how many there are. A window begins
	// with the first member and is over when an event comes that is window or more after
	// that; then the set begins anew. An event from before the window counts in it. A set may
	// stop to grow at 1,000 members.
	Count(ctx context.Context, key, member string, at time.Time, window time.Duration) (Tally, error)
}

// Tally is what State.Count has counted.
type Tally struct {
	Members int       // at least 1
	Since   time.Time // when the window began
}
