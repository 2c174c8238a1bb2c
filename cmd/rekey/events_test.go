package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/lambda"
)

// trailed is an event that rekey local --events --json printed.
type trailed struct {
	DetailType string `json:"detail-type"`
	Source     string
	Detail     struct {
		EventName, ErrorMessage string
		UserIdentity            struct{ ARN string }
		AdditionalEventData     struct{ SecretID string }
		RequestParameters       map[string]any
	}
}

// events are those that have been printed, by what each is.
func (l *local) events() map[string][]trailed {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[string][]trailed{}
	for text := range strings.Lines(l.text.String()) {
		var e trailed
		if json.Unmarshal([]byte(text), &e) != nil || e.DetailType == "" {
			continue
		}
		name := e.Detail.EventName
		if name == "" {
			name = e.DetailType
		}
		found[name] = append(found[name], e)
	}
	return found
}

// A rotation leaves the records that it leaves on AWS, under the function's role, and no value.
func TestEventsOfRotation(t *testing.T) {
	needsEverything(t)
	server := databasetest.Shared(t, database.Postgres, "")
	l := startLocal(t, "--events", "--env", "SSL_CERT_FILE="+server.CAFile())
	aws := newClient(t, l.ready.Endpoint)
	const first = "First-password-0123456789"
	aws.must(t, nil, "create-secret", "--name", "app", "--secret-string", "file://"+databaseUser(t, server, "event_user", first))
	aws.must(t, nil, "rotate-secret", "--secret-id", "app", "--rotation-lambda-arn", rotateRDSARN, "--rotation-rules", "AutomaticallyAfterDays=30")
	l.await(t, "RotationSucceeded", "app", 1)
	second := aws.value(t, "app", "AWSCURRENT").password(t)
	l.stop(t)
	found := l.events()
	for name, n := range map[string]int{
		"CreateSecret": 1, "RotateSecret": 1, "RotationStarted": 1, "DescribeSecret": 2, "GetSecretValue": 5,
		"PutSecretValue": 1, "UpdateSecretVersionStage": 1, "Secret Label Updated": 1, "RotationSucceeded": 1,
	} {
		if len(found[name]) != n {
			t.Errorf("%d events %s, want %d", len(found[name]), name, n)
		}
	}
	if t.Failed() {
		t.Fatalf("the output:\n%s", l.text.String())
	}
	put := found["PutSecretValue"][0].Detail
	if put.UserIdentity.ARN != "arn:aws:sts::123456789012:assumed-role/rotate-rds/rotate-rds" || len(put.RequestParameters) == 0 {
		t.Errorf("PutSecretValue is recorded as %+v", put)
	}
	for _, password := range []string{first, second} {
		if strings.Contains(l.text.String(), password) {
			t.Error("a password is in the output")
		}
	}
}

// As text, an event is one line.
func TestEventsText(t *testing.T) {
	needsEverything(t)
	cmd := rekey(t, "local", "--port", "0", "--function", "rotate-rds="+rotateRDS, "--events", "-q")
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, endpoint, _ := strings.Cut(strings.TrimSuffix(readUntil(t, output, ", until Ctrl-C\n"), ", until Ctrl-C\n"), "on ")
	aws := newClient(t, endpoint)
	aws.must(t, nil, "create-secret", "--name", "app", "--secret-string", "not to be seen")
	aws.refused(t, "ResourceNotFoundException", "get-secret-value", "--secret-id", "other")
	interrupt(t, cmd)
	rest, _ := io.ReadAll(output)
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(rest)), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "us-east-1 CreateSecret arn:aws:secretsmanager:us-east-1:123456789012:secret:app-") ||
		!strings.HasSuffix(lines[0], " by user/tester") || !strings.Contains(lines[1], "GetSecretValue other by user/tester: ResourceNotFoundException: ") {
		t.Errorf("printed:\n%s", rest)
	}
	nothingLeft(t, cmd)
}

