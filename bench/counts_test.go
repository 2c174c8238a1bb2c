package main

import (
	"io"
	"path/filepath"
	"testing"
)

// expected is what one kind of rotation sends. All but turns are exact.
type expected struct {
	calls    [4]int // of Secrets Manager: createSecret, setSecret, testSecret, finishSecret
	logins   int    // at the database
	turns    int    // at most: requests to the database that were answered
	requests int    // of the vendor
}

func (e expected) allCalls() int { return e.calls[0] + e.calls[1] + e.calls[2] + e.calls[3] }

// standIn is testdata/templates, in the place of a peer.
const standIn = "PostgreSQL, single, official"

// counts are for each engine and strategy: whoever changes one says why in the commit, and in
// docs/performance.md. No login is refused, none is without TLS, and one connection to Secrets
// Manager serves a process for life.
var counts = map[string]expected{
	"PostgreSQL, single":               {calls: [4]int{3, 2, 1, 2}, logins: 2, turns: 20},
	"PostgreSQL, alternating":          {calls: [4]int{4, 3, 2, 2}, logins: 5, turns: 62},
	"MySQL, single":                    {calls: [4]int{3, 2, 1, 2}, logins: 2, turns: 26},
	"MySQL, dual":                      {calls: [4]int{3, 2, 1, 2}, logins: 2, turns: 22},
	"MySQL, alternating":               {calls: [4]int{4, 3, 2, 2}, logins: 5, turns: 52},
	"MariaDB, single":                  {calls: [4]int{3, 2, 1, 2}, logins: 2, turns: 24},
	"MariaDB, dual":                    {calls: [4]int{3, 2, 1, 2}, logins: 2, turns: 18},
	"MariaDB, alternating":             {calls: [4]int{4, 3, 2, 2}, logins: 5, turns: 42},
	"Redshift's stand-in, single":      {calls: [4]int{3, 2, 1, 2}, logins: 2, turns: 16},
	"Redshift's stand-in, alternating": {calls: [4]int{4, 3, 2, 2}, logins: 5, turns: 36},
	"GitLab's stand-in, replaced":      {calls: [4]int{5, 2, 1, 2}, requests: 2},
	standIn:                            {calls: [4]int{1, 0, 0, 2}},
}

func TestCounts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs database servers")
	}
	templates, err := filepath.Abs("testdata/templates")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{options: options{runs: 1, peer: peer{dir: templates}}, progress: io.Discard, dir: t.TempDir(), binaries: map[string]string{}}
	if err := b.peer.prepare(t.Context(), b.dir); err != nil {
		t.Fatal(err)
	}
	all, err := b.measureRotations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(counts) {
		t.Errorf("%d kinds of rotation, the table has %d", len(all), len(counts))
	}
	for _, c := range all {
		want, known := counts[c.name]
		if !known {
			t.Errorf("the table has no %s", c.name)
		}
		for _, r := range append(c.cold, c.warm...) {
			var calls [4]int
			var database traffic
			requests := 0
			for i, s := range r.steps {
				calls[i] = s.calls
				database = database.plus(s.wires)
				requests += s.requests
			}
			if calls != want.calls || requests != want.requests {
				t.Errorf("%s: %v calls by step, want %v; %d requests to the vendor, want %d", c.name, calls, want.calls, requests, want.requests)
			}
			if database.connections != want.logins || database.turns > want.turns || r.refused != 0 || database.plaintext != 0 {
				t.Errorf("%s: %d logins, want %d, of them refused %d, without TLS %d; %d turns, at most %d",
					c.name, database.connections, want.logins, r.refused, database.plaintext, database.turns, want.turns)
			}
		}
		// Steps of one process: its first brings the connection, which may be lost once to a
		// processor that has no time for it (see awsclient).
		if cold, warm := connections(c.cold[0]), connections(c.warm[0]); c.name != standIn && (cold < 1 || cold+warm > 2) {
			t.Errorf("%s: %d connections to Secrets Manager by a new process, %d more by one that runs", c.name, cold, warm)
		}
	}
	tablesTell(t, b)
}

// tablesTell checks the tables that are made of rotations.
func tablesTell(t *testing.T, b *bench) {
	t.Helper()
	times, err := measureRotation(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range times.Rows {
		for _, name := range []string{"cold ms", "warm ms", "create ms", "set ms", "test ms", "finish ms"} {
			if f, _ := r.find(name); f.Value <= 0 {
				t.Errorf("%s: %s is %v", r.Name, name, f.Value)
			}
		}
		if x, compared := r.find("x rekey, cold"); compared != (r.Name == standIn) || compared && x.Value <= 0 {
			t.Errorf("%s: compared with ours: %v", r.Name, x)
		}
	}
	sent, err := measureWire(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range sent.Rows {
		for name, want := range map[string]int{"calls": counts[r.Name].allCalls(), "logins": counts[r.Name].logins, "requests": counts[r.Name].requests, "refused": 0, "open": 0} {
			if f, _ := r.find(name); f.Value != float64(want) {
				t.Errorf("%s: %s is %v, want %d", r.Name, name, f.Value, want)
			}
		}
	}
}

func connections(r rotated) (n int) {
	for _, s := range r.steps {
		n += s.manager.connections
	}
	return n
}

func (t traffic) plus(u traffic) traffic {
	return traffic{t.connections + u.connections, t.plaintext + u.plaintext, t.turns + u.turns, t.bytes + u.bytes}
}
