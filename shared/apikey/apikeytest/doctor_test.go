package apikeytest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// Of every vendor a doctor can say whether it takes the key, and whether there is room
// for another; it changes nothing there, and tells no key.
func TestDiagnosis(t *testing.T) {
	t.Parallel()
	for _, c := range Cases {
		t.Run(c.Provider, func(t *testing.T) {
			t.Parallel()
			w := NewLane(t, c).NewWorld(t)
			w.diagnose("before any rotation", rotation.LoginWorks)
			if err := w.rotate(w.Store.Begin()); err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(10 * time.Minute) // the vendor knows the new key
			w.diagnose("after a rotation", rotation.LoginWorks)
			if w.traits().Class == apikey.Assisted {
				return
			}
			old := w.current()
			w.Clock.Advance(2 * Grace)
			w.settle(1)
			w.Clock.Advance(10 * time.Minute)
			w.diagnose("after the grace period", rotation.LoginWorks)
			if w.current() != old || len(w.wrong) > 0 {
				t.Errorf("%q", w.wrong)
			}
		})
	}
}

// diagnose sends a doctor's event; login is what is to be said of AWSCURRENT, unless its
// key has ended by itself by now.
func (w *World) diagnose(when string, login rotation.LoginState) {
	w.t.Helper()
	live, effects := len(w.Vendor.Live()), len(w.Store.Calls())
	d, err := w.machine().Serve(w.t.Context(), rotation.Event{Step: rotation.DoctorStep, SecretID: rotationtest.SecretID})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, call := range w.Store.Calls()[effects:] {
		if call == "Put" || call == "Promote" || call == "Claim" {
			w.t.Errorf("%s: a diagnosis called %s", when, call)
		}
	}
	if len(w.Vendor.Live()) != live {
		w.t.Errorf("%s: %d keys before the diagnosis, %d after", when, live, len(w.Vendor.Live()))
	}
	if !w.Vendor.Works(w.current()) {
		login = rotation.LoginRefused
	}
	if d.Engine != w.Provider || d.Strategy != string(w.traits().Class) || len(d.Versions) == 0 || d.Versions[0].Login != login {
		w.t.Errorf("%s: %s, %s, versions %+v, findings %+v", when, d.Engine, d.Strategy, d.Versions, d.Findings)
	}
	if login == rotation.LoginWorks && d.Worst() == rotation.Fail {
		w.t.Errorf("%s: %+v", when, d.Findings)
	}
	told, err := json.Marshal(d)
	if err != nil {
		w.t.Fatal(err)
	}
	_, _ = w.log.Write(told)
	if leaks := w.leaks(); len(leaks) > 0 {
		w.t.Errorf("%s: it tells %q", when, leaks)
	}
}
