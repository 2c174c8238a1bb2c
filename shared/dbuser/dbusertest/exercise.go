package dbusertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

var steps = []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret}

// Exercise runs the whole suite for one kind of server. It needs the server
// installed, and fails if it is not.
func Exercise(t *testing.T, target Target) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	target.shared = target.start(t, database.Options{LogStatements: true})
	for _, c := range []struct {
		name string
		test func(*testing.T, Target)
	}{
		{"HealthyRotation", healthyRotation},
		{"EveryStepTwice", everyStepTwice},
		{"TwoAtOnce", twoAtOnce},
		{"WrongCurrentPassword", wrongCurrentPassword},
		{"PreviousPasswordIsLive", previousPasswordIsLive},
		{"OddNamesAndPasswords", oddNamesAndPasswords},
		{"OddNewPasswords", oddNewPasswords},
		{"LongestPassword", longestPassword},
		{"PendingNamesAnother", pendingNamesAnother},
		{"UnknownDatabase", unknownDatabase},
		{"ServerDown", serverDown},
		{"ServerSlow", serverSlow},
		{"ServerWithoutTLS", serverWithoutTLS},
		{"CertificateForAnotherName", certificateForAnotherName},
		{"UnknownAuthority", unknownAuthority},
		{"Retirement", retirement},
		{"RetirementOfAClearedRotation", retirementOfAClearedRotation},
		{"RetirementDuringRotations", retirementDuringRotations},
		{"Diagnosis", diagnosis},
		{"DiagnosisOfALostPassword", diagnosisOfALostPassword},
		{"DiagnosisOfAnother", diagnosisOfAnother},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, target)
		})
	}
}

func healthyRotation(t *testing.T, target Target) {
	b := sharedBench(t, target, "healthy", "Old-Password-of-healthy")
	for range 3 {
		if err := b.Rotate(t); err != nil {
			t.Fatal(err)
		}
		b.MustBeConsistent(t)
	}
	if b.driver.logins != 6 || b.driver.refused != 0 {
		t.Errorf("%d logins and %d refused in 3 rotations, want 6 and 0", b.driver.logins, b.driver.refused)
	}
	if n := len(b.store.Calls()); n != 24 {
		t.Errorf("%d calls in 3 rotations, want 24", n)
	}
	if n := strings.Count(b.Logs(), `"strategy":"`+string(target.strategy())+`"`); n != 3 {
		t.Errorf("%d lines name the strategy %s, want 3:\n%s", n, target.strategy(), b.Logs())
	}
	b.MustNotBeLogged(t)
}

func everyStepTwice(t *testing.T, target Target) {
	b := sharedBench(t, target, "twice", "Old-Password-of-twice")
	r := b.store.Begin()
	for _, step := range steps {
		for range 2 {
			if err := rotationtest.RunStep(t.Context(), b.machine, r, step); err != nil {
				t.Fatalf("%s: %v", step, err)
			}
		}
	}
	b.MustBeConsistent(t)
}