// ruleOf writes a rule's file.
func ruleOf(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rule.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const onFailure = `{
	"Name": "rotation-failed",
	"EventPattern": {"source": ["aws.secretsmanager"], "detail": {"eventName": ["RotationFailed"]}},
	"State": "ENABLED",
	"Targets": [{"Id": "1", "Arn": "keeper", "RetryPolicy": {"MaximumRetryAttempts": 0}}]
}`

// keeper is the function of testdata, built.
func keeper(t *testing.T) string {
	t.Helper()
	binary, err := lambda.Build(t.Context(), lambda.BuildOptions{
		Package: "./cmd/rekey/testdata/keeper", Out: filepath.Join(t.TempDir(), "keeper"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// fail makes a rotation fail: the secret is of no engine.
func fail(t *testing.T, l *local) {
	t.Helper()
	aws := newClient(t, l.ready.Endpoint)
	aws.must(t, nil, "create-secret", "--name", "app", "--secret-string", `{"engine": "none"}`)
	aws.must(t, nil, "rotate-secret", "--secret-id", "app", "--rotation-lambda-arn", rotateRDSARN, "--rotation-rules", "AutomaticallyAfterDays=30")
	l.await(t, "RotationFailed", "app", 1)
}

// A rule hands the event to its function, in EventBridge's envelope. One that nobody takes is
// a dead letter.
func TestRule(t *testing.T) {
	needsEverything(t)
	function := "keeper=" + keeper(t)
	t.Run("delivers", func(t *testing.T) {
		kept := filepath.Join(t.TempDir(), "events")
		l := startLocal(t, "--function", function, "--env", "keeper:KEEP="+kept, "--rule", ruleOf(t, onFailure))
		fail(t, l)
		l.stop(t) // which waits for deliveries
		content, err := os.ReadFile(kept)
		var e trailed
		if err != nil || strings.Count(string(content), "\n") != 1 || json.Unmarshal(content, &e) != nil {
			t.Fatalf("%v: the function got %q\n%s", err, content, l.text.String())
		}
		if e.DetailType != "AWS Service Event via CloudTrail" || e.Source != "aws.secretsmanager" || e.Detail.EventName != "RotationFailed" ||
			!strings.HasPrefix(e.Detail.ErrorMessage, "Error when executing lambda "+rotateRDSARN+" during ") {
			t.Errorf("the function got %s", content)
		}
		if len(l.events()) > 0 {
			t.Error("events are printed without --events")
		}
	})
	t.Run("dead letter", func(t *testing.T) {
		state := t.TempDir()
		l := startLocal(t, "--function", function, "--state", state, "--rule", ruleOf(t, onFailure))
		fail(t, l)
		l.stop(t)
		files, _ := filepath.Glob(filepath.Join(state, "dead-letters", "*.json"))
		told := slices.ContainsFunc(l.all(), func(e entry) bool { return e.Type == "dead-letter" && e.Error != "" })
		if len(files) != 1 || !told {
			t.Errorf("dead letters: %v, told: %t\n%s", files, told, l.text.String())
		}
	})
	t.Run("temporary folder", func(t *testing.T) {
		l := startLocal(t, "--function", function, "--rule", ruleOf(t, strings.Replace(onFailure, `"keeper"`, `"`+strings.Replace(rotateRDSARN, "rotate-rds", "keeper", 1)+`"`, 1)))
		if l.ready.DeadLetters == "" {
			t.Error("the folder of dead letters is not told")
		}
		l.stop(t) // which removes it: nothing is in it
	})
}

func TestRuleRefused(t *testing.T) {
	change := func(old, by string) string { return strings.Replace(onFailure, old, by, 1) }
	for name, test := range map[string]struct{ rule, says string }{
		"no JSON":          {change(`"State"`, `State`), "line 4, column 3"},
		"unknown member":   {change(`"State"`, `"Condition"`), "line 4, column 2"},
		"wrong type":       {change(`"ENABLED"`, "7"), "line 4"},
		"cut":              {onFailure[:40], "ends before"},
		"two":              {onFailure + onFailure, "one file for each"},
		"name":             {change("rotation-failed", "rotation failed"), "Name"},
		"no pattern":       {change("EventPattern", "Description"), "line 3"},
		"pattern":          {change(`["RotationFailed"]`, `[{"prefixed": "R"}]`), "detail.eventName[0]"},
		"pattern as text":  {change(`{"source": ["aws.secretsmanager"], "detail": {"eventName": ["RotationFailed"]}}`, `"{\"source\": 1}"`), "at source"},
		"state":            {change("ENABLED", "ON"), "DISABLED"},
		"no target":        {change(`{"Id": "1", "Arn": "keeper", "RetryPolicy": {"MaximumRetryAttempts": 0}}`, ""), "Targets: there are none"},
		"target":           {change(`"Arn": "keeper", `, ""), "Targets[0].Arn"},
		"retries":          {change(`: 0}`, `: 186}`), "0 to 185"},
		"no such function": {onFailure, `Targets[0].Arn: there is no function "keeper" here: give one of rotate-rds`},
	} {
		t.Run(name, func(t *testing.T) {
			file := ruleOf(t, test.rule)
			cmd := rekey(t, "local", "--port", "0", "--function", "rotate-rds="+rotateRDS, "--rule", file)
			stdout, stderr, code := result(t, cmd)
			if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 ||
				!strings.HasPrefix(stderr, "rekey: --rule: "+file+": ") || !strings.Contains(stderr, test.says) {
				t.Errorf("exit code %d, stdout %q, stderr %q, want %q", code, stdout, stderr, test.says)
			}
			nothingLeft(t, cmd)
		})
	}
}
