package doctor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/local/iampolicy"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// invocation tells whether the function's policy lets Secrets Manager invoke it for this
// secret.
//
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
func (f *facts) invocation() rotation.Finding {
	const check = "invocation"
	arn := aws.ToString(f.secret.RotationLambdaARN)
	see := "Look at it: aws lambda get-policy --function-name " + arn
	add := "Let Secrets Manager invoke it: aws lambda add-permission --function-name " + arn +
		" --statement-id rotation --principal secretsmanager.amazonaws.com --action lambda:InvokeFunction --source-account " + accountOf(aws.ToString(f.secret.ARN))
	switch {
	case f.admitErr != nil:
		return unseen(check, "lambda:GetPolicy on "+arn, f.admitErr)
	case f.admission == "":
		return fail(check, add, "the function has no policy: Secrets Manager may not invoke it")
	}
	policy, undecided, err := readPolicy(f.admission, "aws:sourceaccount", "aws:sourcearn")
	if err != nil {
		return incomprehensible(check, see, "the function's policy", err)
	}
	decision := policy.Decide(iampolicy.Request{
		Principal: "secretsmanager.amazonaws.com", Action: "lambda:InvokeFunction", Resource: arn,
		Keys: map[string][]string{"aws:sourceaccount": {accountOf(aws.ToString(f.secret.ARN))}, "aws:sourcearn": {aws.ToString(f.secret.ARN)}},
	})
	switch {
	case decision == iampolicy.Allowed && undecided == "":
		return ok(check, "Secrets Manager may invoke it")
	case undecided != "":
		return undecidable(check, see, "the function's policy", undecided)
	case decision == iampolicy.Denied:
		return fail(check, "Take the statement away that denies it. "+see, "the function's policy denies Secrets Manager to invoke it")
	}
	return fail(check, add, "the function's policy does not let Secrets Manager invoke it for this secret")
}

// needed is what a rotation function does to its secret.
var needed = []string{"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"}

// guard tells whether the secret's resource policy keeps the function out, or lets everyone in.
func (f *facts) guard() rotation.Finding {
	const check = "policy"
	see := "Look at it: aws secretsmanager get-resource-policy --secret-id " + f.name()
	switch {
	case f.policyErr != nil:
		return unseen(check, "secretsmanager:GetResourcePolicy on the secret", f.policyErr)
	case f.policy == "":
		return ok(check, "the secret has no resource policy")
	}
	policy, undecided, err := readPolicy(f.policy, "aws:principalarn", "aws:principalaccount", "aws:securetransport")
	if err != nil {
		return incomprehensible(check, see, "the secret's resource policy", err)
	}
	if policy.Public() {
		return warn(check, "Name the principals that may read it: see docs/playbooks/public-policy.md.", "the secret's resource policy lets everyone in")
	}
	if f.function == nil || aws.ToString(f.function.Role) == "" {
		return ok(check, "the secret has a resource policy; whether it lets the function in is not known without the function's role")
	}
	role := aws.ToString(f.function.Role)
	var denied []string
	for _, action := range needed {
		r := iampolicy.Request{
			Principal: session(role, fleet.FunctionName(aws.ToString(f.secret.RotationLambdaARN))), Account: accountOf(role), Action: action, Resource: aws.ToString(f.secret.ARN),
			Keys: map[string][]string{"aws:principalarn": {role}, "aws:principalaccount": {accountOf(role)}, "aws:securetransport": {"true"}},
		}
		if policy.Decide(r) == iampolicy.Denied {
			denied = append(denied, strings.TrimPrefix(action, "secretsmanager:"))
		}
	}
	switch {
	case undecided != "":
		return undecidable(check, see, "the secret's resource policy", undecided)
	case len(denied) > 0:
		return fail(check, "Except the function's role from the statement that denies it. "+see, "the secret's resource policy denies the function's role: %s", strings.Join(denied, ", "))
	}
	return ok(check, "the secret's resource policy does not keep the function out")
}

func incomprehensible(check, see, what string, err error) rotation.Finding {
	return rotation.Finding{Check: check, Verdict: rotation.Skipped, Said: what + " is not understood: " + err.Error(), Remedy: see}
}

func undecidable(check, see, what, key string) rotation.Finding {
	return rotation.Finding{Check: check, Verdict: rotation.Skipped, Said: what + " has conditions on " + key + ", which cannot be judged from here", Remedy: see}
}

// readPolicy reads a policy; undecided names a condition key beyond those known, by which it
// may decide otherwise.
func readPolicy(text string, known ...string) (policy *iampolicy.Policy, undecided string, err error) {
	policy, err = iampolicy.Parse(text, func(key string) bool {
		for _, k := range known {
			if strings.EqualFold(k, key) {
				return true
			}
		}
		undecided = key
		return true
	})
	if unsupported := (*iampolicy.UnsupportedError)(nil); errors.As(err, &unsupported) {
		return nil, "", fmt.Errorf("it has %w", unsupported)
	}
	return policy, undecided, err
}

// session is who a function acts as: the session of its role that is called as the function.
func session(role, function string) string {
	name := role[strings.LastIndexByte(role, '/')+1:]
	head, _, _ := strings.Cut(role, ":role/")
	return strings.Replace(head, ":iam:", ":sts:", 1) + ":assumed-role/" + name + "/" + function
}

func accountOf(arn string) string {
	if part := strings.Split(arn, ":"); len(part) > 4 {
		return part[4]
	}
	return ""
}
