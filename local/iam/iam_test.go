package iam_test

import (
	"errors"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/iam"
)

// The AWS CLI cannot tell: keys are made up to two, known after a while, refused with a wrong
// secret key, and end.
func TestCLI(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the AWS CLI")
	}
	t.Parallel()
	var minutes atomic.Int64 // that have passed
	begun := time.Now()
	server := iam.New(iam.Options{Now: func() time.Time { return begun.Add(time.Duration(minutes.Load()) * time.Minute) }, Lag: time.Minute})
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	id, secret := server.AddUser("deploy")
	run := func(id, secret string, arguments ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "aws", append(arguments, "--endpoint-url", web.URL, "--region", "us-east-1", "--output", "text")...)
		cmd.Env = append(cmd.Environ(), "AWS_ACCESS_KEY_ID="+id, "AWS_SECRET_ACCESS_KEY="+secret, "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1")
		out, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return string(exit.Stderr), err
		}
		return strings.TrimSpace(string(out)), err
	}
	must := func(want string, arguments ...string) string {
		t.Helper()
		out, err := run("AKIDADMIN", "example", arguments...)
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("%v: %v: %s, want %q", arguments, err, out, want)
		}
		return out
	}
	identity := func(id, secret, want string) {
		t.Helper()
		if out, _ := run(id, secret, "sts", "get-caller-identity"); !strings.Contains(out, want) {
			t.Errorf("%s, want %q", out, want)
		}
	}
	identity(id, "wrong", "SignatureDoesNotMatch")
	made := must("AKIA", "iam", "create-access-key", "--user-name", "deploy", "--query", "AccessKey.[AccessKeyId,SecretAccessKey]")
	next := strings.Fields(made)
	identity(next[0], next[1], "InvalidClientTokenId") // not known yet
	minutes.Add(1)
	identity(next[0], next[1], "user/deploy")
	if out, err := run("AKIDADMIN", "example", "iam", "create-access-key", "--user-name", "deploy"); err == nil || !strings.Contains(out, "LimitExceeded") {
		t.Errorf("a third key: %s", out)
	}
	must(next[0], "iam", "list-access-keys", "--user-name", "deploy")
	must("", "iam", "update-access-key", "--user-name", "deploy", "--access-key-id", id, "--status", "Inactive")
	minutes.Add(1)
	identity(id, secret, "InvalidClientTokenId")
	must("", "iam", "delete-access-key", "--user-name", "deploy", "--access-key-id", id)
	if out, err := run("AKIDADMIN", "example", "iam", "list-users"); err == nil || !strings.Contains(out, "InvalidAction") {
		t.Errorf("an action that is not known: %s", out)
	}
	if server.Peak("deploy") != 2 || !server.Valid(next[0], next[1]) || server.Valid(id, secret) {
		t.Error("the server's own account of it differs")
	}
}