// twoAtOnce: Secrets Manager may invoke a step while an earlier invocation of it
// still runs.
func twoAtOnce(t *testing.T, target Target) {
	b := sharedBench(t, target, "both", "Old-Password-of-both")
	r := b.store.Begin()
	for _, step := range steps {
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = rotationtest.RunStep(t.Context(), b.machine, r, step) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	b.MustBeConsistent(t)
}

func wrongCurrentPassword(t *testing.T, target Target) {
	b := sharedBench(t, target, "wrong", "Old-Password-of-wrong")
	if err := b.server.Exec(t.Context(), target.ChangePassword("wrong", "Behind-the-Secrets-Back")); err != nil {
		t.Fatal(err)
	}
	err := b.Rotate(t)
	MustFail(t, err, rotation.ErrRefused, "wrong")
	if n := b.driver.changes.Load(); n != 0 {
		t.Errorf("%d changes in the server, want none", n)
	}
}

// previousPasswordIsLive: someone stored a new AWSCURRENT by hand without
// changing the server, or restored the database.
func previousPasswordIsLive(t *testing.T, target Target) {
	b := sharedBench(t, target, "restored", "Old-Password-of-restored")
	_, live := b.store.Labelled(rotation.Current)
	b.store.Plant("planted-previous-00000000000000000000", live, rotation.Previous)
	b.store.Plant("planted-current-000000000000000000000", secretOf(target, b.server.Host, b.front.Port, "restored", "Never-Set-Password"), rotation.Current)
	if err := b.Rotate(t); err != nil {
		t.Fatal(err)
	}
	if err := b.logsIn(t, rotation.Current); err != nil {
		t.Errorf("locked out: %v", err)
	}
}

func oddNamesAndPasswords(t *testing.T, target Target) {
	rules := target.Driver(nil).Rules()
	tooLong := strings.Repeat("x", rules.MaxUsername+1)
	if target.MaxUsername > 0 {
		rules.MaxUsername = target.MaxUsername
	}
	longest := strings.Repeat("ü", rules.MaxUsername)
	for rules.UsernameLength(longest) > rules.MaxUsername {
		longest = longest[:len(longest)-len("ü")]
	}
	for _, odd := range []string{
		`quote'"` + "`", `back\slash\`, `percent%s%`, `dollar$1$$`, "two  spaces", "ünïcødé", "x", longest, "semi;colon--", "at@host", "%",
	} {
		t.Run(odd, func(t *testing.T) {
			t.Parallel()
			b := sharedBench(t, target, odd, odd+"’s pässwörd")
			if err := b.Rotate(t); err != nil {
				t.Fatal(err)
			}
			b.MustBeConsistent(t)
		})
	}
	t.Run("password of one character", func(t *testing.T) {
		t.Parallel()
		b := sharedBench(t, target, "one", "p")
		if err := b.Rotate(t); err != nil {
			t.Fatal(err)
		}
		b.MustBeConsistent(t)
	})
	t.Run("name too long", func(t *testing.T) {
		t.Parallel()
		b := sharedBench(t, target, "short", "Old-Password-of-short", map[string]any{"username": tooLong})
		MustFail(t, b.Rotate(t), rotation.ErrConfig, `"username"`)
	})
}

// oddNewPasswords: with nothing excluded, every printable character reaches the
// server and comes back.
func oddNewPasswords(t *testing.T, target Target) {
	passwords := target.NewPasswords
	if passwords == nil {
		passwords = []string{`'"\;--$1%s` + "`", `\\''\'`, "with space and 'quote'", "~!@#$%^&*()_+{}|:<>?"}
	}
	for i, password := range passwords {
		t.Run(password, func(t *testing.T) {
			t.Parallel()
			user := fmt.Sprintf("odd_new_%d", i)
			b := sharedBench(t, target, user, "Old-Password-of-"+user)
			if err := b.RotateTo(t, password); err != nil {
				t.Fatal(err)
			}
			b.MustBeConsistent(t)
			if b.Password(t, rotation.Current) != password {
				t.Error("the pending value was replaced")
			}
		})
	}
}

func longestPassword(t *testing.T, target Target) {
	b := sharedBench(t, target, "longest", "Old-Password-of-longest")
	most := b.driver.Rules().MaxPassword
	engine := b.machine.Engine.(*dbuser.Engine)
	engine.Policy = policy(t, map[string]string{"PASSWORD_LENGTH": fmt.Sprint(most), "EXCLUDE_CHARACTERS": ""})
	for range 2 { // the second logs in with it
		if err := b.Rotate(t); err != nil {
			t.Fatal(err)
		}
		b.MustBeConsistent(t)
	}
	if n := len(b.Password(t, rotation.Current)); n != most {
		t.Errorf("the password has %d characters, want %d", n, most)
	}
	engine.Policy = policy(t, map[string]string{"PASSWORD_LENGTH": fmt.Sprint(most + 1)})
	r := b.store.Begin()
	MustFail(t, rotationtest.Run(t.Context(), b.machine, r), rotation.ErrConfig, "PASSWORD_LENGTH")
}

func pendingNamesAnother(t *testing.T, target Target) {
	for key, value := range map[string]any{"host": "database.example.com", "port": 1, "username": "root", "dbname": "other", "tlsServerName": "other.example.com"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			b := sharedBench(t, target, "deputy_"+key[:4], "Old-Password-of-deputy")
			r := b.store.Begin()
			b.store.Plant(r.Token, secretOf(target, b.server.Host, b.front.Port, "deputy_"+key[:4], "New-Password-of-deputy", map[string]any{key: value}), rotation.Pending)
			err := rotationtest.RunStep(t.Context(), b.machine, r, rotation.SetSecret)
			MustFail(t, err, rotation.ErrConfig, `"`+key+`"`)
			if b.driver.logins+b.driver.refused != 0 {
				t.Error("it logged in before it looked")
			}
		})
	}
}

