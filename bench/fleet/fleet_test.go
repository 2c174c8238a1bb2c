package fleet

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
	"testing/synctest"
)

// The bench runs this test with a fleet of its own, and reads what it found: a bubble of
// synctest needs a test.
var (
	secrets = flag.Int("secrets", 240, "how many secrets there are")
	rate    = flag.Int("rate", 25, "rotations that begin each second")
	runs    = flag.Int("runs", 1, "runs of the state machine, side by side")
	report  = flag.String("report", "", "file to write the report to, as JSON")
)

// callsOfARotation are the function's, with the two that the state machine adds at the least:
// RotateSecret, and a DescribeSecret. PutSecretValue shares its quota with UpdateSecretVersionStage.
var callsOfARotation = map[string]int{"GetSecretValue": 4, "DescribeSecret": 3, "RotateSecret": 1, "PutSecretValue": 2}

// At the highest rate that a deployment may have, nobody is locked out, nothing fails, and
// every rotation makes the calls that it is known to make.
func TestFleet(t *testing.T) {
	rotateFleet(t, Options{Secrets: *secrets, Rate: *rate, Runs: *runs}, *report)
}

// Two runs side by side ask for more than the quotas have. They are slowed down, and that is
// all: what is refused is tried again until it is done, a step that ran out of time too.
func TestFleetBeyondTheQuotas(t *testing.T) {
	r := rotateFleet(t, Options{Secrets: 240, Rate: 25, Runs: 2}, "")
	if r.Throttled() == 0 {
		t.Errorf("nothing was throttled: this proves nothing: %+v", r.Quotas)
	}
}

func rotateFleet(t *testing.T, o Options, report string) (r Report) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		r, err = Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Rotated != o.Secrets || r.Failed != 0 || r.LockedOut != 0 {
			t.Errorf("of %d secrets: %d rotated, %d failed, %d locked out", o.Secrets, r.Rotated, r.Failed, r.LockedOut)
		}
		t.Logf("%+v, %.1f a second", r, r.PerSecond())
		for operation, each := range callsOfARotation {
			if q := r.Of(operation); q.Calls < each*o.Secrets || q.Mean > q.Limit || float64(q.Peak) > 2*q.Limit {
				t.Errorf("%s: %+v, want %d calls for each secret", operation, q, each)
			}
		}
		if o.Runs == 1 && (r.Throttled() != 0 || r.Logins != 2*o.Secrets || r.Refused != 0) {
			t.Errorf("%d calls were throttled; %d logins, of which %d failed: %+v", r.Throttled(), r.Logins, r.Refused, r.Quotas)
		}
		if report == "" {
			return
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(report, text, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	return r
}
