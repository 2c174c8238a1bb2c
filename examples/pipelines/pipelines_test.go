// Package pipelines_test holds the policies beside the pipelines to what docs/pipelines.md says
// of them. The pipelines themselves are run by the tests of cmd/rekey.
package pipelines_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/rekey-aws/rekey/local/iampolicy"
)

// policy reads a file as a policy of a resource, which those of identities and of trust become
// with what they leave out.
func policy(t *testing.T, file string, leftOut map[string]any) *iampolicy.Policy {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Version   string
		Statement []map[string]any
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, statement := range document.Statement {
		for key, value := range leftOut {
			if _, there := statement[key]; there {
				t.Fatalf("%s: a statement has %s", file, key)
			}
			statement[key] = value
		}
	}
	text, err = json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	p, err := iampolicy.Parse(string(text), func(string) bool { return true })
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return p
}

const account = "123456789012"

func TestTrust(t *testing.T) {
	oidc := func(provider string) string { return "arn:aws:iam::" + account + ":oidc-provider/" + provider }
	const project = "arn:aws:codebuild:eu-central-1:" + account + ":project/"
	for _, test := range []struct {
		file, principal, action string
		keys                    [2]string // names
		may                     [2]string
		mayNot                  [][2]string
	}{
		{
			"github/trust.json", oidc("token.actions.githubusercontent.com"), "sts:AssumeRoleWithWebIdentity",
			[2]string{"token.actions.githubusercontent.com:aud", "token.actions.githubusercontent.com:sub"},
			[2]string{"sts.amazonaws.com", "repo:example-org/orders:environment:production"},
			[][2]string{
				{"sts.amazonaws.com", "repo:example-org/orders:environment:staging"},
				{"sts.amazonaws.com", "repo:example-org/orders:ref:refs/heads/main"},
				{"sts.amazonaws.com", "repo:example-org/orders:pull_request"},
				{"sts.amazonaws.com", "repo:example-org/other:environment:production"},
				{"sts.amazonaws.com", "repo:example-org/orders-fork:environment:production"},
				{"sts.amazonaws.com", "repo:somebody/orders:environment:production"},
				{"https://github.com/example-org", "repo:example-org/orders:environment:production"},
			},
		},
		{
			"gitlab/trust.json", oidc("gitlab.com"), "sts:AssumeRoleWithWebIdentity",
			[2]string{"gitlab.com:aud", "gitlab.com:sub"},
			[2]string{"sts.amazonaws.com", "project_path:example-group/orders:ref_type:branch:ref:main"},
			[][2]string{
				{"sts.amazonaws.com", "project_path:example-group/orders:ref_type:branch:ref:main-2"},
				{"sts.amazonaws.com", "project_path:example-group/orders:ref_type:tag:ref:main"},
				{"sts.amazonaws.com", "project_path:example-group/other:ref_type:branch:ref:main"},
				{"sts.amazonaws.com", "project_path:somebody/orders:ref_type:branch:ref:main"},
				{"https://gitlab.com", "project_path:example-group/orders:ref_type:branch:ref:main"},
			},
		},
		{
			"codebuild/trust.json", "codebuild.amazonaws.com", "sts:AssumeRole",
			[2]string{"aws:sourceaccount", "aws:sourcearn"},
			[2]string{account, project + "orders-deploy"},
			[][2]string{
				{account, project + "other"},
				{"210987654321", project + "orders-deploy"},
				{account, "arn:aws:codebuild:eu-central-1:210987654321:project/orders-deploy"},
			},
		},
	} {
		t.Run(test.file, func(t *testing.T) {
			p := policy(t, test.file, map[string]any{"Resource": "*"})
			decide := func(principal string, keys map[string][]string) iampolicy.Decision {
				return p.Decide(iampolicy.Request{Principal: principal, Action: test.action, Resource: "*", Keys: keys})
			}
			keys := func(values [2]string) map[string][]string {
				return map[string][]string{test.keys[0]: {values[0]}, test.keys[1]: {values[1]}}
			}
			if decide(test.principal, keys(test.may)) != iampolicy.Allowed {
				t.Errorf("%v may not", test.may)
			}
			for _, values := range test.mayNot {
				if decide(test.principal, keys(values)) == iampolicy.Allowed {
					t.Errorf("%v may", values)
				}
			}
			for i, key := range test.keys {
				if decide(test.principal, map[string][]string{test.keys[1-i]: {test.may[1-i]}}) == iampolicy.Allowed {
					t.Errorf("who has no %s may", key)
				}
			}
			for _, other := range []string{oidc("example.com"), "ec2.amazonaws.com", "arn:aws:iam::" + account + ":role/other"} {
				if decide(other, keys(test.may)) == iampolicy.Allowed {
					t.Errorf("%s may", other)
				}
			}
		})
	}
}

func TestReadSecrets(t *testing.T) {
	p := policy(t, "read-secrets.json", map[string]any{"Principal": "*"})
	const (
		secrets = "arn:aws:secretsmanager:eu-central-1:" + account + ":secret:"
		key     = "arn:aws:kms:eu-central-1:" + account + ":key/11111111-2222-3333-4444-555555555555"
	)
	via := map[string][]string{"kms:viaservice": {"secretsmanager.eu-central-1.amazonaws.com"}}
	for _, test := range []struct {
		action, resource string
		keys             map[string][]string
		may              bool
	}{
		{"secretsmanager:GetSecretValue", secrets + "prod/orders/db-AbCdEf", nil, true},
		{"secretsmanager:GetSecretValue", secrets + "prod/payments/db-AbCdEf", nil, false},
		{"secretsmanager:PutSecretValue", secrets + "prod/orders/db-AbCdEf", nil, false},
		{"secretsmanager:DeleteSecret", secrets + "prod/orders/db-AbCdEf", nil, false},
		{"kms:Decrypt", key, via, true},
		{"kms:Decrypt", key, nil, false},
		{"kms:Encrypt", key, via, false},
	} {
		got := p.Decide(iampolicy.Request{Principal: "anyone", Action: test.action, Resource: test.resource, Keys: test.keys})
		if got == iampolicy.Allowed != test.may {
			t.Errorf("%s on %s: %v, want %v", test.action, test.resource, got, test.may)
		}
	}
}
