package main_test

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// diagnose sends the compiled function a doctor's event: "check:verdict", and
// "label:login" of the versions. It asserts that nothing was written.
func (w *world) diagnose() string {
	w.t.Helper()
	w.mu.Lock()
	before := len(w.calls)
	w.mu.Unlock()
	event, err := json.Marshal(map[string]string{"Step": "doctor", "SecretId": w.secret})
	if err != nil {
		w.t.Fatal(err)
	}
	answer, err := w.function.Invoke(w.t.Context(), event)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	calls := slices.Clone(w.calls[before:])
	w.mu.Unlock()
	for _, call := range calls {
		if call != "DescribeSecret" && call != "GetSecretValue" {
			w.t.Errorf("a diagnosis called %s", call)
		}
	}
	for _, secret := range w.secrets {
		if strings.Contains(string(answer), secret) {
			w.t.Errorf("a key is in the diagnosis: %s", answer)
		}
	}
	var d rotation.Diagnosis
	if err := json.Unmarshal(answer, &d); err != nil {
		w.t.Fatalf("%v: %s", err, answer)
	}
	var all []string
	for _, f := range d.Findings {
		all = append(all, f.Check+":"+string(f.Verdict))
	}
	for _, v := range d.Versions {
		all = append(all, strings.Join(v.Stages, "+")+":"+string(v.Login))
	}
	return strings.Join(all, " ")
}
