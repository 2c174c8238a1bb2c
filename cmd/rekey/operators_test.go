package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekey-aws/rekey/local/iampolicy"
)

// operatorsPolicy is the policy of docs/operators.md. Policies of identities name no principal;
// the evaluator is one of policies that do.
func operatorsPolicy() (*iampolicy.Policy, error) {
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "operators", "policy.json"))
	if err != nil {
		return nil, err
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	for _, statement := range document["Statement"].([]any) {
		statement.(map[string]any)["Principal"] = "*"
	}
	whole, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	return iampolicy.Parse(string(whole), func(string) bool { return false })
}

// operatorCommands hold the operators' commands to their policy.
//
//	held-to-policy CALLER  all that the caller asked of Secrets Manager is allowed to operators
var operatorCommands = map[string]scriptCommand{
	"held-to-policy": func(ts *testscript.TestScript, not bool, args []string) {
		if not || len(args) != 1 {
			ts.Fatalf("usage: held-to-policy CALLER")
		}
		policy, err := operatorsPolicy()
		ts.Check(err)
		s := scriptOf(ts)
		called := map[string]bool{}
		for _, e := range s.local.all() {
			if e.Type != "call" || e.Caller != args[0] {
				continue
			}
			called[e.Operation] = true
			action := "secretsmanager:" + e.Operation
			if policy.Decide(iampolicy.Request{Action: action, Resource: "arn:aws:secretsmanager:us-east-1:123456789012:secret:" + e.Secret + "-AbCdEf"}) != iampolicy.Allowed {
				ts.Fatalf("%s on %q is not allowed", action, e.Secret)
			}
		}
		var list []string
		for operation := range called {
			list = append(list, operation)
		}
		slices.Sort(list)
		_, _ = fmt.Fprintln(ts.Stdout(), strings.Join(list, " "))
	},
}

// The policy allows what is not in the calls to Secrets Manager too, of the deployment's
// functions alone, and reads no value.
func TestOperatorsPolicy(t *testing.T) {
	t.Parallel()
	policy, err := operatorsPolicy()
	if err != nil {
		t.Fatal(err)
	}
	const secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/production/app-AbCdEf"
	const function = "arn:aws:lambda:eu-west-1:123456789012:function:rotate-rds"
	const logs = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/rotate-rds"
	for request, want := range map[[2]string]iampolicy.Decision{
		{"lambda:InvokeFunction", function}:                                          iampolicy.Allowed,
		{"lambda:InvokeFunction", function + ":live"}:                                iampolicy.Allowed,
		{"lambda:GetPolicy", function}:                                               iampolicy.Allowed,
		{"lambda:UpdateFunctionCode", function}:                                      iampolicy.Neither,
		{"lambda:InvokeFunction", strings.Replace(function, "rotate-", "other-", 1)}: iampolicy.Neither,
		{"logs:FilterLogEvents", logs}:                                               iampolicy.Allowed,
		{"logs:FilterLogEvents", logs + ":*"}:                                        iampolicy.Allowed, // as CloudWatch Logs names it for some callers
		{"secretsmanager:RotateSecret", strings.Replace(secret, "shop", "bank", 1)}:  iampolicy.Neither,
		{"secretsmanager:GetSecretValue", secret}:                                    iampolicy.Neither,
		{"secretsmanager:BatchGetSecretValue", secret}:                               iampolicy.Neither,
		{"secretsmanager:PutSecretValue", secret}:                                    iampolicy.Neither,
		{"kms:Decrypt", "arn:aws:kms:eu-west-1:123456789012:key/1"}:                  iampolicy.Neither,
	} {
		if got := policy.Decide(iampolicy.Request{Action: request[0], Resource: request[1]}); got != want {
			t.Errorf("%s on %s: %v, want %v", request[0], request[1], got, want)
		}
	}
}

// The commands that the page for operators shows are ones that the command line takes: with a
// credential missing, they end for want of that and not for their form.
func TestOperatorsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operators.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, m := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(m[1]) {
			words := strings.Fields(line)
			if words[0] != "rekey" || strings.Contains(line, "|") {
				continue
			}
			seen++
			cmd := rekey(t, words[1:]...)
			cmd.Env = append(cmd.Env, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
				"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_PROFILE=", "AWS_REGION=")
			if _, stderr, code := result(t, cmd); code != 1 || !strings.Contains(stderr, "no ") {
				t.Errorf("%s: it exits with %d: %s", strings.TrimSpace(line), code, stderr)
			}
		}
	}
	if seen < 8 {
		t.Errorf("%d commands", seen)
	}
}
