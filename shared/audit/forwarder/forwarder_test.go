package forwarder_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/rotation"
)

const line = `{"level":"ERROR","msg":"rotation step","step":"setSecret","version":"` + token + `","kind":"unreachable","error":"dialling: no route","hint":"Open the way.","request_id":"req-1","extra":"not told"}`

// A failure is told once, with what the function said, however often and at once the event
// comes.
func TestOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, "one", "two")
	b.world.lines = []string{
		`no JSON`, `{"level":"ERROR","step":"createSecret","version":"` + token + `","error":"of another step"}`, line,
	}
	event := service("RotationFailed", "prod/db", "e-1")
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			for b.send(event) != nil { // as EventBridge does, it is delivered again
				time.Sleep(time.Millisecond)
			}
		})
	}
	group.Wait()
	f := b.kept(1)[0]
	if f.Detection.ID != "rotation-failed" || f.Secret.Name != "prod/db" || f.Count != 1 || f.Unverified != "" {
		t.Errorf("told %+v", f)
	}
	want := audit.Cause{Step: "setSecret", Kind: "unreachable", Error: "dialling: no route", Hint: "Open the way.", RequestID: "req-1"}
	if f.Cause == nil || *f.Cause != want {
		t.Errorf("the cause is %+v", f.Cause)
	}
	if !strings.HasPrefix(b.world.asked[0], "/aws/lambda/rotate-rds {") || !strings.Contains(b.world.asked[0], token) {
		t.Errorf("asked for %s", b.world.asked[0])
	}
}

// Why the cause is missing is told in its place.
func TestNoCause(t *testing.T) {
	t.Parallel()
	b := newBench(t, "one")
	b.LogGroups = map[string]string{"rotate-rds": "/own/group"}
	b.world.linesErr = rotation.WithHint(fmt.Errorf("FilterLogEvents: no: %w", rotation.ErrDenied), "Allow logs:FilterLogEvents.")
	b.must(service("RotationFailed", "prod/db", "e-1"))
	if f := b.kept(1)[0]; f.Cause != nil || !strings.Contains(f.Unverified, "Allow logs:FilterLogEvents") {
		t.Errorf("told %+v, %q", f.Cause, f.Unverified)
	}
	if !strings.HasPrefix(b.world.asked[0], "/own/group ") {
		t.Errorf("asked for %s", b.world.asked[0])
	}
}

// A sink that fails stops no other, and is the only one that is told again.
func TestFailingSink(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good", "bad")
	b.sinks[1].fails = func(n int) error {
		if n <= 2 {
			return fmt.Errorf("telling bad: %w", rotation.ErrUnreachable)
		}
		return nil
	}
	event := forced("prod/db", "e-1")
	for range 2 {
		if err := b.send(event); !errors.Is(err, rotation.ErrUnreachable) || !strings.Contains(err.Error(), "What to do") {
			t.Fatalf("got %v", err)
		}
	}
	b.must(event)
	b.must(event)
	b.kept(1)
	if b.sinks[1].calls != 3 {
		t.Errorf("%d calls", b.sinks[1].calls)
	}
}

// What an optional sink does not get keeps nothing from being done with.
func TestOptionalSink(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good", "optional")
	b.Sinks[1].Optional = true
	b.sinks[1].fails = func(int) error { return rotation.ErrVendor }
	b.must(forced("prod/db", "e-1"))
	if len(b.sinks[0].all()) != 1 || !strings.Contains(b.log.String(), `"sink":"optional"`) {
		t.Errorf("%s", b.log)
	}
}

// Severities are told to whom they are for.
func TestSeverity(t *testing.T) {
	t.Parallel()
	b := newBench(t, "all", "critical")
	b.Sinks[1].From = audit.Critical
	b.must(call("PutSecretValue", `{"secretId":"prod/db"}`, "e-1")) // medium
	b.must(forced("prod/db", "e-2"))
	if all, critical := b.sinks[0].all(), b.sinks[1].all(); len(all) != 2 || len(critical) != 1 || critical[0].Detection.ID != "forced-delete" {
		t.Errorf("all have %d, critical %+v", len(all), critical)
	}
}

