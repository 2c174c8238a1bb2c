package rekey_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/iampolicy"
)

// resolved is a value of a template with ARNs and ids in the place of references.
func (t template) resolved(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok {
			return "ref:" + ref
		}
		if at, ok := v["Fn::GetAtt"].([]any); ok {
			id := fmt.Sprint(at[0])
			if name := t.Resources[id].at("RoleName"); name != nil {
				return fmt.Sprint("arn:aws:iam::123456789012:role/", name)
			}
			return "att:" + id
		}
		out := map[string]any{}
		for key, one := range v {
			out[key] = t.resolved(one)
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, t.resolved(one))
		}
		return out
	}
	return v
}

// policyOf is the resource policy of a secret, as Secrets Manager will have it.
func policyOf(t *testing.T, tmpl template, secret string) *iampolicy.Policy {
	t.Helper()
	for id, r := range tmpl.of("AWS::SecretsManager::ResourcePolicy") {
		ref, _ := r.at("SecretId").(map[string]any)
		if tmpl.Resources[fmt.Sprint(ref["Ref"])].at("Name") != secret {
			continue
		}
		text, err := json.Marshal(tmpl.resolved(r.at("ResourcePolicy")))
		if err != nil {
			t.Fatal(err)
		}
		policy, err := iampolicy.Parse(string(text), func(string) bool { return true })
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		return policy
	}
	t.Fatalf("%s has no policy", secret)
	return nil
}

// The policies that are deployed, judged by the evaluator that the local stand-in uses. What
// is neither allowed nor denied is up to the caller's own policies.
func TestWhoMayTouchASecret(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/"
	every, banking := primary(t, everythingFile), primary(t, "multi-region-banking")
	orders, people := policyOf(t, every, "every/test/orders/app"), policyOf(t, every, "every/test/people/app")
	ledger := policyOf(t, banking, "payments/production/ledger/settlement")
	endpoint := ""
	for id, e := range banking.of("AWS::EC2::VPCEndpoint") {
		if strings.HasSuffix(fmt.Sprint(e.at("ServiceName")), ".secretsmanager") {
			endpoint = "ref:" + id
		}
	}
	inside := keys{"aws:sourcevpce": endpoint, "aws:principalorgid": "o-a1b2c3d4e5"}
	const get, put, move, remove, rotate = "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "DeleteSecret", "RotateSecret"
	deployer := role + "cdk-hnb659fds-cfn-exec-role-123456789012-eu-central-1"
	for _, tt := range []struct {
		name   string
		policy *iampolicy.Policy
		who    string
		action string
		keys   keys
		want   iampolicy.Decision
	}{
		{"a reader reads", orders, role + "reader", get, nil, iampolicy.Allowed},
		{"a reader writes", orders, role + "reader", put, nil, iampolicy.Denied},
		{"a writer writes", orders, role + "custodian", put, nil, iampolicy.Allowed},
		{"a stranger with all permissions reads", orders, role + "admin", get, nil, iampolicy.Denied},
		{"a stranger with all permissions writes", orders, role + "admin", put, nil, iampolicy.Denied},
		{"a stranger moves labels", orders, role + "admin", move, nil, iampolicy.Denied},
		{"a stranger deletes", orders, role + "admin", remove, nil, iampolicy.Denied},
		{"a writer deletes", orders, role + "custodian", remove, nil, iampolicy.Denied},
		{"a stranger rotates, as it is", orders, role + "admin", rotate, nil, iampolicy.Neither},
		{
			"a stranger rotates, with a function of his own", orders, role + "admin", rotate,
			keys{"secretsmanager:rotationlambdaarn": "arn:aws:lambda:eu-central-1:123456789012:function:mine"},
			iampolicy.Denied,
		},
		{"the function reads", orders, role + "every-test-rotate-rds", get, nil, iampolicy.Neither},
		{"the function writes", orders, role + "every-test-rotate-rds", put, nil, iampolicy.Neither},
		{"another function reads", orders, role + "every-test-rotate-apikey", get, nil, iampolicy.Denied},
		{"a reader without TLS", orders, role + "reader", get, keys{"aws:securetransport": "false"}, iampolicy.Denied},
		{"the deployment reads", orders, deployer, get, nil, iampolicy.Denied},
		{"the deployment deletes", orders, deployer, remove, nil, iampolicy.Neither},
		{"someone with all tags", people, role + "anyone", get, keys{"aws:principaltag/team": "people", "aws:principaltag/access": "app"}, iampolicy.Allowed},
		{"someone with one tag", people, role + "anyone", get, keys{"aws:principaltag/team": "people"}, iampolicy.Denied},
		{"someone with another value", people, role + "anyone", get, keys{"aws:principaltag/team": "people", "aws:principaltag/access": "all"}, iampolicy.Denied},
		{"tags of a reader and of a writer, mixed", people, role + "anyone", get, keys{"aws:principaltag/team": "people", "aws:principaltag/duty": "custodian"}, iampolicy.Denied},
		{"a writer by tags", people, role + "anyone", put, keys{"aws:principaltag/duty": "custodian", "aws:principaltag/level": "2"}, iampolicy.Allowed},
		{"a reader by tags writes", people, role + "anyone", put, keys{"aws:principaltag/team": "people", "aws:principaltag/access": "app"}, iampolicy.Denied},
		{
			"all tags, in another account", people, "arn:aws:iam::210987654321:role/x", get,
			keys{"aws:principalaccount": "210987654321", "aws:principaltag/team": "people", "aws:principaltag/access": "app"},
			iampolicy.Neither,
		},
		{"a reader through the endpoint", ledger, role + "settlement", get, inside, iampolicy.Allowed},
		{"a reader from elsewhere", ledger, role + "settlement", get, keys{"aws:principalorgid": "o-a1b2c3d4e5"}, iampolicy.Denied},
		{"a reader of another organization", ledger, role + "settlement", get, keys{"aws:sourcevpce": endpoint, "aws:principalorgid": "o-other"}, iampolicy.Denied},
		{"the function, from anywhere", ledger, role + "payments-production-rotate-rds", get, keys{"aws:principalorgid": "o-a1b2c3d4e5"}, iampolicy.Neither},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.policy.Decide(tt.keys.request(tt.who, tt.action)); got != tt.want {
				t.Errorf("decided %d, want %d", got, tt.want)
			}
		})
	}
	for name, policy := range map[string]*iampolicy.Policy{"orders": orders, "people": people, "ledger": ledger} {
		if policy.Public() {
			t.Errorf("%s: BlockPublicPolicy would refuse the policy", name)
		}
	}
}

// keys are condition keys that differ from an ordinary call of the account.
type keys map[string]string

func (k keys) request(principal, action string) iampolicy.Request {
	all := map[string]string{
		"aws:principalarn": principal, "aws:principalaccount": "123456789012",
		"aws:securetransport": "true", "aws:principalisawsservice": "false",
	}
	maps.Copy(all, k)
	r := iampolicy.Request{
		Principal: principal, Account: all["aws:principalaccount"], Action: "secretsmanager:" + action,
		Resource: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x-AbCdEf", Keys: map[string][]string{},
	}
	for key, value := range all {
		r.Keys[key] = []string{value}
	}
	return r
}
