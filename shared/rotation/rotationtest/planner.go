package rotationtest

import (
	"context"
	"sync"
	"testing"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Planner is a [rotation.Planner] in memory. It fails the test at a plan that no
// scheduler would take, and invokes nothing: see [Planner.Take] and [RunEvent].
type Planner struct {
	// Faults decides the fate of each plan.
	Faults Injector

	t     testing.TB
	mu    sync.Mutex
	plans []rotation.Retirement
	known map[rotation.Retirement]bool // by secret, token and try
}

// NewPlanner has nothing planned.
func NewPlanner(t testing.TB) *Planner {
	return &Planner{t: t, known: map[rotation.Retirement]bool{}}
}

// Plan implements [rotation.Planner].
func (p *Planner) Plan(_ context.Context, r rotation.Retirement) error {
	if r.SecretID != SecretID || r.Token == "" || r.Old == "" || r.Old == r.Token || r.At.IsZero() || r.Try < 1 {
		p.t.Errorf("illegal plan: %+v", r)
	}
	return p.Faults.Do("Plan", func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		key := rotation.Retirement{SecretID: r.SecretID, Token: r.Token, Try: r.Try}
		if !p.known[key] {
			p.known[key] = true
			p.plans = append(p.plans, r)
		}
		return nil
	})
}

// Take returns what is planned, in the order in which it was, and forgets it, as
// a schedule that deletes itself does.
func (p *Planner) Take() []rotation.Retirement {
	p.mu.Lock()
	defer p.mu.Unlock()
	plans := p.plans
	p.plans, p.known = nil, map[rotation.Retirement]bool{}
	return plans
}
