package rekey

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Statement is one statement of a policy. It allows, unless Deny is set.
type Statement struct {
	Sid  string
	Deny bool
	// Principals of a resource's policy, by ARN; Services by name; Anyone is "*", which needs
	// a condition that narrows it. A role's policy has none of them.
	Principals []string
	Services   []string
	Anyone     bool
	// Federated identity provider of a trust policy, by ARN.
	Federated string
	Actions   []string
	Resources []string
	// Conditions by operator and key.
	Conditions Conditions
	// Wide says why a resource of a role's policy has to end in *.
	Wide string
}

// Conditions are operators, and the keys and values that each compares.
type Conditions map[string]map[string]any

func (s Statement) json() map[string]any {
	effect := "Allow"
	if s.Deny {
		effect = "Deny"
	}
	out := map[string]any{"Effect": effect, "Action": oneOrMany(s.Actions)}
	if s.Sid != "" {
		out["Sid"] = s.Sid
	}
	if len(s.Resources) > 0 {
		out["Resource"] = oneOrMany(s.Resources)
	}
	switch {
	case s.Anyone:
		out["Principal"] = "*"
		if s.Deny {
			out["Principal"] = map[string]any{"AWS": "*"}
		}
	case len(s.Principals) > 0:
		out["Principal"] = map[string]any{"AWS": oneOrMany(s.Principals)}
	case len(s.Services) > 0:
		out["Principal"] = map[string]any{"Service": oneOrMany(s.Services)}
	case s.Federated != "":
		out["Principal"] = map[string]any{"Federated": s.Federated}
	}
	if len(s.Conditions) > 0 {
		out["Condition"] = s.Conditions
	}
	return out
}

func oneOrMany(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}

// document is a policy as templates hold it.
func document(statements ...Statement) map[string]any {
	all := make([]any, 0, len(statements))
	for _, s := range statements {
		all = append(all, s.json())
	}
	return map[string]any{"Version": "2012-10-17", "Statement": all}
}

// onlyWithTLS denies everything on a resource that comes without TLS.
func onlyWithTLS(action string, resources ...string) Statement {
	return Statement{
		Sid: "OnlyWithTLS", Deny: true, Anyone: true, Actions: []string{action}, Resources: resources,
		Conditions: Conditions{"Bool": {"aws:SecureTransport": "false"}},
	}
}

// role makes a role for a service with customer-managed policies, so that a review sees
// each by its name. A policy that has no statements is left out.
func role(scope constructs.Construct, id, name, description string, trust Statement, policies ...namedPolicy) awsiam.CfnRole {
	trust.Actions = []string{"sts:AssumeRole"}
	if trust.Federated != "" {
		trust.Actions = []string{"sts:AssumeRoleWithWebIdentity"}
	}
	props := &awsiam.CfnRoleProps{Description: &description, AssumeRolePolicyDocument: document(trust)}
	if name != "" {
		props.RoleName = &name
	}
	r := awsiam.NewCfnRole(scope, jsii.String(id), props)
	for _, p := range policies {
		attach(scope, id, r, p)
	}
	return r
}

type namedPolicy struct {
	name, description string
	statements        []Statement
}

func attach(scope constructs.Construct, id string, r awsiam.CfnRole, p namedPolicy) awsiam.CfnManagedPolicy {
	policy := awsiam.NewCfnManagedPolicy(scope, jsii.String(id+p.name), &awsiam.CfnManagedPolicyProps{
		Description: jsii.String(p.description), PolicyDocument: document(p.statements...), Roles: &[]any{r.Ref()},
	})
	acceptWide(policy, p.statements)
	return policy
}

// arn of something in the stack's account and Region.
func arn(scope constructs.Construct, service, resource string) string {
	s := awscdk.Stack_Of(scope)
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", *s.Partition(), service, *s.Region(), *s.Account(), resource)
}

// accountRoot stands for the account's own IAM policies: it delegates to them.
func accountRoot(scope constructs.Construct) string {
	s := awscdk.Stack_Of(scope)
	return fmt.Sprintf("arn:%s:iam::%s:root", *s.Partition(), *s.Account())
}

// deployers are the roles that CloudFormation works with, in an account that cdk bootstrap
// prepared, in every Region.
func deployers(scope constructs.Construct) string {
	s := awscdk.Stack_Of(scope)
	return fmt.Sprintf("arn:%s:iam::%s:role/cdk-*-cfn-exec-role-%s-*", *s.Partition(), *s.Account(), *s.Account())
}

func account(scope constructs.Construct) string { return *awscdk.Stack_Of(scope).Account() }
func region(scope constructs.Construct) string  { return *awscdk.Stack_Of(scope).Region() }

// endpointOf is how KMS and trust policies call a service in the stack's Region.
func endpointOf(scope constructs.Construct, service string) string {
	suffix := "amazonaws.com"
	if strings.HasPrefix(region(scope), "cn-") {
		suffix = "amazonaws.com.cn"
	}
	return service + "." + region(scope) + "." + suffix
}

// retain keeps a resource when it leaves the template or is replaced, unless told to delete it.
func retain(r awscdk.CfnResource, remove bool) {
	policy := awscdk.RemovalPolicy_RETAIN
	if remove {
		policy = awscdk.RemovalPolicy_DESTROY
	}
	r.ApplyRemovalPolicy(policy, &awscdk.RemovalPolicyOptions{ApplyToUpdateReplacePolicy: jsii.Bool(true)})
}

func texts(values ...string) *[]*string { return jsii.Strings(values...) }

func anys(values ...string) *[]any {
	out := make([]any, 0, len(values))
	for _, v := range values {
		out = append(out, v)
	}
	return &out
}

// sorted walks a map in the order of its keys: templates must not differ from one synthesis
// to the next.
func sorted[K cmp.Ordered, V any](m map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