// Without a state everything is told all the same, and says so.
func TestStateDown(t *testing.T) {
	t.Parallel()
	b := newBench(t, "one", "two")
	b.records.set(errDown)
	event := forced("prod/db", "e-1")
	b.must(event)
	if f := b.kept(1)[0]; !strings.Contains(f.Unverified, "more than once") {
		t.Errorf("told %+v", f)
	}
	b.must(event)
	b.kept(2)
	b.records.set(nil)
	b.must(event)
	b.must(event)
	b.kept(3) // once more, and not again
}

// Whoever dies between telling one sink and the next leaves the rest to the next invocation,
// when its lease is over.
func TestDiedHalfway(t *testing.T) {
	t.Parallel()
	b := newBench(t, "one", "two")
	f, err := audit.Normalize([]byte(forced("prod/db", "e-1")))
	if err != nil {
		t.Fatal(err)
	}
	key := b.Detector.Examine(t.Context(), &f, nil)[0].Key
	if _, err := b.State.Claim(t.Context(), key, "the dead", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := b.State.Note(t.Context(), key, "one"); err != nil {
		t.Fatal(err)
	}
	if err := b.send(forced("prod/db", "e-1")); !errors.Is(err, rotation.ErrConflict) {
		t.Fatalf("under the lease: %v", err)
	}
	b.later(2 * time.Minute)
	b.must(forced("prod/db", "e-1"))
	if len(b.sinks[0].all()) != 0 || len(b.sinks[1].all()) != 1 {
		t.Errorf("one has %d, two has %d", len(b.sinks[0].all()), len(b.sinks[1].all()))
	}
}

// A thousand equal findings are one alert with a count; what comes in the window after it is
// told when that is over.
func TestStorm(t *testing.T) {
	t.Parallel()
	b := newBench(t, "one")
	var storm []string
	for n := range 1000 {
		storm = append(storm, call("DeleteResourcePolicy", `{"secretId":"prod/db"}`, fmt.Sprint("e-", n)))
	}
	if failed := b.batch(storm[:700]...); len(failed) > 0 {
		t.Fatalf("%d failed", len(failed))
	}
	if f := b.kept(1)[0]; f.Count != 700 {
		t.Errorf("the alert stands for %d", f.Count)
	}
	for _, event := range storm[700:] {
		b.must(event)
	}
	b.batch(storm...) // all of it again
	b.must(tick)
	b.kept(1)
	b.must(strings.ReplaceAll(call("DeleteResourcePolicy", `{"secretId":"prod/db"}`, "other"), "alice", "bob")) // is no equal one
	b.kept(2)
	b.later(11 * time.Minute)
	b.must(tick)
	if f := b.kept(3)[2]; f.Count != 300 || f.Actor.Name != "alice" {
		t.Errorf("the reminder stands for %d of %s", f.Count, f.Actor)
	}
	b.later(11 * time.Minute)
	b.must(tick)
	b.kept(3)
}

// A reminder that a sink did not take is told by the next tick.
func TestReminderIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, "one")
	for n := range 3 {
		b.must(call("DeleteResourcePolicy", `{"secretId":"prod/db"}`, fmt.Sprint("e-", n)))
	}
	b.later(11 * time.Minute)
	b.sinks[0].fails = func(int) error { return rotation.ErrUnreachable }
	if b.send(tick) == nil {
		t.Error("nobody learns that the reminder failed")
	}
	b.sinks[0].fails = nil
	b.must(tick)
	b.must(tick)
	if f := b.kept(2)[1]; f.Count != 2 {
		t.Errorf("the reminder stands for %d", f.Count)
	}
}

// Of a batch only what failed comes again; what is no event is a dead letter with its reason.
func TestBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, "one")
	good := forced("prod/a", "e-1")
	if failed := b.batch(good, `{"no":"event"}`, `not JSON`, good); fmt.Sprint(failed) != "[1 2]" {
		t.Errorf("without a queue of dead letters %v failed", failed)
	}
	b.DeadLetters = "https://queue"
	if failed := b.batch(`{"no":"event"}`, `not JSON`); len(failed) != 0 || len(b.world.letters) != 2 {
		t.Errorf("%v failed, letters %v", failed, b.world.letters)
	}
	if l := b.world.letters[1]; !strings.Contains(l, `"input":"not JSON"`) || !strings.Contains(l, `"reason":"not an event`) {
		t.Errorf("the letter is %s", l)
	}
	b.world.buryErr = rotation.ErrDenied
	if failed := b.batch(`{"no":"event"}`); len(failed) != 1 {
		t.Error("what could not be buried is lost")
	}
	b.kept(1)
	b.sinks[0].fails = func(int) error { return rotation.ErrUnreachable }
	if failed := b.batch(good, forced("prod/b", "e-2"), forced("prod/b", "e-2")); fmt.Sprint(failed) != "[1 2]" {
		t.Errorf("%v failed", failed)
	}
	if err := b.send(`nonsense`); err == nil {
		t.Error("an event that is none was taken")
	}
}

