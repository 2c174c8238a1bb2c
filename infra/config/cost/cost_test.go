package cost_test

import (
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/examples"
	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/infra/config/cost"
)

func example(t *testing.T, name string) *config.File {
	t.Helper()
	text, err := examples.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := config.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What the banking example costs, counted by hand from the file.
func TestLinesAreWhatTheFileHas(t *testing.T) {
	t.Parallel()
	e := cost.Of(example(t, "multi-region-banking.yaml"), cost.Usage{})
	for item, want := range map[string]float64{
		cost.Secrets: 5, // ledger's two, cards', warehouse's, switch's
		// ledger's two and cards' in two Regions: the warehouse's says no, the switch's exists
		cost.Replicas: 6,
		cost.Keys:     3, // of secrets, of records, the replica in eu-west-1
		// secretsmanager, rds, redshift, scheduler, in three zones
		cost.Endpoints:  4 * 3 * 730,
		cost.Dashboard:  1,
		cost.ConfigRule: 5 * 5 * 30.4,
	} {
		if got := e.Find(item).Quantity; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", item, got, want)
		}
	}
	if got, want := e.Find(cost.Endpoints).Monthly, 4*3*730*0.0125; math.Abs(got-want) > 0.01 {
		t.Errorf("endpoints cost %v, want %v", got, want)
	}
	sum := 0.0
	for _, l := range e.Lines {
		sum += l.Monthly
		if l.Monthly < 0 || l.Each <= 0 || !strings.HasPrefix(l.Source, "https://aws.amazon.com/") {
			t.Errorf("%+v", l)
		}
	}
	if math.Abs(sum-e.Total) > 0.001 {
		t.Errorf("the lines are %v, the total %v", sum, e.Total)
	}
}

// PostgreSQL has nothing to retire: no endpoint of the scheduler is paid for.
func TestNoEndpointThatNobodyCalls(t *testing.T) {
	t.Parallel()
	f := example(t, "minimal.yaml")
	if got := f.EndpointServices(); !slices.Equal(got, []string{"secretsmanager"}) {
		t.Errorf("%v", got)
	}
}

func TestLeversSaveWhatTheySay(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(examples.Files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f := example(t, name)
		e := cost.Of(f, cost.Usage{})
		if len(e.Levers) != 3 {
			t.Errorf("%s: %d levers", name, len(e.Levers))
		}
		for i, l := range e.Levers {
			if l.Saves <= 0 || l.Saves > e.Total || i > 0 && l.Saves > e.Levers[i-1].Saves {
				t.Errorf("%s: %+v of %v", name, l, e.Total)
			}
		}
		if again := cost.Of(f, cost.Usage{}); again.Total != e.Total {
			t.Errorf("%s: counting changed the file: %v, then %v", name, e.Total, again.Total)
		}
	}
	// The first lever of the banking example, done by hand.
	f := example(t, "multi-region-banking.yaml")
	before := cost.Of(f, cost.Usage{})
	f.Network.Endpoints = config.EndpointsExisting
	if got, want := before.Total-cost.Of(f, cost.Usage{}).Total, before.Levers[0].Saves; math.Abs(got-want) > 0.001 {
		t.Errorf("existing endpoints save %v, the lever says %v: %s", got, want, before.Levers[0].Change)
	}
}

func TestMoreReadsCostMore(t *testing.T) {
	t.Parallel()
	f := example(t, "api-keys.yaml")
	few, many := cost.Of(f, cost.Usage{ReadsPerDay: 10}), cost.Of(f, cost.Usage{ReadsPerDay: 100_000})
	// 99,990 reads more of each secret, on 30.4 days, at 5 cents for 10,000.
	want := few.Find(cost.Secrets).Quantity * 99_990 * 30.4 * 0.05 / 10_000
	if more := many.Find(cost.Calls).Monthly - few.Find(cost.Calls).Monthly; math.Abs(more-want) > 0.01 {
		t.Errorf("reads cost %v more, want %v", more, want)
	}
}
