package dbusertest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// Diagnose sends the machine a doctor's event, and asserts what holds for each:
// nothing is written, and no password is told.
func (b *Bench) Diagnose(t *testing.T) *rotation.Diagnosis {
	t.Helper()
	calls, changes := len(b.store.Calls()), b.driver.changes.Load()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	d, err := b.machine.Serve(ctx, rotation.Event{Step: rotation.DoctorStep, SecretID: rotationtest.SecretID})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range b.store.Calls()[calls:] {
		if call != "Describe" && call != "Unlabelled" && !strings.HasPrefix(call, "Get ") {
			t.Errorf("a diagnosis called %s", call)
		}
	}
	if b.driver.changes.Load() != changes {
		t.Error("a diagnosis changed the server")
	}
	told, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	noPasswordIn(t, "the diagnosis", string(told), append([]string{b.Password(t, rotation.Current)}, b.seen...)...)
	noPasswordIn(t, "the machine's log", b.Logs(), append([]string{b.Password(t, rotation.Current)}, b.seen...)...)
	for _, f := range d.Findings {
		if f.Said == "" || (f.Remedy == "") != (f.Verdict == rotation.OK) {
			t.Errorf("a finding without what was found, or what to do: %+v", f)
		}
	}
	return d
}

// PlantPending makes a password that the server does not know the pending one.
func (b *Bench) PlantPending(password string) {
	doc, err := rotation.ParseDocument(b.original)
	if err != nil {
		panic(err) // secretOf made it
	}
	v, err := doc.With("password", password)
	if err != nil {
		panic(err) // it has one
	}
	b.store.Plant(b.store.Begin().Token, v, rotation.Pending)
}

// MustFind asserts the verdicts of checks, "login:fail tls:ok", and that what is
// said of the last of them has a text in it.
func (b *Bench) MustFind(t *testing.T, d *rotation.Diagnosis, want, says string) {
	t.Helper()
	for _, w := range strings.Fields(want) {
		check, verdict, _ := strings.Cut(strings.ReplaceAll(w, "_", " "), ":")
		i := slices.IndexFunc(d.Findings, func(f rotation.Finding) bool { return f.Check == check })
		if i < 0 || string(d.Findings[i].Verdict) != verdict {
			t.Errorf("want %s among %+v", w, d.Findings)
			return
		}
		if w == strings.Fields(want)[len(strings.Fields(want))-1] && !strings.Contains(d.Findings[i].Said, says) {
			t.Errorf("%s does not say %q: %+v", w, says, d.Findings[i])
		}
	}
}

// mustAccept asserts what the server was found to accept: "AWSCURRENT:works :refused".
func mustAccept(t *testing.T, d *rotation.Diagnosis, want string) {
	t.Helper()
	var got []string
	for _, v := range d.Versions {
		got = append(got, strings.Join(v.Stages, "+")+":"+string(v.Login))
	}
	if strings.Join(got, " ") != want {
		t.Errorf("versions are %v, want %s: %+v", got, want, d.Versions)
	}
}

// one chooses what is to be expected of a strategy.
func (t Target) one(dual, single string) string {
	if t.Dual {
		return dual
	}
	return single
}

