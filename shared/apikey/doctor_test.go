package apikey_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// diagnose sends a doctor's event, and asserts that nothing came of it but answers.
func (b *bench) diagnose() (findings, versions string, d *rotation.Diagnosis) {
	b.Helper()
	b.vendor.faults.FailAt(b.planned())
	calls, made, live := len(b.store.Calls()), b.vendor.made, len(b.vendor.live())
	d, err := b.machine.Serve(b.Context(), rotation.Event{Step: rotation.DoctorStep, SecretID: rotationtest.SecretID})
	if err != nil {
		b.Fatal(err)
	}
	for _, call := range b.store.Calls()[calls:] {
		if call != "Describe" && call != "Unlabelled" && !strings.HasPrefix(call, "Get ") {
			b.Errorf("a diagnosis called %s", call)
		}
	}
	for _, effect := range b.vendor.faults.Effects() {
		if effect != "Check" && effect != "List" {
			b.Errorf("a diagnosis asked the vendor to %s", effect)
		}
	}
	if b.vendor.made != made || len(b.vendor.live()) != live || b.vendor.replayed {
		b.Error("a diagnosis changed the vendor's keys")
	}
	if told, _ := json.Marshal(d); strings.Contains(string(told), "secret-") {
		b.Errorf("a diagnosis tells a key: %s", told)
	}
	for _, f := range d.Findings[1:] { // the first is the machine's
		findings += " " + f.Check + ":" + string(f.Verdict)
		if f.Said == "" || (f.Remedy == "") != (f.Verdict == rotation.OK) {
			b.Errorf("a finding without what was found, or what to do: %+v", f)
		}
	}
	for _, v := range d.Versions {
		versions += " " + strings.Join(v.Stages, "+") + ":" + string(v.Login)
	}
	return strings.TrimSpace(findings), strings.TrimSpace(versions), d
}

// planned keeps the fault that a case has planned, and forgets effects.
func (b *bench) planned() (int, rotationtest.Fate) {
	if b.fault == nil {
		return 0, rotationtest.Healthy
	}
	return b.fault.at, b.fault.fate
}

