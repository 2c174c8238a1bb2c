package apikeytest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rekey-aws/rekey/local/vendorapi"
	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/rotation"
)

var (
	full   = flag.Bool("full", false, "try every case of the crash matrix")
	update = flag.Bool("update", false, "write the results into docs/vendors-crash-matrix.md; with -full")
)

const resultsPage = "../../../docs/vendors-crash-matrix.md"

// share is what a run has time for.
func share(c Case) Share {
	signs := c.Provider == "gcp-service-account" || c.Provider == "github-app" // each request, which takes long
	switch {
	case *full:
		return All
	case raceDetector, testing.Short():
		return Share{61, 211}
	case signs:
		return Share{17, 61}
	}
	return Share{2, 11}
}

func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	results := make([]Result, len(Cases))
	t.Run("providers", func(t *testing.T) {
		for i, c := range Cases {
			t.Run(c.Provider, func(t *testing.T) {
				t.Parallel()
				results[i] = NewLane(t, c).CrashMatrix(t, share(c))
				t.Logf("%d places, %d cases, tried: %s", results[i].Places, results[i].Cases, results[i].Outcome)
			})
		}
	})
	compare(t, results)
}

// compare holds the page to what was found. Only a full run knows how often a person was
// asked.
func compare(t *testing.T, results []Result) {
	t.Helper()
	var b strings.Builder
	for i, c := range Cases {
		r := results[i]
		if r.Places == 0 {
			return // not all were asked for
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d / %d / %d / %d / %d | %d |\n", c.Provider, r.Places, r.Cases,
			r.Outcome.LockedOut, r.Outcome.Stuck, r.Outcome.Orphans, r.Outcome.Replayed, r.Outcome.Wrong, r.Outcome.Person)
	}
	content, err := os.ReadFile(resultsPage)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(content), "|---|---|---|---|---|\n")
	if !found {
		t.Fatalf("%s has no table of results", resultsPage)
	}
	if *update && *full {
		if err := os.WriteFile(resultsPage, []byte(head+"|---|---|---|---|---|\n"+b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	asked := regexp.MustCompile(`\| \d+ \|\n`)
	if want := asked.ReplaceAllString(b.String(), "|\n"); asked.ReplaceAllString(rest, "|\n") != want && !t.Failed() {
		t.Errorf("%s has other results; run the test with -full -update:\n%s", resultsPage, b.String())
	}
}

// recorder is a test whose failures are what is looked for.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed int
}

func (r *recorder) Errorf(string, ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
}

func caseOf(t *testing.T, provider string) Case {
	t.Helper()
	for _, c := range Cases {
		if c.Provider == provider {
			return c
		}
	}
	t.Fatalf("no case %s", provider)
	return Case{}
}

// The matrix is worth something if it sees what it is for: engines and providers that are
// broken on purpose must fail in it, each in its own way.
func TestTheMatrixSeesSabotage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, provider string
		lane           func(*Lane)
		seen           func(Outcome) int
	}{
		{
			"the old key is ended before the new one is current", "sendgrid",
			func(l *Lane) {
				l.replace = func(e *apikey.Engine) rotation.Engine { return hasty{e, l} }
			},
			func(o Outcome) int { return o.Wrong },
		},
		{
			"names do not tell whose a key is", "cloudflare",
			func(l *Lane) {
				l.wrap = func(p *declarative.Provider) apikey.Provider { return nameless{p} }
			},
			func(o Outcome) int { return o.Orphans },
		},
		{
			"a credential that can be used once is used again", "gitlab",
			func(l *Lane) {
				l.wrap = func(p *declarative.Provider) apikey.Provider { return careless{p} }
			},
			func(o Outcome) int { return o.Replayed },
		},
		{
			"a value is valid before it is stored", "auth0",
			func(l *Lane) {
				l.wrap = func(p *declarative.Provider) apikey.Provider { return eager{p} }
			},
			func(o Outcome) int { return o.Wrong },
		},
		{
			"somebody else's keys are taken for ours", "datadog",
			func(l *Lane) {
				l.wrap = func(p *declarative.Provider) apikey.Provider { return greedy{p} }
			},
			func(o Outcome) int { return o.Wrong },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := NewLane(t, caseOf(t, tt.provider))
			tt.lane(l)
			r := &recorder{TB: t}
			var sum Outcome
			for _, s := range l.some() {
				sum.Add(l.try(r, s))
			}
			if tt.seen(sum) == 0 || r.failed == 0 {
				t.Errorf("not seen: %s", sum)
			}
		})
	}
}

// Where keys have no names and the secret does not say that they are all its own, none is
// ended but the old one: what is left over stays, and so does what is somebody else's.
func TestKeysWithoutNamesAreLeftAlone(t *testing.T) {
	t.Parallel()
	c := caseOf(t, "gcp-service-account")
	secret := c.Secret
	c.Secret = func(a *vendorapi.Account) members {
		m := secret(a)
		delete(m, "exclusive")
		return m
	}
	l := NewLane(t, c)
	l.crowded = true
	r := &recorder{TB: t}
	var sum Outcome
	for _, s := range l.some() {
		sum.Add(l.try(r, s))
	}
	if sum.Orphans == 0 || sum.Failures() != sum.Orphans {
		t.Errorf("got %s; want orphans and nothing else", sum)
	}
}

// some are the cases in which an answer is lost, from a fresh start.
func (l *Lane) some() []scenario {
	var all []scenario
	for at := range 16 {
		all = append(all, scenario{fresh, at, ReplyLost, sameToken}, scenario{fresh, at, KilledAfter, newToken})
	}
	return all
}

// hasty ends the current key in setSecret.
type hasty struct {
	*apikey.Engine
	lane *Lane
}

func (h hasty) Set(ctx context.Context, r rotation.Request) error {
	err := h.Engine.Set(ctx, r)
	if err == nil {
		h.lane.world.Vendor.End(h.lane.world.current())
	}
	return err
}

// nameless calls every key the same.
type nameless struct{ *declarative.Provider }

func (n nameless) Issue(ctx context.Context, a apikey.Account, o apikey.Order) (apikey.Key, error) {
	o.Name = "key"
	return n.Provider.Issue(ctx, a, o)
}

// careless does not say that a credential can be used once.
type careless struct{ *declarative.Provider }

func (c careless) Traits() apikey.Traits {
	t := c.Provider.Traits()
	t.Once = false
	return t
}

// eager makes a value valid as soon as it is chosen.
type eager struct{ *declarative.Provider }

func (e eager) Issue(ctx context.Context, a apikey.Account, o apikey.Order) (apikey.Key, error) {
	k, err := e.Provider.Issue(ctx, a, o)
	if err == nil {
		err = e.Provider.Install(ctx, a, k)
	}
	return k, err
}

// Install has been done.
func (eager) Install(context.Context, apikey.Account, apikey.Key) error { return nil }

// greedy lists every key under our own names.
type greedy struct{ *declarative.Provider }

func (g greedy) List(ctx context.Context, a apikey.Account) ([]apikey.Key, error) {
	keys, err := g.Provider.List(ctx, a)
	for _, k := range keys {
		if strings.HasPrefix(k.Name, "rekey-") {
			for i := range keys {
				keys[i].Name = k.Name
			}
		}
	}
	return keys, err
}