// diagnosis: what a doctor says of a secret in each state that rotations and people
// leave it in. A healthy one costs one login, and none that is refused.
func diagnosis(t *testing.T, target Target) {
	const good = "rotation:ok value:ok password:ok tcp:ok tls:ok server:ok login:ok"
	b := sharedBench(t, target, "examined", "Old-Password-of-examined")
	d := b.Diagnose(t)
	b.MustFind(t, d, good, "logs in with AWSCURRENT")
	mustAccept(t, d, "AWSCURRENT:works")
	if d.Engine != target.Engine || d.Strategy != string(target.strategy()) {
		t.Errorf("it is %s, %s", d.Engine, d.Strategy)
	}
	verdict := "privileges:ok"
	if target.driverIsDual() && !target.Dual {
		verdict = "privileges:warn" // it could keep two passwords, and may not
	}
	b.MustFind(t, d, verdict, "may change its own password")
	if b.driver.logins != 1 || b.driver.refused != 0 {
		t.Errorf("%d logins, %d refused", b.driver.logins, b.driver.refused)
	}

	if err := b.Rotate(t); err != nil {
		t.Fatal(err)
	}
	d = b.Diagnose(t)
	b.MustFind(t, d, good, "")
	mustAccept(t, d, "AWSCURRENT:works AWSPREVIOUS:"+target.one("works", "refused"))
	if !target.driverIsDual() && b.driver.refused != 0 {
		t.Errorf("%d logins were refused to find out what is known", b.driver.refused)
	}

	r := b.store.Begin()
	mustAccept(t, b.Diagnose(t), "AWSCURRENT:works AWSPENDING:unknown AWSPREVIOUS:"+target.one("works", "refused"))
	for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret} {
		if err := rotationtest.RunStep(t.Context(), b.machine, r, step); err != nil {
			t.Fatal(err)
		}
	}
	d = b.Diagnose(t)
	b.MustFind(t, d, target.one(good, "login:fail"), "")
	mustAccept(t, d, target.one("AWSCURRENT:works AWSPENDING:works AWSPREVIOUS:refused", "AWSCURRENT:refused AWSPENDING:works AWSPREVIOUS:refused"))

	b.store.Unlabel(rotation.Pending)
	d = b.Diagnose(t)
	mustAccept(t, d, target.one("AWSCURRENT:works AWSPREVIOUS:refused", "AWSCURRENT:refused AWSPREVIOUS:refused :works"))
	b.MustNotBeLogged(t)
}

func (t Target) driverIsDual() bool { return t.Driver(nil).Rules().Dual }

// diagnosisOfALostPassword: nothing that the secret holds is accepted, and few
// enough tries are made for no server to lock the account.
func diagnosisOfALostPassword(t *testing.T, target Target) {
	b := sharedBench(t, target, "missed", "Old-Password-of-missed") // of a version that lost its labels
	for id, label := range map[string]string{"current": rotation.Current, "pending": rotation.Pending, "previous": rotation.Previous} {
		b.store.Plant("planted-"+id+"-000000000000000000000", secretOf(target, b.server.Host, b.front.Port, "missed", "Never-Set-"+id), label)
	}
	d := b.Diagnose(t)
	b.MustFind(t, d, "tls:ok login:fail", "missed")
	mustAccept(t, d, "AWSCURRENT:refused AWSPENDING:refused AWSPREVIOUS:refused :unknown")
	if b.driver.refused != 3 {
		t.Errorf("%d logins were refused, want 3", b.driver.refused)
	}
}

// diagnosisOfAnother: a version that speaks of another target is not tried there.
func diagnosisOfAnother(t *testing.T, target Target) {
	b := sharedBench(t, target, "deputised", "Old-Password-of-deputised")
	b.store.Plant(b.store.Begin().Token, secretOf(target, "database.example.com", b.front.Port, "deputised", "New-Password-of-deputised"), rotation.Pending)
	d := b.Diagnose(t)
	mustAccept(t, d, "AWSCURRENT:works AWSPENDING:unknown")
	if said := d.Versions[1].Said; !strings.Contains(said, `"host" differs`) || b.driver.logins != 1 {
		t.Errorf("%d logins; %s", b.driver.logins, said)
	}
	b.store.Plant("planted-current-000000000000000000000", rotation.TextValue(`{"engine":"`+target.Engine+`","password":"Other-Password-of-deputised"}`), rotation.Current)
	d = b.Diagnose(t)
	b.MustFind(t, d, "rotation:ok value:fail", `"host" is missing`)
	if b.driver.logins != 1 || d.Versions[0].Login != rotation.LoginUnknown {
		t.Errorf("%d logins, %+v", b.driver.logins, d.Versions)
	}
}