func TestDiagnosis(t *testing.T) {
	t.Parallel()
	var (
		dual = apikey.Traits{Class: apikey.Dual, Lists: true, Revokes: true, Named: true, Limit: 2}
		used = apikey.Traits{Class: apikey.Dual, Lists: true, Revokes: true, Named: true, LastUsed: true}
		once = apikey.Traits{Class: apikey.Replace, Once: true}
	)
	rotate := func(b *bench) {
		if err := rotationtest.Run(b.Context(), b.machine, b.store.Begin()); err != nil {
			b.Fatal(err)
		}
	}
	half := func(b *bench) {
		if err := rotationtest.RunStep(b.Context(), b.machine, b.store.Begin(), rotation.CreateSecret); err != nil {
			b.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		traits             apikey.Traits
		prepare            func(*bench)
		findings, versions string
	}{
		"healthy":                            {dual, func(*bench) {}, "value:ok vendor:ok login:ok keys:ok", "AWSCURRENT:works"},
		"nothing is listed":                  {once, func(*bench) {}, "value:ok vendor:ok login:ok", "AWSCURRENT:works"},
		"in the grace period, full":          {dual, rotate, "value:ok vendor:ok login:ok keys:warn", "AWSCURRENT:works AWSPREVIOUS:works"},
		"an old key in use is not used more": {used, rotate, "value:ok vendor:ok login:ok keys:ok", "AWSCURRENT:works AWSPREVIOUS:unknown"},
		"retired": {dual, func(b *bench) {
			rotate(b)
			if err := b.retire(); err != nil {
				b.Fatal(err)
			}
		}, "value:ok vendor:ok login:ok keys:ok", "AWSCURRENT:works AWSPREVIOUS:refused"},
		"half done": {dual, half, "value:ok vendor:ok login:ok keys:warn", "AWSCURRENT:works AWSPENDING:works"},
		"half done, and the vendor ended the old one": {once, half, "value:ok vendor:ok login:fail", "AWSCURRENT:refused AWSPENDING:works"},
		"and cleared away": {once, func(b *bench) {
			half(b)
			b.store.Unlabel(rotation.Pending)
		}, "value:ok vendor:ok login:fail", "AWSCURRENT:refused :works"},
		"ended by somebody":    {used, func(b *bench) { b.vendor.find("secret-0").ended = true }, "value:ok vendor:ok login:fail keys:ok", "AWSCURRENT:refused"},
		"full of others' keys": {dual, func(b *bench) { b.vendor.plant("other", "other") }, "value:ok vendor:ok login:ok keys:fail", "AWSCURRENT:works"},
		"out of reach":         {dual, func(b *bench) { b.fault = &fault{0, rotationtest.NotDone} }, "value:ok vendor:fail login:skipped keys:skipped", "AWSCURRENT:unknown"},
		"no list to be had":    {dual, func(b *bench) { b.fault = &fault{1, rotationtest.NotDone} }, "value:ok vendor:ok login:ok keys:fail", "AWSCURRENT:works"},
		"of no provider that is known": {dual, func(b *bench) {
			b.store.Plant("planted-0000000000000000000000000000", rotation.TextValue(`{"provider": "nobody"}`), rotation.Current)
		}, "value:fail", "AWSCURRENT:unknown"},
		"without an administrator to be read": {dual, func(b *bench) {
			b.store.Plant("planted-0000000000000000000000000000", rotation.TextValue(`{"provider": "test", "adminSecretArn": "gone", "secret": "secret-0", "id": "id-0"}`), rotation.Current)
		}, "value:ok administrator:fail login:skipped", "AWSCURRENT:unknown"},
		"without a key yet": {dual, func(b *bench) {
			b.store.Plant("planted-0000000000000000000000000000", rotation.TextValue(`{"provider": "test"}`), rotation.Current)
		}, "value:ok login:warn keys:ok", "AWSCURRENT:unknown"},
		"pending of another account": {dual, func(b *bench) {
			b.store.Plant(b.store.Begin().Token, rotation.TextValue(`{"provider": "other", "secret": "secret-0", "id": "id-0"}`), rotation.Pending)
		}, "value:ok vendor:ok login:ok keys:ok", "AWSCURRENT:works AWSPENDING:unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, c.traits)
			c.prepare(b)
			findings, versions, d := b.diagnose()
			if findings != c.findings {
				t.Errorf("got %s, want %s: %+v", findings, c.findings, d.Findings)
			}
			if versions != c.versions {
				t.Errorf("got %s, want %s: %+v", versions, c.versions, d.Versions)
			}
			if i := slices.IndexFunc(d.Findings, func(f rotation.Finding) bool { return f.Check == "login" && f.Verdict == rotation.Fail }); i >= 0 && !strings.Contains(d.Findings[i].Remedy, "store it with PutSecretValue") && !strings.Contains(d.Findings[i].Remedy, "rekey unstick") {
				t.Errorf("the remedy is %q", d.Findings[i].Remedy)
			}
		})
	}
}

// A key that a new one has ended is not used again: a vendor may take that for theft.
func TestDiagnosisUsesNoEndedKey(t *testing.T) {
	t.Parallel()
	b := setUp(t, apikey.Traits{Class: apikey.Replace, Once: true})
	if err := rotationtest.Run(t.Context(), b.machine, b.store.Begin()); err != nil {
		t.Fatal(err)
	}
	_, versions, d := b.diagnose()
	if versions != "AWSCURRENT:works AWSPREVIOUS:refused" || !strings.HasPrefix(d.Versions[1].Said, "not tried: ") {
		t.Errorf("got %s: %+v", versions, d.Versions)
	}
	if asked := b.vendor.faults.Effects(); !slices.Equal(asked, []string{"Check"}) {
		t.Errorf("the vendor was asked: %v", asked)
	}
}
