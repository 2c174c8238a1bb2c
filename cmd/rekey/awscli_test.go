package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
)

const rotateRDSARN = "arn:aws:lambda:us-east-1:123456789012:function:rotate-rds"

// databaseUser makes a user of its own on a shared server, and a file with its secret.
func databaseUser(t *testing.T, server *database.Server, user, password string) (file string) {
	t.Helper()
	create := fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", user, password)
	if server.Engine == database.Postgres {
		create = fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", user, password)
	}
	if err := server.Exec(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(map[string]any{
		"engine": server.Engine, "host": server.Host, "port": server.Port, "username": user, "password": password, "team": "payments",
	})
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

type description struct {
	RotationEnabled    bool
	RotationLambdaARN  string
	RotationRules      struct{ AutomaticallyAfterDays int }
	LastRotatedDate    string
	NextRotationDate   string
	DeletedDate        string
	VersionIdsToStages map[string][]string
}

// The life of a secret, as someone with the AWS CLI lives it, with each kind of server.
func TestAWSCLI(t *testing.T) {
	needsEverything(t)
	for _, engine := range []database.Engine{database.Postgres, database.MySQL, database.MariaDB} {
		t.Run(string(engine), func(t *testing.T) {
			server := databasetest.Shared(t, engine, "")
			l := startLocal(t, "--env", "rotate-rds:SSL_CERT_FILE="+server.CAFile(), "--env", "PASSWORD_LENGTH=40")
			aws := newClient(t, l.ready.Endpoint)
			if !slices.Equal(l.ready.Functions, []string{rotateRDSARN}) || l.ready.Region != "us-east-1" {
				t.Errorf("ready: %+v", l.ready)
			}
			const first = "First-password-0123456789"
			aws.must(t, nil, "create-secret", "--name", "app", "--secret-string", "file://"+databaseUser(t, server, "cli_user", first))
			rotate(t, l, aws)
			passwords := []string{first, rotated(t, aws, server, first)}
			if engine == database.Postgres { // the rest is the same for all
				passwords = append(passwords, rotateAgain(t, l, aws, server, passwords[1]))
				cancelDeleteRestore(t, aws)
			}
			l.stop(t)
			for _, password := range passwords {
				if strings.Contains(l.text.String(), password) {
					t.Error("a password is in the output")
				}
			}
			if calls, want := callsOf(l, "rotate-rds"), 8*(len(passwords)-1); len(calls) != want {
				t.Errorf("the function made %d calls, want %d: %v", len(calls), want, calls)
			}
		})
	}
}

// rotate asks for the first rotation, which takes place at once.
func rotate(t *testing.T, l *local, aws client) {
	t.Helper()
	var started struct{ VersionID string }
	aws.must(t, &started, "rotate-secret", "--secret-id", "app", "--rotation-lambda-arn", rotateRDSARN,
		"--rotation-rules", "AutomaticallyAfterDays=30")
	if done := l.await(t, "RotationSucceeded", "app", 1); done.Version != started.VersionID || done.MS == nil {
		t.Errorf("%+v succeeded, %s was started", done, started.VersionID)
	}
	var d description
	aws.must(t, &d, "describe-secret", "--secret-id", "app")
	if !d.RotationEnabled || d.RotationLambdaARN != rotateRDSARN || d.RotationRules.AutomaticallyAfterDays != 30 ||
		d.LastRotatedDate == "" || d.NextRotationDate == "" {
		t.Errorf("described: %+v", d)
	}
	if len(d.VersionIdsToStages) != 2 || !slices.Contains(d.VersionIdsToStages[started.VersionID], "AWSCURRENT") {
		t.Errorf("labels: %v, rotated to %s", d.VersionIdsToStages, started.VersionID)
	}
}

// rotated looks at the values and the server after the first rotation.
func rotated(t *testing.T, aws client, server *database.Server, first string) (second string) {
	t.Helper()
	second = aws.value(t, "app", "AWSCURRENT").password(t)
	if got := aws.value(t, "app", "AWSPREVIOUS").password(t); got != first {
		t.Error("AWSPREVIOUS is not the first password")
	}
	if len(second) != 40 {
		t.Errorf("the password has %d characters: --env did not reach the function", len(second))
	}
	logsIn(t, server, second, first)
	return second
}

func rotateAgain(t *testing.T, l *local, aws client, server *database.Server, second string) (third string) {
	t.Helper()
	aws.must(t, nil, "rotate-secret", "--secret-id", "app")
	l.await(t, "RotationSucceeded", "app", 2)
	third = aws.value(t, "app", "AWSCURRENT").password(t)
	if got := aws.value(t, "app", "AWSPREVIOUS").password(t); got != second {
		t.Error("AWSPREVIOUS is not the second password")
	}
	logsIn(t, server, third, second)
	var versions struct {
		Versions []struct{ VersionStages []string }
	}
	aws.must(t, &versions, "list-secret-version-ids", "--secret-id", "app")
	if len(versions.Versions) != 2 {
		t.Errorf("%d versions with labels, want 2", len(versions.Versions))
	}
	return third
}

// logsIn asks the server which passwords it accepts.
func logsIn(t *testing.T, server *database.Server, good, bad string) {
	t.Helper()
	if err := server.Login(t.Context(), "cli_user", good); err != nil {
		t.Errorf("AWSCURRENT does not log in: %v", err)
	}
	if database.Refusal(server.Login(t.Context(), "cli_user", bad)) == "" {
		t.Error("the password before is not refused")
	}
}

func cancelDeleteRestore(t *testing.T, aws client) {
	t.Helper()
	aws.must(t, nil, "cancel-rotate-secret", "--secret-id", "app")
	var d description
	aws.must(t, &d, "describe-secret", "--secret-id", "app")
	if d.RotationEnabled || d.NextRotationDate != "" {
		t.Errorf("after cancelling: %+v", d)
	}
	aws.refused(t, "AccessDeniedException", "rotate-secret", "--secret-id", "app", "--rotation-lambda-arn", rotateRDSARN+"-other")

	aws.must(t, nil, "delete-secret", "--secret-id", "app", "--recovery-window-in-days", "7")
	aws.refused(t, "InvalidRequestException", "get-secret-value", "--secret-id", "app")
	aws.must(t, nil, "restore-secret", "--secret-id", "app")
	aws.value(t, "app", "AWSCURRENT").password(t)
}

func callsOf(l *local, caller string) []string {
	var operations []string
	for _, e := range l.all() {
		if e.Type == "call" && e.Caller == caller {
			operations = append(operations, e.Operation)
		}
	}
	return operations
}

// Secrets outlive the command, whether it ends well or is killed; and the password that is
// current then rotates on.
func TestStateIsKept(t *testing.T) {
	needsEverything(t)
	server := databasetest.Shared(t, database.Postgres, "")
	state := t.TempDir()
	start := func() (*local, client) {
		l := startLocal(t, "--state", state, "--env", "SSL_CERT_FILE="+server.CAFile())
		return l, newClient(t, l.ready.Endpoint)
	}
	l, aws := start()
	aws.must(t, nil, "create-secret", "--name", "kept", "--secret-string", "file://"+databaseUser(t, server, "kept_user", "First-password-0123456789"))
	aws.must(t, nil, "rotate-secret", "--secret-id", "kept", "--rotation-lambda-arn", rotateRDSARN, "--rotation-rules", "AutomaticallyAfterDays=1")
	l.await(t, "RotationSucceeded", "kept", 1)
	before := aws.value(t, "kept", "AWSCURRENT")

	// A second one on the same directory is refused.
	_, stderr, code := result(t, rekey(t, "local", "--port", "0", "--function", "a="+rotateRDS, "--state", state))
	if code != exitFailed || !strings.Contains(stderr, "in use") {
		t.Errorf("a second one: exit code %d, stderr %q", code, stderr)
	}

	for name, end := range map[string]func(*testing.T, *local){
		"Ctrl-C": func(t *testing.T, l *local) { l.stop(t) },
		"kill":   kill,
	} {
		end(t, l)
		l, aws = start()
		after := aws.value(t, "kept", "AWSCURRENT")
		if after.VersionID != before.VersionID || after.SecretString != before.SecretString {
			t.Errorf("after %s the value is another", name)
		}
		aws.must(t, nil, "rotate-secret", "--secret-id", "kept")
		l.await(t, "RotationSucceeded", "kept", 1)
		before = aws.value(t, "kept", "AWSCURRENT")
		if err := server.Login(t.Context(), "kept_user", before.password(t)); err != nil {
			t.Errorf("after %s and a rotation: %v", name, err)
		}
	}
	for _, file := range []string{"secrets.db", "secrets.key"} {
		content, err := os.ReadFile(filepath.Join(state, file))
		if err != nil || strings.Contains(string(content), before.password(t)) {
			t.Errorf("%s: %v, or it holds the password", file, err)
		}
	}
	l.stop(t)
}

// A rotation that fails says why, in its line; the password that logs in stays current.
func TestFailedRotationTellsTheCause(t *testing.T) {
	needsEverything(t)
	server := databasetest.Shared(t, database.Postgres, "")
	l := startLocal(t) // without SSL_CERT_FILE the server's authority is unknown
	aws := newClient(t, l.ready.Endpoint)
	aws.must(t, nil, "create-secret", "--name", "app", "--secret-string", "file://"+databaseUser(t, server, "untrusting", "First-password-0123456789"))
	aws.must(t, nil, "rotate-secret", "--secret-id", "app", "--rotation-lambda-arn", rotateRDSARN, "--rotation-rules", "AutomaticallyAfterDays=30")
	failed := l.await(t, "RotationFailed", "app", 1)
	for _, want := range []string{"setSecret", "TLS", "SSL_CERT_FILE"} {
		if !strings.Contains(failed.Error, want) {
			t.Errorf("no %q in the cause: %s", want, failed.Error)
		}
	}
	l.await(t, "RotationRetried", "app", 2)
	if err := server.Login(t.Context(), "untrusting", aws.value(t, "app", "AWSCURRENT").password(t)); err != nil {
		t.Errorf("locked out: %v", err)
	}
	l.stop(t)
}

// Ctrl-C during a rotation lets it come to its end.
func TestStopWaitsForRotation(t *testing.T) {
	needsEverything(t)
	server := databasetest.Start(t, database.Options{Engine: database.Postgres})
	state := t.TempDir()
	l := startLocal(t, "--env", "SSL_CERT_FILE="+server.CAFile(), "--state", state)
	aws := newClient(t, l.ready.Endpoint)
	aws.must(t, nil, "create-secret", "--name", "app", "--secret-string", "file://"+databaseUser(t, server, "cli_user", "First-password-0123456789"))
	if err := server.Pause(); err != nil { // setSecret waits for it
		t.Fatal(err)
	}
	aws.must(t, nil, "rotate-secret", "--secret-id", "app", "--rotation-lambda-arn", rotateRDSARN, "--rotation-rules", "AutomaticallyAfterDays=30")
	interrupt(t, l.cmd)
	time.Sleep(500 * time.Millisecond)
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	l.ended(t)
	l.await(t, "RotationSucceeded", "app", 1)

	again := startLocal(t, "--state", state)
	current := newClient(t, again.ready.Endpoint).value(t, "app", "AWSCURRENT")
	logsIn(t, server, current.password(t), "First-password-0123456789")
	again.stop(t)
}
