package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rekey-aws/rekey/bench/fleet"
	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/infra/config/cost"
)

// fleets are what the state machine is measured with: at the deployment's usual rate, at the
// highest, with two teams' runs at once, and as many secrets as a hundred teams have.
var fleets = []struct {
	name string
	fleet.Options
}{
	{"10,000 at 10/s, the default", fleet.Options{Secrets: 10_000, Rate: 10}},
	{"10,000 at 25/s", fleet.Options{Secrets: 10_000, Rate: 25}},
	{"10,000 in two runs at 25/s", fleet.Options{Secrets: 10_000, Rate: 25, Runs: 2}},
	{"100,000 at 25/s", fleet.Options{Secrets: 100_000, Rate: 25}},
}

// measureFleet rotates fleets by the rules of the state machine, and says what a month needs.
func measureFleet(ctx context.Context, b *bench) (*table, error) {
	t := &table{Runs: 1, Notes: []string{
		"simulated with the code of rotate-rds, the SDK and the stand-in: pauses for networks, Lambda and databases, on a clock that waits for nobody.",
		"minutes, rotations/s: of the whole run. writes, begins, reads: of the quotas of PutSecretValue and what shares it (50/s), RotateSecret (50/s), GetSecretValue (10,000/s).",
		"throttled: calls that were refused and made again. failed: rotations, and secrets whose current password does not log in afterwards.",
		"functions: at once. measured: CPU of function and stand-in for a rotation, memory of the stand-in for a secret, the names of a page, which a state holds (256 kB are allowed).",
	}}
	binary, err := b.fleetTest(ctx)
	if err != nil {
		return nil, err
	}
	var last fleet.Report
	for _, f := range fleets {
		b.say("rotating %s", f.name)
		if last, err = simulate(ctx, binary, filepath.Join(b.dir, "fleet.json"), f.Options); err != nil {
			return nil, err
		}
		t.Rows = append(t.Rows, row{Name: f.name, Figures: fleetFigures(last)})
	}
	// By schedule Secrets Manager begins rotations itself, spread over the days.
	t.Rows = append(t.Rows, row{Name: "100,000 every 30 days", Figures: monthFigures(last)})
	return t, nil
}

// fleetTest compiles the test that is a bubble of synctest.
func (b *bench) fleetTest(ctx context.Context) (string, error) {
	path := filepath.Join(b.dir, "fleet.test")
	return path, command(ctx, "go", "test", "-c", "-o", path, "./bench/fleet")
}

func simulate(ctx context.Context, binary, file string, o fleet.Options) (r fleet.Report, err error) {
	err = command(ctx, binary, "-test.run", "^TestFleet$", "-test.timeout", "1h",
		"-secrets", strconv.Itoa(o.Secrets), "-rate", strconv.Itoa(o.Rate), "-runs", strconv.Itoa(max(o.Runs, 1)), "-report", file)
	if err != nil {
		return r, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return r, fmt.Errorf("reading what became of the fleet: %w", err)
	}
	return r, json.Unmarshal(text, &r)
}

func command(ctx context.Context, name string, args ...string) error {
	var out bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out.String())
	}
	return nil
}

func fleetFigures(r fleet.Report) []figure {
	return []figure{
		exactly("minutes", r.Took.Minutes()),
		exactly("rotations/s", r.PerSecond()),
		exactly("writes %", share(r.Of("PutSecretValue"))),
		exactly("begins %", share(r.Of("RotateSecret"))),
		exactly("reads %", share(r.Of("GetSecretValue"))),
		exactly("throttled", float64(r.Throttled())),
		exactly("failed", float64(r.Failed+r.LockedOut)),
		exactly("functions", float64(r.Functions)),
		exactly("CPU ms", r.CPU),
		exactly("kB a secret", float64(r.HeapAfter)/1000),
		exactly("state kB", float64(r.StateBytes)/1000),
	}
}

func share(q fleet.Quota) float64 { return 100 * q.Mean / q.Limit }

// monthFigures are what rotating all secrets once needs on the average, if it is spread over
// thirty days. They are computed from the calls that were counted.
func monthFigures(r fleet.Report) []figure {
	const seconds = 30 * 24 * 60 * 60
	of := func(operation string) float64 {
		q := r.Of(operation)
		return 100 * float64(q.Calls) / seconds / q.Limit
	}
	return []figure{
		exactly("minutes", seconds/60), exactly("rotations/s", float64(r.Secrets)/seconds),
		exactly("writes %", of("PutSecretValue")), exactly("begins %", of("RotateSecret")), exactly("reads %", of("GetSecretValue")),
	}
}

// measureFleetCost prices deployments that differ in the number of their secrets alone.
func measureFleetCost(context.Context, *bench) (*table, error) {
	t := &table{Notes: []string{
		"computed by infra/config/cost: examples/minimal.yaml with so many users, rotated every 30 days, by list prices that have a date; see rekey cost.",
		"stored: secrets. read: 288 times a day each, and the forwarder's look at each read. the rest: rotations, keys, endpoints, alarms, logs.",
	}}
	for _, n := range []int{10, 1000, 10_000, 100_000} {
		f, err := deployment(n)
		if err != nil {
			return nil, err
		}
		// A file says nothing of reads: what one a day more costs, times all of them.
		few, more := cost.Of(f, cost.Usage{ReadsPerDay: 1}), cost.Of(f, cost.Usage{ReadsPerDay: 2})
		whole, stored := cost.Of(f, cost.Usual), few.Find(cost.Secrets).Monthly
		read := (more.Total - few.Total) * float64(cost.Usual.ReadsPerDay)
		t.Rows = append(t.Rows, row{Name: fmt.Sprintf("%d secrets", n), Figures: []figure{
			exactly("$ a month", whole.Total), exactly("stored", stored), exactly("read", read), exactly("the rest", whole.Total-stored-read),
			exactly("$ a secret", whole.Total/float64(n)),
		}})
	}
	return t, nil
}

const oneUser = "      app: {}"

// deployment is an example's, with so many users.
func deployment(users int) (*config.File, error) {
	text, err := os.ReadFile(sampleFile)
	if err != nil {
		return nil, fmt.Errorf("pricing a fleet: %w", err)
	}
	var names strings.Builder
	for i := range users {
		fmt.Fprintf(&names, "      u%06d: {}\n", i)
	}
	before, after, found := strings.Cut(string(text), oneUser)
	if !found {
		return nil, fmt.Errorf("pricing a fleet: %s has no %q", sampleFile, oneUser)
	}
	_, after, _ = strings.Cut(after, "\n") // the rest of the line
	return config.Parse(sampleFile, []byte(before+names.String()+after))
}
