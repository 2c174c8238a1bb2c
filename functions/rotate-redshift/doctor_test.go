package main_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// diagnose sends the compiled function a doctor's event: "check:verdict", and
// "label:login" of the versions.
func (a *account) diagnose() (verdicts string, d rotation.Diagnosis) {
	a.t.Helper()
	event, err := json.Marshal(map[string]string{"Step": "doctor", "SecretId": a.secret})
	if err != nil {
		a.t.Fatal(err)
	}
	answer, err := a.function.Invoke(a.t.Context(), event)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := json.Unmarshal(answer, &d); err != nil {
		a.t.Fatal(err)
	}
	if strings.Contains(string(answer), adminPassword) {
		a.t.Errorf("a password is in the diagnosis: %s", answer)
	}
	a.mustNotLeak()
	var all []string
	for _, f := range d.Findings {
		all = append(all, strings.ReplaceAll(f.Check, " ", "_")+":"+string(f.Verdict))
	}
	for _, v := range d.Versions {
		all = append(all, strings.Join(v.Stages, "+")+":"+string(v.Login))
	}
	return strings.Join(all, " "), d
}

// Over the wire a user is examined as one of PostgreSQL is. What is wrong is said
// without a change.
func TestDoctor(t *testing.T) {
	t.Parallel()
	a := newAccount(t, nil, nil)
	a.mustRotate(true)
	const good = "rotation:ok value:ok password:ok dns:ok tcp:ok tls:ok login:ok server:ok privileges:ok AWSCURRENT:works AWSPREVIOUS:refused"
	if got, d := a.diagnose(); got != good || d.Engine != "redshift" || d.Strategy != "single" {
		t.Errorf("got %s, %+v", got, d)
	}
	a.silently("ALTER ROLE app PASSWORD 'Password-1-of-someone-else'")
	if got, d := a.diagnose(); !strings.Contains(got, "login:fail") || !strings.Contains(got, "AWSCURRENT:refused AWSPREVIOUS:refused") {
		t.Errorf("got %s, %+v", got, d)
	}
}
