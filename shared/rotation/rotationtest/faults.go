package rotationtest

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Fate is what happens at a side effect.
type Fate int

const (
	// Healthy: the effect happens and its reply arrives.
	Healthy Fate = iota
	// NotDone: the effect does not happen; the caller gets an error.
	NotDone
	// ReplyLost: the effect happens; the caller gets an error.
	ReplyLost
	// KilledBefore: the process dies before the effect.
	KilledBefore
	// KilledAfter: the process dies after the effect.
	KilledAfter
	// Stalled: the effect does not happen, and no reply comes before the caller's
	// deadline. For a [Wire].
	Stalled
	// Throttled: the effect does not happen; the caller is asked to slow down. For
	// an [Injector].
	Throttled
)

// Faults are the fates of every kind of effect, other than Healthy.
var Faults = []Fate{NotDone, ReplyLost, KilledBefore, KilledAfter}

func (f Fate) String() string {
	return [...]string{"healthy", "not done", "reply lost", "killed before", "killed after", "stalled", "throttled"}[f]
}

// Injector decides the fate of side effects. Doubles of stores and drivers pass
// each effect through [Injector.Do]; a healthy run records them, and the runs
// after it fail at one each. The zero Injector lets all be healthy. It is safe
// for several goroutines.
type Injector struct {
	mu      sync.Mutex
	effects []string
	at      int
	fate    Fate
}

// FailAt plans one fault: the nth effect from now (0 is the next) meets fate.
func (i *Injector) FailAt(n int, fate Fate) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.at, i.fate, i.effects = n, fate, nil
}

// Effects are the names of the effects since the last FailAt.
func (i *Injector) Effects() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.effects...)
}

// Do carries out one effect, or does not.
func (i *Injector) Do(name string, effect func() error) error {
	switch i.next(name) {
	case NotDone:
		return fmt.Errorf("%s: injected fault, not done: %w", name, rotation.ErrUnreachable)
	case ReplyLost:
		if err := effect(); err != nil {
			return err
		}
		return fmt.Errorf("%s: injected fault, reply lost: %w", name, rotation.ErrUnreachable)
	case Throttled:
		return fmt.Errorf("%s: injected fault: %w", name, rotation.ErrThrottled)
	case KilledBefore:
		runtime.Goexit()
	case KilledAfter:
		_ = effect()
		runtime.Goexit()
	}
	return effect()
}

func (i *Injector) next(name string) Fate {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.effects = append(i.effects, name)
	if i.fate != Healthy && len(i.effects) == i.at+1 {
		return i.fate
	}
	return Healthy
}
