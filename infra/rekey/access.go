package rekey

import (
	"fmt"
	"slices"

	"github.com/aws/constructs-go/constructs/v10"
)

var (
	reads = []string{"secretsmanager:GetSecretValue"}
	// writes put a value, say which value is the current one, or take copies away.
	// UpdateSecret also changes the description and the key, which the deployment does.
	writes = []string{
		"secretsmanager:CancelRotateSecret", "secretsmanager:PutSecretValue", "secretsmanager:RemoveRegionsFromReplication",
		"secretsmanager:StopReplicationToReplica", "secretsmanager:UpdateSecret", "secretsmanager:UpdateSecretVersionStage",
	}
)

// statements of the secret's resource policy. Those that deny win over what identities' own
// policies allow: https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_resource-policies.html
func (a Access) statements(scope constructs.Construct, function string) []Statement {
	all := a.allowed(scope)
	readers := slices.Concat(a.Rotators, a.Readers.ARNs, a.Writers.ARNs)
	writers := slices.Concat(a.Rotators, []string{deployers(scope)}, a.Writers.ARNs)
	all = append(all, denyOthers("ReadersOnly", reads, readers, a.Readers.Tagged, a.Writers.Tagged)...)
	all = append(all, denyOthers("WritersOnly", writes, writers, a.Writers.Tagged)...)
	all = append(all,
		deny("NobodyDeletes", []string{"secretsmanager:DeleteSecret"}, Conditions{"ArnNotLike": {"aws:PrincipalArn": deployers(scope)}}),
		deny("NoOtherFunction", []string{"secretsmanager:RotateSecret"}, Conditions{
			"Null":            {"secretsmanager:RotationLambdaARN": "false"},
			"StringNotEquals": {"secretsmanager:RotationLambdaARN": function},
		}),
		onlyWithTLS("secretsmanager:*", "*"),
	)
	if a.Organization != "" {
		all = append(all, deny("OneOrganization", []string{"secretsmanager:*"}, Conditions{
			"StringNotEquals": {"aws:PrincipalOrgID": a.Organization}, "Bool": {"aws:PrincipalIsAWSService": "false"},
		}))
	}
	if len(a.Endpoints) > 0 {
		for _, s := range denyOthers("OnlyThroughTheEndpoint", reads, slices.Concat(a.Rotators, a.Writers.ARNs), a.Writers.Tagged) {
			s.Conditions = s.Conditions.and(Conditions{"StringNotEquals": {"aws:SourceVpce": a.Endpoints}})
			all = append(all, s)
		}
	}
	return all
}

// allowed are the statements that let in who is named, so that no policy of theirs need do so.
func (a Access) allowed(scope constructs.Construct) []Statement {
	var all []Statement
	add := func(sid string, p Principals, actions ...string) {
		if len(p.ARNs) > 0 {
			all = append(all, Statement{Sid: sid, Principals: p.ARNs, Actions: actions, Resources: []string{"*"}})
		}
		if len(p.Tagged) > 0 {
			equals := map[string]any{"aws:PrincipalAccount": account(scope)}
			for key, value := range p.Tagged {
				equals["aws:PrincipalTag/"+key] = value
			}
			all = append(all, Statement{
				Sid: sid + "ByTag", Anyone: true, Actions: actions, Resources: []string{"*"}, Conditions: Conditions{"StringEquals": equals},
			})
		}
	}
	add("Read", a.Readers, "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue")
	add("Write", a.Writers, "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
		"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage")
	return all
}

func deny(sid string, actions []string, c Conditions) Statement {
	return Statement{Sid: sid, Deny: true, Anyone: true, Actions: actions, Resources: []string{"*"}, Conditions: c}
}

// denyOthers denies everyone but those named by ARN, services of AWS that act for themselves,
// and those who have all tags of one of the sets. A statement denies when every key of it
// differs, so "all tags of the one set, or all of the other" is a statement for each pair.
func denyOthers(sid string, actions, arns []string, tagged ...map[string]string) []Statement {
	pairs := []map[string][]string{{}}
	for _, tags := range tagged {
		if len(tags) == 0 {
			continue
		}
		var longer []map[string][]string
		for _, pair := range pairs {
			for key, value := range sorted(tags) {
				next := map[string][]string{key: append(slices.Clone(pair[key]), value)}
				for k, v := range pair {
					if k != key {
						next[k] = v
					}
				}
				longer = append(longer, next)
			}
		}
		pairs = longer
	}
	all := make([]Statement, 0, len(pairs))
	for i, pair := range pairs {
		c := Conditions{"ArnNotLike": {"aws:PrincipalArn": arns}, "Bool": {"aws:PrincipalIsAWSService": "false"}}
		for key, values := range pair {
			c = c.and(Conditions{"StringNotEquals": {"aws:PrincipalTag/" + key: values}})
		}
		name := sid
		if i > 0 {
			name = fmt.Sprintf("%s%d", sid, i+1)
		}
		all = append(all, deny(name, actions, c))
	}
	return all
}

// and is conditions that must hold too. The operators and keys of both are kept.
func (c Conditions) and(more Conditions) Conditions {
	merged := Conditions{}
	for _, each := range []Conditions{c, more} {
		for operator, keys := range each {
			if merged[operator] == nil {
				merged[operator] = map[string]any{}
			}
			for key, value := range keys {
				merged[operator][key] = value
			}
		}
	}
	return merged
}
