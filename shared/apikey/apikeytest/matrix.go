package apikeytest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Outcome counts cases of the crash matrix, and what went wrong in them.
type Outcome struct {
	Cases int
	// Person: only a person could go on, and was told so: a credential that can be
	// used once was used, and the answer was lost.
	Person int
	// LockedOut: AWSCURRENT did not work where it must, or at the end.
	LockedOut int
	// Stuck: the rotation did not end without an error.
	Stuck int
	// Orphans: a key lived on that no version that counts holds.
	Orphans int
	// Replayed: a credential that can be used once was used again.
	Replayed int
	// Wrong: anything else that must not be.
	Wrong int
}

// Add adds counts.
func (o *Outcome) Add(more Outcome) {
	o.Cases += more.Cases
	o.Person += more.Person
	o.LockedOut += more.LockedOut
	o.Stuck += more.Stuck
	o.Orphans += more.Orphans
	o.Replayed += more.Replayed
	o.Wrong += more.Wrong
}

// Failures is everything but what a person had to do and was told.
func (o Outcome) Failures() int { return o.LockedOut + o.Stuck + o.Orphans + o.Replayed + o.Wrong }

// String says what went wrong.
func (o Outcome) String() string {
	return fmt.Sprintf("%d cases, %d for a person, locked out %d, stuck %d, orphans %d, replayed %d, otherwise wrong %d",
		o.Cases, o.Person, o.LockedOut, o.Stuck, o.Orphans, o.Replayed, o.Wrong)
}

// recovery is how the rotation goes on after a fault.
type recovery int

const (
	sameToken recovery = iota // as Secrets Manager does
	newToken                  // a person took AWSPENDING away and started another
)

// start is the state before the rotation in question.
type start int

const (
	fresh   start = iota // the key that a person made
	retired              // one rotation before, its old key ended
	// Two rotations before. The retirement after the second was lost: its old key lives,
	// and its grace period is over. Where only a name tells whose such a key is.
	unretired
)

// scenario is one case of the matrix.
type scenario struct {
	from start
	at   int
	fate Fate
	then recovery
}

func (s scenario) String() string {
	return fmt.Sprintf("%s at %d, then %s, from %s", s.fate, s.at, [...]string{"the same token", "a new token"}[s.then], [...]string{"fresh", "retired", "unretired"}[s.from])
}

// Share is how many of all cases are tried: one of so many. Those from a fresh start, and
// those from others, where the same effects come again.
type Share struct{ Fresh, Others int }

// All tries every case.
var All = Share{1, 1}

// Result is what came of a matrix.
type Result struct {
	Places  int // effects of a rotation and a retirement in which nothing fails
	Cases   int // all there are, tried or not
	Outcome Outcome
}

// CrashMatrix meets every effect of a rotation and of the retirement after it with
// every fate, and goes on in every way. Each failure is an error of the test.
func (l *Lane) CrashMatrix(t testing.TB, share Share) Result {
	var result Result
	for _, from := range l.starts() {
		effects := l.healthy(t, from)
		every := share.Others
		if from == fresh {
			every, result.Places = share.Fresh, effects
		}
		for at := range effects {
			for _, fate := range Fates {
				for _, then := range []recovery{sameToken, newToken} {
					if result.Cases++; result.Cases%every == 0 {
						result.Outcome.Add(l.try(t, scenario{from, at, fate, then}))
					}
				}
			}
		}
	}
	return result
}

func (l *Lane) starts() []start {
	if t := l.provider.Traits(); t.Lists && t.Class != apikey.Assisted {
		return []start{fresh, retired, unretired}
	}
	return []start{fresh, retired}
}

// healthy is how many effects there are when nothing fails.
func (l *Lane) healthy(t testing.TB, from start) int {
	w := l.NewWorld(t)
	w.begin(from)
	w.fail(-1, Healthy)
	if err := w.rotate(w.Store.Begin()); err != nil {
		t.Fatalf("%s: a healthy rotation fails: %v", l.Case.Provider, err)
	}
	w.settle(1)
	if o := w.judge(nil); o.Failures() > 0 {
		t.Fatalf("%s: after a healthy rotation: %+v %q", l.Case.Provider, o, w.wrong)
	}
	return len(w.line.effects)
}

