package secretsmanager

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rekey-aws/rekey/local/iampolicy"
)

// Who may do what. Identity policies are not kept here: a caller is taken to be allowed
// everything by their own account, so only the secret's resource policy decides. It can deny
// what they do in their account, and must allow what they do in another:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// Strangers (see Options.Callers) are bound by nothing in the server's own account.

func (s *Server) authorize(c *caller, id string, sec *secret) error {
	foreign := c.account != sec.Account
	if !foreign && (c.who == nil || sec.policy == nil) {
		return nil
	}
	decision := iampolicy.Neither
	if sec.policy != nil {
		decision = sec.policy.Decide(c.request(sec, c.operation))
	}
	switch {
	case decision == iampolicy.Denied:
		return c.denied(id, "with an explicit deny in a resource-based policy")
	case foreign && decision != iampolicy.Allowed:
		return c.denied(id, "because no resource-based policy allows the secretsmanager:"+c.operation+" action")
	}
	return nil
}

// denied is AWS's text: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html,
// with the secret as the request named it (https://github.com/cloud-custodian/cloud-custodian/pull/10055).
func (c *caller) denied(id, why string) error {
	return apiErr("AccessDeniedException", "User: %s is not authorized to perform: secretsmanager:%s on resource: %s %s", c.principal(), c.operation, id, why)
}

// mayKnow hides from other accounts whether a secret exists.
func (c *caller) mayKnow(id string, notFound error) error {
	if where, _, arn := splitID(c.place, id); arn != "" && where.account != c.account {
		return c.denied(id, "because no resource-based policy allows the secretsmanager:"+c.operation+" action")
	}
	return notFound
}

// mayManage says whether the caller could still change the policy of a secret in its new state.
func (s *Server) mayManage(c *caller, sec *secret) bool {
	if c.who == nil {
		return !sec.policy.DeniesAll("secretsmanager:PutResourcePolicy", sec.ARN)
	}
	after := *c
	after.operation = "PutResourcePolicy"
	return s.authorize(&after, sec.ARN, sec) == nil
}

// request is a call as policies see it.
func (c *caller) request(sec *secret, operation string) iampolicy.Request {
	return iampolicy.Request{
		Principal: c.principal(), Account: c.account, Action: "secretsmanager:" + operation, Resource: sec.ARN,
		Keys: c.keys(sec),
	}
}

// The condition keys that are known here, in lower case:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html#awssecretsmanager-policy-keys
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
var (
	globalKeys = []string{
		"aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:sourcevpce", "aws:sourceip", "aws:securetransport",
		"aws:requestedregion", "aws:useragent", "aws:viaawsservice", "aws:principalisawsservice", "aws:tagkeys",
		"aws:sourceaccount", "aws:sourcearn", // of services that call: none do here
		"secretsmanager:resource/allowrotationlambdaarn", "secretsmanager:secretprimaryregion",
	}
	keyFamilies = []string{"aws:resourcetag/", "secretsmanager:resourcetag/", "aws:requesttag/"}

	// memberKeys are parameters of the request; the key's name is the member's but for these.
	memberKeys = map[string]string{
		"secretsmanager:secretid": "SecretId", "secretsmanager:versionid": "VersionId", "secretsmanager:name": "Name",
		"secretsmanager:description": "Description", "secretsmanager:kmskeyid": "KmsKeyId", "secretsmanager:rotationlambdaarn": "RotationLambdaARN",
		"secretsmanager:blockpublicpolicy": "BlockPublicPolicy", "secretsmanager:forcedeletewithoutrecovery": "ForceDeleteWithoutRecovery",
		"secretsmanager:forceoverwritereplicasecret": "ForceOverwriteReplicaSecret", "secretsmanager:rotateimmediately": "RotateImmediately",
	}
)

// conditionKeys says which condition keys a policy may use here.
func conditionKeys(key string) bool {
	key = strings.ToLower(key)
	return slices.Contains(globalKeys, key) || memberKeys[key] != "" || key == "secretsmanager:versionstage" ||
		slices.ContainsFunc(keyFamilies, func(f string) bool { return strings.HasPrefix(key, f) && len(key) > len(f) })
}

// keys are the condition keys of a call. A key that has no value is absent.
func (c *caller) keys(sec *secret) map[string][]string {
	who := Caller{}
	if c.who != nil {
		who = *c.who
	}
	keys := map[string][]string{
		"aws:principalarn":            {iampolicy.RoleOf(c.principal())},
		"aws:principalaccount":        {c.account},
		"aws:securetransport":         {strconv.FormatBool(c.secure || who.SecureTransport)},
		"aws:requestedregion":         {c.region},
		"aws:viaawsservice":           {"false"},
		"aws:principalisawsservice":   {"false"},
		"aws:principalorgid":          present(who.OrgID),
		"aws:sourcevpce":              present(who.SourceVPCE),
		"aws:sourceip":                present(c.sourceIP),
		"aws:useragent":               present(c.agent),
		"secretsmanager:versionstage": nil,
	}
	for _, t := range sec.Tags {
		keys["aws:resourcetag/"+strings.ToLower(t.Key)] = []string{t.Value}
		keys["secretsmanager:resourcetag/"+strings.ToLower(t.Key)] = []string{t.Value}
	}
	if sec.isReplica() || len(sec.Replicas) > 0 {
		keys["secretsmanager:secretprimaryregion"] = []string{primaryRegion(sec)}
	}
	if sec.Rotation != nil {
		keys["secretsmanager:resource/allowrotationlambdaarn"] = present(sec.Rotation.FunctionARN)
	}
	c.memberKeys(keys)
	return keys
}

// memberKeys adds the keys whose values are parameters. VersionStage has a value only if the
// request gives one: its default is not filled in (https://github.com/boto/boto3/issues/2957).
func (c *caller) memberKeys(keys map[string][]string) {
	members, err := parseMembers(c.body)
	if err != nil {
		return // refused before it was looked at
	}
	for key, member := range memberKeys {
		var v any
		if json.Unmarshal(members[member], &v) == nil && v != nil {
			keys[key] = []string{fmt.Sprint(v)}
		}
	}
	var stage string
	var stages []string
	if json.Unmarshal(members["VersionStage"], &stage) == nil {
		stages = present(stage)
	} else {
		_ = json.Unmarshal(members["VersionStages"], &stages) // of another type: refused elsewhere
	}
	keys["secretsmanager:versionstage"] = stages
	var tags []tag
	if json.Unmarshal(members["Tags"], &tags) == nil {
		for _, t := range tags {
			keys["aws:requesttag/"+strings.ToLower(t.Key)] = []string{t.Value}
			keys["aws:tagkeys"] = append(keys["aws:tagkeys"], t.Key)
		}
	}
	var tagKeys []string
	if json.Unmarshal(members["TagKeys"], &tagKeys) == nil {
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], tagKeys...)
	}
}

func present(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