func unknownDatabase(t *testing.T, target Target) {
	b := sharedBench(t, target, "nodb", "Old-Password-of-nodb", map[string]any{"dbname": "no_such_database"})
	b.MustFind(t, b.Diagnose(t), "tls:ok login:fail", "no_such_database")
	err := b.Rotate(t)
	if !errors.Is(err, rotation.ErrConfig) && !errors.Is(err, rotation.ErrDenied) { // MySQL denies what an account may not see
		t.Errorf("got %v", err)
	}
	if errors.Is(err, rotation.ErrRefused) {
		t.Error("a wrong database reads as a wrong password")
	}
}

func serverDown(t *testing.T, target Target) {
	server := target.start(t, database.Options{})
	b := NewBench(t, target, server, "down", "Old-Password-of-down")
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	says := "connection refused"
	if target.Front != nil {
		says = "" // by the server, to what stands before it
	}
	MustFail(t, b.Rotate(t), rotation.ErrUnreachable, says)
	if d := b.Diagnose(t); target.Front == nil {
		b.MustFind(t, d, "value:ok tls:skipped login:skipped tcp:fail", says)
		mustAccept(t, d, "AWSCURRENT:unknown AWSPENDING:unknown")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Rotate(t); err != nil {
		t.Errorf("after the server came back: %v", err)
	}
}

func serverSlow(t *testing.T, target Target) {
	server := target.start(t, database.Options{})
	b := NewBench(t, target, server, "slow", "Old-Password-of-slow")
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := rotationtest.Run(ctx, b.machine, b.store.Begin())
	if ctx.Err() != nil {
		t.Error("the error came after the deadline")
	}
	MustFail(t, err, rotation.ErrUnreachable, "in the time there was")
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := b.Rotate(t); err != nil {
		t.Errorf("after the server came back: %v", err)
	}
}

func serverWithoutTLS(t *testing.T, target Target) {
	server := target.start(t, database.Options{TLS: database.TLSOff, LogStatements: true})
	b := NewBench(t, target, server, "plain", "Old-Password-of-plain")
	MustFail(t, b.Rotate(t), rotation.ErrTLS, "does not offer TLS")
	b.MustFind(t, b.Diagnose(t), "tcp:ok login:skipped tls:fail", "does not offer TLS")

	// The secret alone may not turn TLS off.
	b = NewBench(t, target, server, "plain2", "Old-Password-of-plain", map[string]any{"ssl": false})
	MustFail(t, b.Rotate(t), rotation.ErrConfig, `"ssl"`)
	if b.driver.logins+b.driver.refused != 0 {
		t.Error("it went to the server")
	}
}

func certificateForAnotherName(t *testing.T, target Target) {
	server := target.start(t, database.Options{CertificateHosts: []string{"localhost", "db.example.com"}})
	b := NewBench(t, target, server, "named", "Old-Password-of-named", map[string]any{"host": "127.0.0.1"})
	MustFail(t, b.Rotate(t), rotation.ErrTLS, "db.example.com")
	b.MustFind(t, b.Diagnose(t), "tcp:ok login:skipped tls:fail", "db.example.com")

	b = NewBench(t, target, server, "named2", "Old-Password-of-named", map[string]any{"host": "127.0.0.1", "tlsServerName": "db.example.com"})
	if err := b.Rotate(t); err != nil {
		t.Errorf("with tlsServerName: %v", err)
	}
}

func unknownAuthority(t *testing.T, target Target) {
	b := sharedBench(t, target, "stranger", "Old-Password-of-stranger")
	b.driver.Driver = target.Driver(nil) // the system's authorities and those of RDS
	MustFail(t, b.Rotate(t), rotation.ErrTLS, "not trusted")
}

// MustFail asserts the kind of an error, a word of its text, that it has a hint
// and that it holds no password of this suite.
func MustFail(t *testing.T, err, kind error, says string) {
	t.Helper()
	var step *rotation.StepError
	if !errors.As(err, &step) {
		t.Fatalf("got %v, want a StepError of kind %q", err, kind)
	}
	if step.Kind != kind || !strings.Contains(err.Error(), says) || step.Hint == "" {
		t.Errorf("got %v\nwant kind %q, a hint, and %q in the text", err, kind, says)
	}
	if strings.Contains(err.Error(), "Password-of") || strings.Contains(err.Error(), "pässwörd") {
		t.Errorf("the error holds a password: %v", err)
	}
}
