// Package unstick is the command rekey unstick: it says which side holds which credential of a
// secret whose rotation is stuck, and mends it with what is proven to log in.
package unstick

import (
	"slices"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// situation is a secret whose rotation may be stuck, as a plan needs to know it.
type situation struct {
	current, pending, previous *version  // nil: no version has the label; pending is none that is current too
	older                      []version // without labels, the newest first

	rotates bool // rotation is turned on
	sound   bool // no check of the target failed: what is unknown is so because nobody can tell
	tried   bool // this command has run the rotation again, and it has not ended well
	renewed bool // and neither has a new one that it began
}

// version is one of the secret's, and what the target says of its credential right now.
type version struct {
	id    string
	login rotation.LoginState
	empty bool // it has no value
}

func (v *version) works() bool   { return v != nil && v.login == rotation.LoginWorks }
func (v *version) refused() bool { return v != nil && v.login == rotation.LoginRefused }
func (v *version) unknown() bool {
	return v != nil && !v.empty && v.login != rotation.LoginWorks && v.login != rotation.LoginRefused
}

// situationOf reads which labels there are, by version, and what a diagnosis said of versions.
// One that it said nothing of is not known to log in or not.
func situationOf(labels map[string][]string, logins []rotation.VersionLogin, rotates bool) situation {
	s := situation{rotates: rotates}
	known := map[string]version{}
	for _, found := range logins {
		v := version{id: found.ID, login: found.Login, empty: found.Said == rotation.NoValue}
		known[v.id] = v
		if len(labels[v.id]) == 0 {
			s.older = append(s.older, v)
		}
	}
	for id, stages := range labels {
		v, found := known[id]
		if !found {
			v = version{id: id, login: rotation.LoginUnknown}
		}
		switch has := func(label string) bool { return slices.Contains(stages, label) }; {
		case has(rotation.Current):
			s.current = &v
		case has(rotation.Pending):
			s.pending = &v
		case has(rotation.Previous):
			s.previous = &v
		}
	}
	return s
}

// plan is what to do about a situation: steps, or why there are none.
type plan struct {
	verdict verdict
	because string // one sentence
	steps   []step
	person  string // what a person has to do, where nothing here helps
}

type verdict string

const (
	healthy verdict = "healthy" // nothing is stuck
	mend    verdict = "mend"    // the steps mend it
	refuse  verdict = "refuse"  // it is not known what would help, or nothing here does
)

// step is one call. Each is safe to be lost, to be made twice, and to be the last.
type step struct {
	act     act
	version string // that is rotated, or gets the label; "": a new one
	from    string // that has the label now
}

type act string

const (
	rotate  act = "rotate"  // RotateSecret with the version as the token: the function's own way
	move    act = "move"    // AWSCURRENT to the version
	discard act = "discard" // takes AWSPENDING away
)

// decide makes the plan. Its rules, in this order:
//
//  1. Without a working AWSCURRENT consumers are refused: that ends first.
//  2. The function's own way, the rotation run again with the same token, goes before labels
//     wherever it can help, and is safe in any state.
//  3. AWSCURRENT moves only to a version that logs in right now, and only away from one that
//     is refused.
//  4. AWSPENDING is taken only from a version that is refused, or has no value and will get none:
//     a live credential never loses its last label.
func decide(s situation) plan {
	switch {
	case s.current == nil || s.current.empty:
		return none("no version is labelled AWSCURRENT, or it has no value",
			"Store a value that logs in: aws secretsmanager put-secret-value.")
	case s.current.unknown() && s.sound:
		return decideUntold(s)
	case s.current.unknown():
		return none("it is not known whether AWSCURRENT logs in", "Mend what the diagnosis names first, then run this again.")
	case s.current.works() && s.pending == nil:
		return plan{verdict: healthy, because: "AWSCURRENT logs in, and no rotation is pending"}
	case s.current.works():
		return decidePending(s)
	}
	return decideRefused(s)
}

// decideUntold: nothing is wrong, but nobody is there who could be asked whether a credential
// is accepted, as with generated secrets. Then labels are not moved at all.
func decideUntold(s situation) plan {
	switch {
	case s.pending == nil:
		return plan{verdict: healthy, because: "no rotation is pending (nobody can be asked whether AWSCURRENT is accepted)"}
	case s.rotates && !s.tried:
		return steps("a rotation has not ended: it goes on from where it stopped", step{act: rotate, version: s.pending.id})
	case s.rotates:
		return none("the rotation does not end, and nobody can be asked whether AWSPENDING is accepted",
			"Mend what the function's log names. If the value in AWSPENDING is in use nowhere, "+discardByHand(s.pending.id))
	}
	return none("a rotation has not ended, and rotation is turned off", turnOn(s.pending.id))
}

// turnOn is how a rotation goes on that is turned off: with another version, or none, Secrets
// Manager refuses, because one is not complete.
func turnOn(version string) string {
	return "Turn rotation on with the same version, which it then ends: aws secretsmanager rotate-secret --client-request-token " + version + " --secret-id SECRET"
}

func discardByHand(version string) string {
	return "take the label away: aws secretsmanager update-secret-version-stage --version-stage AWSPENDING --remove-from-version-id " + version + " --secret-id SECRET"
}

// decidePending: nobody is locked out, and a rotation has not ended.
func decidePending(s situation) plan {
	p := s.pending
	again := step{act: rotate, version: p.id}
	switch {
	case s.rotates && !s.tried:
		return steps("AWSCURRENT logs in, and a rotation has not ended: it goes on from where it stopped", again)
	case s.renewed:
		return none("AWSCURRENT logs in, and a new rotation fails as well", "Mend what the function's log names; nobody is locked out meanwhile.")
	case p.unknown():
		return none("AWSCURRENT logs in, and it is not known whether AWSPENDING does",
			"Mend what the diagnosis names. If the value in AWSPENDING is in use nowhere, "+discardByHand(p.id))
	case p.works() && s.rotates:
		return none("AWSCURRENT and AWSPENDING both log in, and the function cannot end the rotation",
			"Mend what the function's log names; nobody is locked out meanwhile.")
	case p.works():
		return none("AWSCURRENT and AWSPENDING both log in, and rotation is turned off",
			turnOn(p.id))
	case !s.rotates:
		return steps("AWSCURRENT logs in, and AWSPENDING is left over: rotation is turned off", step{act: discard, from: p.id})
	case p.empty:
		return none("AWSCURRENT logs in, and the function cannot make the new value",
			"Mend what the function's log names; if it waits for a person, rekey submit. Nobody is locked out meanwhile.")
	}
	return steps("AWSCURRENT logs in, and the rotation cannot end with the value in AWSPENDING, which is refused: a new one begins",
		step{act: discard, from: p.id}, step{act: rotate})
}

// decideRefused: consumers are refused now.
func decideRefused(s situation) plan {
	c, p := s.current, s.pending
	switch {
	case p.works() && s.rotates && !s.tried:
		return steps("AWSCURRENT is refused and AWSPENDING logs in: the rotation has set it and not ended", step{act: rotate, version: p.id})
	case p.works():
		return steps("AWSCURRENT is refused and AWSPENDING logs in", step{act: move, version: p.id, from: c.id})
	case p.unknown():
		return none("AWSCURRENT is refused, and it is not known whether AWSPENDING logs in",
			"Mend what the diagnosis names first, then run this again.")
	}
	back := plan{verdict: mend}
	for _, v := range append(present(s.previous), s.older...) {
		if v.works() {
			back.steps = append(back.steps, step{act: move, version: v.id, from: c.id})
			break
		}
	}
	if back.steps == nil {
		return lost(s)
	}
	back.because = "AWSCURRENT is refused, and an older version logs in"
	if p != nil {
		back.steps = append(back.steps, step{act: discard, from: p.id})
	}
	return back
}

// lost: no version is known to log in.
func lost(s situation) plan {
	for _, v := range append(present(s.previous), s.older...) {
		if v.unknown() {
			return none("AWSCURRENT is refused, and it is not known whether an older version logs in",
				"Mend what the diagnosis names first, then run this again.")
		}
	}
	return none("no version logs in",
		"An administrator of the target sets the password to the one in AWSCURRENT (or a value that logs in is stored with put-secret-value): see docs/operators.md, Locked out.")
}

func present(v *version) []version {
	if v == nil {
		return nil
	}
	return []version{*v}
}

func steps(because string, s ...step) plan { return plan{verdict: mend, because: because, steps: s} }

func none(because, person string) plan {
	return plan{verdict: refuse, because: because, person: person}
}
