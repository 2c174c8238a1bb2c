package main_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// diagnose sends the compiled function a doctor's event, and asserts that it wrote
// nothing and told no password.
func (a *account) diagnose(passwords ...string) *rotation.Diagnosis {
	a.t.Helper()
	a.mu.Lock()
	before := len(a.calls)
	a.mu.Unlock()
	event, err := json.Marshal(map[string]string{"Step": "doctor", "SecretId": a.secret})
	if err != nil {
		a.t.Fatal(err)
	}
	answer, err := a.function.Invoke(a.t.Context(), event)
	if err != nil {
		a.t.Fatal(err)
	}
	a.mu.Lock()
	calls := slices.Clone(a.calls[before:])
	a.mu.Unlock()
	for _, call := range calls {
		if call != "DescribeSecret" && call != "GetSecretValue" && call != "ListSecretVersionIds" {
			a.t.Errorf("a diagnosis called %s", call)
		}
	}
	for _, p := range append(passwords, a.password) {
		if strings.Contains(string(answer), p) {
			a.t.Errorf("a password is in the diagnosis: %s", answer)
		}
	}
	var d rotation.Diagnosis
	if err := json.Unmarshal(answer, &d); err != nil {
		a.t.Fatalf("%v: %s", err, answer)
	}
	a.mustNotLeak(passwords...)
	return &d
}

// verdicts are "check:verdict", and "label:login" of the versions.
func verdicts(d *rotation.Diagnosis) string {
	var all []string
	for _, f := range d.Findings {
		all = append(all, strings.ReplaceAll(f.Check, " ", "_")+":"+string(f.Verdict))
	}
	for _, v := range d.Versions {
		all = append(all, strings.Join(v.Stages, "+")+":"+string(v.Login))
	}
	return strings.Join(all, " ")
}

// An operator sends the doctor's event: of a secret that this function rotates it says
// what is what; of another it says that it does not look, and nobody logs in.
func TestDoctor(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e engine) {
		a := newAccount(t, e, databasetest.Shared(t, e.server, e.version), "examined", nil)
		if got := verdicts(a.diagnose()); got != "function:fail" {
			t.Errorf("of a secret that it does not rotate: %s", got)
		}
		if err := a.rotate(true); err != nil {
			t.Fatal(err)
		}
		password, _ := a.value("AWSCURRENT")
		const good = "rotation:ok value:ok password:ok dns:ok tcp:ok tls:ok login:ok server:ok "
		privileges := "privileges:ok"
		if e.server != "postgres" {
			privileges = "privileges:warn" // it may not keep an old password
		}
		if got, want := verdicts(a.diagnose(password)), good+privileges+" AWSCURRENT:works AWSPREVIOUS:refused"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if _, err := a.client.CancelRotateSecret(t.Context(), &sdk.CancelRotateSecretInput{SecretId: &a.secret}); err != nil {
			t.Fatal(err)
		}
		if got := verdicts(a.diagnose(password)); !strings.HasPrefix(got, "rotation:fail value:ok") || !strings.Contains(got, "AWSCURRENT:works") {
			t.Errorf("with rotation turned off: %s", got)
		}
		if _, err := a.client.DeleteSecret(t.Context(), &sdk.DeleteSecretInput{SecretId: &a.secret, RecoveryWindowInDays: aws.Int64(7)}); err != nil {
			t.Fatal(err)
		}
		if got := verdicts(a.diagnose()); got != "rotation:fail" {
			t.Errorf("marked for deletion: %s", got)
		}
	})
}

// A secret that is not there, and an event that names none, are told as what they are.
func TestDoctorOfNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	e := engines[0]
	a := newAccount(t, e, databasetest.Shared(t, e.server, e.version), "examined_not", nil)
	a.secret = "gone"
	if d := a.diagnose(); verdicts(d) != "secret:fail" || d.Findings[0].Remedy == "" {
		t.Errorf("got %+v", d)
	}
	answer, err := a.function.Invoke(t.Context(), []byte(`{"Step":"doctor"}`))
	if err == nil || !strings.Contains(err.Error(), "SecretId has 0 characters") {
		t.Errorf("without a secret: %s, %v", answer, err)
	}
}
