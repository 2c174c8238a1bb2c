package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

func journalOf(c Command) (*journal, *bytes.Buffer) {
	var out bytes.Buffer
	return newJournal(&c, &out, terminal.Plain(&out)), &out
}

// What a caller sends makes no line of its own and does not control the terminal.
func TestHostileNames(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		j, out := journalOf(Command{JSON: asJSON})
		j.call(secretsmanager.Call{
			Operation: "Get\nSecret", Secret: "a\x1b[2Jb\nrotation of c: done", AccessKeyID: "\u202eme", Status: 400, Error: "X",
		})
		if text := out.String(); strings.Count(text, "\n") != 1 || strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("printed %q", text)
		}
		if asJSON && !json.Valid(out.Bytes()) {
			t.Errorf("no JSON: %q", out)
		}
	}
}

func TestSecretIsNamed(t *testing.T) {
	for id, want := range map[string]string{
		"app": "app",
		"arn:aws:secretsmanager:us-east-1:123456789012:secret:local/app-JyTTSM":       "local/app",
		"arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a-b-abcdef-JyTTSM":  "a-b-abcdef",
		"arn:aws:secretsmanager:us-east-1:123456789012:secret:no-suffix-here-of-them": "arn:aws:secretsmanager:us-east-1:123456789012:secret:no-suffix-here-of-them",
	} {
		if got := nameOf(id); got != want {
			t.Errorf("%s is named %s, want %s", id, got, want)
		}
	}
}

// Quiet is silent but for what failed, and says why.
func TestQuiet(t *testing.T) {
	j, out := journalOf(Command{Quiet: true})
	j.call(secretsmanager.Call{Operation: "GetSecretValue"})
	cause := &secretsmanager.RotationError{ARN: "arn", Step: "setSecret", Err: &lambda.FunctionError{Message: "no route:\nWhat to do: go"}}
	for _, kind := range []secretsmanager.RotationEventKind{
		secretsmanager.RotationStarted, secretsmanager.StepStarted, secretsmanager.StepFinished, secretsmanager.RotationRetried,
	} {
		j.rotation(secretsmanager.RotationEvent{Kind: kind, Name: "app", Err: cause})
	}
	if out.Len() > 0 {
		t.Errorf("not quiet: %q", out)
	}
	j.rotation(secretsmanager.RotationEvent{Kind: secretsmanager.RotationFailed, Name: "app", Err: cause, Attempt: 3})
	if text := out.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "no route: What to do: go") {
		t.Errorf("printed %q", text)
	}
}

func TestAwait(t *testing.T) {
	j, _ := journalOf(Command{Quiet: true})
	j.await(time.Minute) // nothing is under way
	j.rotation(secretsmanager.RotationEvent{Kind: secretsmanager.RotationStarted, ARN: "a"})
	j.rotation(secretsmanager.RotationEvent{Kind: secretsmanager.RotationStarted, ARN: "b"})
	begin := time.Now()
	j.await(50 * time.Millisecond)
	if time.Since(begin) < 50*time.Millisecond {
		t.Error("it did not wait")
	}
	go func() {
		for _, arn := range []string{"a", "b"} {
			time.Sleep(20 * time.Millisecond)
			j.rotation(secretsmanager.RotationEvent{Kind: secretsmanager.RotationAbandoned, ARN: arn, Err: errors.New("over")})
		}
	}()
	j.await(time.Minute)
}

func TestVariables(t *testing.T) {
	for given, want := range map[string]variable{
		"KEY=value":             {"", "KEY", "value"},
		"KEY=":                  {"", "KEY", ""},
		"KEY=a=b:c":             {"", "KEY", "a=b:c"},
		"rotate-rds:KEY=a:b=c":  {"rotate-rds", "KEY", "a:b=c"},
		"EXCLUDE_CHARACTERS=,:": {"", "EXCLUDE_CHARACTERS", ",:"},
	} {
		if got, err := parseVariable(given); err != nil || got != want {
			t.Errorf("%s: %+v, %v", given, got, err)
		}
	}
	t.Chdir(t.TempDir())
	if v, err := parseVariable("SSL_CERT_DIR=."); err != nil || !strings.HasPrefix(v.value, "/") {
		t.Errorf("a relative path stays one: %+v, %v", v, err)
	}
}