// begin brings a world into its first state.
func (w *World) begin(from start) {
	if from == fresh {
		return
	}
	if err := w.rotate(w.Store.Begin()); err != nil {
		w.t.Fatalf("%s: the rotation before fails: %v", w.Case.Provider, err)
	}
	w.settle(1)
	if from == retired {
		return
	}
	if err := w.rotate(w.Store.Begin()); err != nil {
		w.t.Fatalf("%s: the second rotation before fails: %v", w.Case.Provider, err)
	}
	w.Planner.Take() // and it is forgotten
	w.Clock.Advance(Grace + time.Hour)
}

// try carries out one scenario.
func (l *Lane) try(t testing.TB, s scenario) Outcome {
	w := l.NewWorld(t)
	w.begin(s.from)
	w.fail(s.at, s.fate)
	r := w.Store.Begin()
	err := w.rotate(r)
	if err != nil {
		err = w.recover(&r, s.then, err)
	}
	person := w.asksPerson(err)
	if person {
		err = w.byHand()
	}
	w.settle(4)
	w.line.fate = Healthy
	o := w.judge(err)
	if person {
		o.Person++
	}
	if o.Failures() > 0 {
		t.Errorf("%s, %s (%s): %s\n%v", l.Case.Provider, s, w.line.effects[s.at], o, errors.Join(err, fmt.Errorf("wrong: %q, orphans: %q", w.wrong, w.orphans())))
	}
	return o
}

// recover runs the rotation again until it ends well. It may have to wait until the try
// that failed is certainly over.
func (w *World) recover(r *rotation.Rotation, then recovery, err error) error {
	if id, _ := w.Store.Labelled(rotation.Current); then == newToken && id != r.Token {
		w.Store.Unlabel(rotation.Pending)
		*r = w.Store.Begin()
	}
	for range 6 {
		if err = w.rotate(*r); err == nil {
			return nil
		}
		w.Clock.Advance(5 * time.Minute)
	}
	return err
}

// settle lets the time pass in which old keys are retired; at most rounds times another
// rotation is needed for it.
func (w *World) settle(rounds int) {
	for round := range rounds {
		w.retire()
		if len(w.orphans()) == 0 || round == rounds-1 {
			return
		}
		w.Clock.Advance(Grace + time.Hour)
		if err := w.rotate(w.Store.Begin()); err != nil {
			w.note("the rotation after fails: %v", err)
			return
		}
	}
}

// retire invokes what is planned, when it is. The scheduler tries three times.
func (w *World) retire() {
	for range 12 {
		plans := w.Planner.Take()
		for _, p := range plans {
			if wait := p.At.Sub(w.Clock.Now()); wait > 0 {
				w.Clock.Advance(wait)
			}
			for range 3 {
				if err := w.handle(p.Event()); err == nil {
					break
				}
				w.Clock.Advance(5 * time.Minute)
			}
		}
		if len(plans) == 0 {
			return
		}
	}
}

// judge looks at a world at the end.
func (w *World) judge(err error) Outcome {
	o := Outcome{Cases: 1, Wrong: len(w.wrong)}
	if w.Vendor.Replays() > 0 {
		o.Replayed++
	}
	if err != nil {
		o.Stuck++
	}
	if !w.Vendor.Works(w.current()) && !w.traits().Ends {
		o.LockedOut++
	}
	if w.traits().Revokes && len(w.orphans()) > 0 {
		o.Orphans++
	}
	if leaks := w.leaks(); leaks != nil {
		w.note("the log holds %q", leaks)
		o.Wrong++
	}
	if wrong := w.Vendor.Undocumented(); wrong != nil {
		w.note("no document has %q", wrong)
		o.Wrong++
	}
	return o
}

// asksPerson: the error says that only a person can go on, and what to do.
func (w *World) asksPerson(err error) bool {
	used := w.traits().Once && errors.Is(err, rotation.ErrRefused)
	taken := !w.traits().Lists && errors.Is(err, apikey.ErrLimit)
	return (used || taken) && rotation.Hint(err) != ""
}

// byHand is what that person does: a credential that was used up is made anew; a key
// that nobody has, and which takes the place of another, is ended in the console.
func (w *World) byHand() error {
	w.Store.Unlabel(rotation.Pending)
	if w.traits().Once {
		w.Store.Plant("by-hand-0000000000000000000000000000000000", w.Document(w.Vendor, w.Vendor.Mint("made by a person")), rotation.Current)
	} else {
		for _, k := range w.Vendor.Live() {
			if k.Secret != w.current() {
				w.Vendor.End(k.Secret)
			}
		}
	}
	return w.rotate(w.Store.Begin())
}
