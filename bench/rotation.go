package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
)

// contestant is a function that rotates one secret of its own on one target.
type contestant struct {
	name     string // of the row
	target   *running
	function *lambda.Function
	program  string // the file that runs
	secret   string // ARN
	handler  string // of a peer's template; empty: it is ours

	cold, warm []rotated
	failed     error
}

// rotated is one rotation.
type rotated struct {
	steps     []step
	refused   int
	processor time.Duration // that the process had used when it was over
}

// warmUp is how many rotations come before those that are measured: alternating users exist,
// and have both been used, after two.
const warmUp = 2

// measureRotations rotates on all targets, once a run of the bench: several sections tell of it.
func (b *bench) measureRotations(ctx context.Context) ([]*contestant, error) {
	if b.rotations != nil {
		return b.rotations, nil
	}
	w, err := newWorld(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range targets() {
		if len(b.targets) > 0 && !slices.Contains(b.targets, t.short) {
			continue
		}
		measured, err := b.measureTarget(ctx, w, t)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", t.name, err), w.close())
		}
		b.rotations = append(b.rotations, measured...)
	}
	return b.rotations, w.close()
}

// measureTarget starts the target, and lets the contestants of each strategy take turns.
func (b *bench) measureTarget(ctx context.Context, w *world, t *target) (all []*contestant, err error) {
	dir := filepath.Join(b.dir, t.short)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b.say("starting %s", t.name)
	running, err := t.start(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, running.stop()) }()
	for _, strategy := range t.strategies {
		contestants, err := b.enter(ctx, w, t, running, strategy, dir)
		if err == nil {
			b.say("rotating on %s, %s", t.name, strategy)
			err = b.takeTurns(ctx, w, contestants)
		}
		for _, c := range contestants {
			err = errors.Join(err, c.function.Close())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strategy, err)
		}
		all = append(all, contestants...)
	}
	return all, nil
}

// enter deploys the function, and the peer's beside it, each with a user of its own.
func (b *bench) enter(ctx context.Context, w *world, t *target, r *running, strategy, dir string) (all []*contestant, err error) {
	binary, err := b.binary(ctx, "./functions/"+t.function)
	if err != nil {
		return nil, err
	}
	ours := &contestant{name: t.name + ", " + strategy, target: r, program: filepath.Join(dir, strategy)}
	if err := os.Link(binary, ours.program); err != nil { // a name of its own, by which its processor time is found
		return nil, err
	}
	all = append(all, ours)
	theirs, err := b.peer.contestant(t, strategy, dir)
	if err != nil {
		return nil, err
	}
	if theirs != nil {
		theirs.target = r
		all = append(all, theirs)
	}
	for i, c := range all {
		name := fmt.Sprintf("%s_%d", strategy, i)
		document, admin, err := r.user(ctx, name, strategy)
		if err != nil {
			return nil, err
		}
		name = t.short + "-" + name
		if admin != nil {
			if document["masterarn"], err = w.store(ctx, name+"-admin", admin); err != nil {
				return nil, err
			}
		}
		if c.secret, err = w.store(ctx, name, document); err != nil {
			return nil, err
		}
		env := maps.Clone(r.env)
		if c.handler != "" {
			env = b.peer.env(c.handler, env, w.endpoint())
		}
		if c.function, err = w.deploy(lambda.Config{Name: name, Binary: c.program, Env: env}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// takeTurns rotates with new processes first, then with those that run, each contestant once
// a turn: whatever else the machine does falls on all.
func (b *bench) takeTurns(ctx context.Context, w *world, all []*contestant) error {
	for turn := range warmUp + b.runs {
		for _, c := range all {
			if c.function.Recycle(); c.failed == nil {
				if err := c.rotate(ctx, w, turn >= warmUp, &c.cold); err != nil {
					return err
				}
			}
		}
	}
	for range b.runs {
		for _, c := range all {
			if c.failed == nil {
				if err := c.rotate(ctx, w, true, &c.warm); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// rotate notes one rotation. That a peer cannot is a finding; that ours cannot is an error.
func (c *contestant) rotate(ctx context.Context, w *world, counts bool, to *[]rotated) error {
	before, err := c.target.refused(ctx)
	if err != nil {
		return err
	}
	steps, err := w.rotate(ctx, c.target, c.function, c.secret)
	if err != nil && c.handler != "" && ctx.Err() == nil {
		c.failed = err
		return nil
	}
	if err != nil {
		return err
	}
	after, err := c.target.refused(ctx)
	if counts {
		*to = append(*to, rotated{steps, after - before, processorTime(c.program)})
	}
	return err
}

// each applies a measure to rotations.
func each(of []rotated, measure func(rotated) float64) []float64 {
	values := make([]float64, len(of))
	for i, r := range of {
		values[i] = measure(r)
	}
	return values
}

// total is a rotation's sum over its steps.
func total(measure func(step) float64) func(rotated) float64 {
	return func(r rotated) (sum float64) {
		for _, s := range r.steps {
			sum += measure(s)
		}
		return sum
	}
}
