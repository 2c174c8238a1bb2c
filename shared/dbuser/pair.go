package dbuser

import (
	"context"
	"fmt"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Pair is two login users that take turns, so that the password which consumers
// hold is never the one that changes. The second is named after the first, as
// the official rotation templates do.
type Pair struct {
	Base    string // the user that was there first: the model of the other
	Clone   string // Base with "_clone" behind it
	Pending string // the one of the two whose password is set now
	// Adopt gives what the clone owns by itself to the base; else it stays.
	Adopt bool
	// Known: the secret holds the password of either, so that both are known to be
	// its own. Else the database must tell.
	Known bool
}

// ErrUnprovenPair is in the error of a pair whose clone is there and is not known
// to be its base's. It is of kind ErrConfig.
var ErrUnprovenPair = fmt.Errorf("the two are not known to be a pair: %w", rotation.ErrConfig)

const cloneSuffix = "_clone"

// partner is the name of the other user of the pair.
func partner(user string) string {
	if base, ok := strings.CutSuffix(user, cloneSuffix); ok {
		return base
	}
	return user + cloneSuffix
}

// canTakeTurns refuses a name whose partner's partner would be a third user.
func canTakeTurns(user string) bool {
	base := strings.TrimSuffix(user, cloneSuffix)
	return base != "" && !strings.HasSuffix(base, cloneSuffix)
}

// pairOf is the pair in which pending's password is to be set.
func pairOf(pending string) Pair {
	base := strings.TrimSuffix(pending, cloneSuffix)
	return Pair{Base: base, Clone: base + cloneSuffix, Pending: pending}
}

// Administrator is a [Session] of a user that manages others. What it changes
// is idempotent, and nothing that the server logs can hold a password.
type Administrator interface {
	Session
	// CheckPair tells, changing nothing, whether SetPair can succeed. ErrDenied
	// names the privilege that is missing and how to grant it; ErrConfig is a
	// pair that must not be touched: the base user does not exist or is a
	// superuser, the clone's name is taken by a user that is not provably its
	// clone.
	CheckPair(ctx context.Context, p Pair) error
	// SetPair makes the clone if it is not there, brings its grants, options and
	// settings to those of the base user, and sets the password of the pending
	// one last: a user that logs in is one whose grants are complete. It returns
	// what it changed besides the password, a line each.
	SetPair(ctx context.Context, p Pair, password rotation.Value) (changes []string, err error)
	// SetPasswordOf sets another user's password.
	SetPasswordOf(ctx context.Context, user string, password rotation.Value) error
}

// PairTester is a [Session] that can tell, as the pending user of a pair,
// whether it has what the other has.
type PairTester interface {
	// TestPair compares the two from the catalogue and changes nothing.
	// ErrDenied says what differs.
	TestPair(ctx context.Context, p Pair) error
}