// A success is told to those who were told of the failure, and to nobody else.
func TestResolved(t *testing.T) {
	t.Parallel()
	b := newBench(t, "one", "critical")
	b.Sinks[1].From = audit.Critical
	b.must(service("RotationSucceeded", "prod/db", "e-0"))
	if n := len(b.sinks[0].all()); n != 0 {
		t.Fatalf("%d are told of a success", n)
	}
	b.must(service("RotationFailed", "prod/db", "e-1"))
	b.must(service("RotationSucceeded", "prod/other", "e-2"))
	b.must(service("RotationSucceeded", "prod/db", "e-3"))
	b.must(service("RotationSucceeded", "prod/db", "e-3"))
	b.must(service("RotationSucceeded", "prod/db", "e-4"))
	got := b.sinks[0].all()
	if len(got) != 2 || len(got[1].Resolves) != 1 || got[1].Resolves[0] != got[0].Incident {
		t.Errorf("told %+v", got)
	}
	if n := len(b.sinks[1].all()); n != 0 {
		t.Errorf("%d are told of what is below them", n)
	}
}

func TestOverdue(t *testing.T) {
	t.Parallel()
	b := newBench(t, "one")
	b.world.pageSize = 10
	for n := range 35 {
		m := audit.Metadata{
			Secret: audit.NamedSecret(fmt.Sprintf("s-%02d", n), "123456789012", "us-east-1"), RotationEnabled: true, AfterDays: 30,
			LastRotated: b.now.Add(-24 * time.Hour), NextRotation: b.now.Add(29 * 24 * time.Hour),
		}
		if n == 33 {
			m.LastRotated, m.NextRotation = b.now.AddDate(0, 0, -60), b.now.AddDate(0, 0, -30)
		}
		b.world.secrets = append(b.world.secrets, m)
	}
	b.must(tick)
	if f := b.kept(1)[0]; f.Detection.ID != "rotation-overdue" || f.Secret.Name != "s-33" || f.Due == nil {
		t.Errorf("told %+v", f)
	}
	b.must(tick) // not yet again
	if b.world.pages != 4 {
		t.Errorf("%d pages were read", b.world.pages)
	}
	b.later(2 * time.Hour)
	b.must(tick)
	b.kept(1) // the same is no news
}

// A scan goes on where the last invocation had no time left, and begins anew where it cannot.
func TestScanGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t, "one")
	b.world.pageSize = 1
	for n := range 5 {
		b.world.secrets = append(b.world.secrets, audit.Metadata{Secret: audit.NamedSecret(fmt.Sprint("s-", n), "123456789012", "us-east-1")})
	}
	hurried := func() {
		t.Helper()
		ctx, cancel := deadline(t, 4*time.Second) // less than a page and the margin take
		defer cancel()
		if _, err := b.Handle(ctx, []byte(tick)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		hurried()
	}
	if b.world.pages != 3 {
		t.Errorf("%d pages in three hurried invocations", b.world.pages)
	}
	b.world.badPlace = true
	b.must(tick)
	if b.world.pages != 3+1+5 {
		t.Errorf("%d pages in all", b.world.pages)
	}
}

func TestMisconfigured(t *testing.T) {
	t.Parallel()
	b := newBench(t, "one")
	b.Misconfigured = rotation.WithHint(fmt.Errorf("CONFIG is wrong: %w", rotation.ErrConfig), "Correct it.")
	if err := b.send(forced("a", "b")); !errors.Is(err, rotation.ErrConfig) || !strings.Contains(b.log.String(), "Correct it.") {
		t.Errorf("%v, %s", err, b.log)
	}
}
