package iampolicy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/iampolicy"
)

const (
	app     = "arn:aws:iam::111111111111:role/app"
	session = "arn:aws:sts::111111111111:assumed-role/app/i-0"
	secret  = "arn:aws:secretsmanager:us-east-1:111111111111:secret:s-AbCdEf"
)

func known(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }

func parse(t *testing.T, text string) *iampolicy.Policy {
	t.Helper()
	p, err := iampolicy.Parse(text, known)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// statement is a policy of one statement.
func statement(effect, principal, action, resource, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,%s,%s,%s%s}}`, effect, principal, action, resource, condition)
}

// Expected values: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
func TestWhatAStatementAppliesTo(t *testing.T) {
	const every, get, all = `"Principal":"*"`, `"Action":"secretsmanager:GetSecretValue"`, `"Resource":"*"`
	principal := func(s string) string { return `"Principal":{"AWS":"` + s + `"}` }
	for policy, want := range map[string]bool{
		statement("Allow", every, get, all, ""):                                                                          true,
		statement("Allow", principal("*"), get, all, ""):                                                                 true,
		statement("Allow", principal("111111111111"), get, all, ""):                                                      true,
		statement("Allow", principal("arn:aws:iam::111111111111:root"), get, all, ""):                                    true,
		statement("Allow", principal("arn:aws:iam::222222222222:root"), get, all, ""):                                    false,
		statement("Allow", principal(app), get, all, ""):                                                                 true, // the session's role
		statement("Allow", principal("arn:aws:iam::111111111111:role/path/app"), get, all, ""):                           true, // a session has no path
		statement("Allow", principal("arn:aws:iam::111111111111:user/app"), get, all, ""):                                false,
		statement("Allow", principal(session), get, all, ""):                                                             true,
		statement("Allow", principal("arn:aws:sts::111111111111:assumed-role/app/other"), get, all, ""):                  false,
		statement("Allow", `"Principal":{"AWS":["`+app+`x","`+app+`"]}`, get, all, ""):                                   true,
		statement("Allow", `"NotPrincipal":{"AWS":"`+app+`"}`, get, all, ""):                                             false,
		statement("Allow", `"NotPrincipal":{"AWS":"`+app+`x"}`, get, all, ""):                                            true,
		statement("Allow", `"Principal":{"Service":"lambda.amazonaws.com"}`, get, all, ""):                               false,
		statement("Allow", every, `"Action":"SecretsManager:get*"`, all, ""):                                             true, // actions ignore case
		statement("Allow", every, `"Action":["secretsmanager:Put*","secretsmanager:*Value"]`, all, ""):                   true,
		statement("Allow", every, `"Action":"*"`, all, ""):                                                               true,
		statement("Allow", every, `"NotAction":"secretsmanager:GetSecretValue"`, all, ""):                                false,
		statement("Allow", every, get, `"Resource":"arn:aws:secretsmanager:us-east-1:111111111111:secret:s-??????"`, ""): true,
		statement("Allow", every, get, `"Resource":"arn:aws:secretsmanager:us-east-1:111111111111:secret:S-??????"`, ""): false, // resources do not
		statement("Allow", every, get, `"NotResource":"arn:aws:secretsmanager:*"`, ""):                                   false,
		statement("Allow", every, get, all, "{}"):                                                                        true,
	} {
		r := iampolicy.Request{Principal: session, Account: "111111111111", Action: "secretsmanager:GetSecretValue", Resource: secret}
		if got := parse(t, policy).Decide(r); (got == iampolicy.Allowed) != want {
			t.Errorf("%s decides %v", policy, got)
		}
		denial := strings.Replace(policy, `"Allow"`, `"Deny"`, 1)
		if got := parse(t, denial).Decide(r); (got == iampolicy.Denied) != want {
			t.Errorf("%s decides %v", denial, got)
		}
	}
}

// Expected values: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
// and …/reference_policies_condition-logic-multiple-context-keys-or-values.html
func TestConditions(t *testing.T) {
	keys := map[string][]string{
		"aws:principalarn": {app}, "aws:securetransport": {"false"}, "aws:sourceip": {"10.1.2.3"}, "aws:tagkeys": {"a", "b"}, "aws:sourcevpce": {"vpce-1"},
	}
	for condition, want := range map[string]bool{
		`{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`:                                                           true,
		`{"StringEquals":{"aws:sourcevpce":["vpce-0","vpce-1"]}}`:                                                true, // names ignore case; values are alternatives
		`{"StringEquals":{"aws:SourceVpce":"VPCE-1"}}`:                                                           false,
		`{"StringEqualsIgnoreCase":{"aws:SourceVpce":"VPCE-1"}}`:                                                 true,
		`{"StringNotEquals":{"aws:SourceVpce":["vpce-0","vpce-1"]}}`:                                             false,
		`{"StringNotEquals":{"aws:SourceVpce":["vpce-0","vpce-2"]}}`:                                             true,
		`{"StringNotEqualsIgnoreCase":{"aws:SourceVpce":"VPCE-1"}}`:                                              false,
		`{"StringLike":{"aws:SourceVpce":"vpce-?"}}`:                                                             true,
		`{"StringNotLike":{"aws:SourceVpce":"vpce-*"}}`:                                                          false,
		`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/a*"}}`:                                              true,
		`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::*:role/a*"}}`:                                            true,
		`{"ArnLike":{"aws:PrincipalArn":"arn:*role/app"}}`:                                                       false, // * stays within a part
		`{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/app"}}`:                               false,
		`{"Bool":{"aws:SecureTransport":"false"}}`:                                                               true,
		`{"Bool":{"aws:SecureTransport":true}}`:                                                                  false,
		`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`:                                                            true,
		`{"NotIpAddress":{"aws:SourceIp":["10.1.2.3","192.168.0.0/16"]}}`:                                        false,
		`{"Null":{"aws:SourceVpce":"false"}}`:                                                                    true,
		`{"Null":{"aws:PrincipalOrgID":"true"}}`:                                                                 true,
		`{"Null":{"aws:PrincipalOrgID":"false"}}`:                                                                false,
		`{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`:                                                          false, // absent
		`{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}}`:                                                  true,
		`{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}`:                                                       true, // absent, negated
		`{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}`:                                                 true,
		`{"ForAnyValue:StringEquals":{"aws:TagKeys":["b","c"]}}`:                                                 true,
		`{"ForAnyValue:StringEquals":{"aws:TagKeys":"c"}}`:                                                       false,
		`{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b","c"]}}`:                                            true,
		`{"ForAllValues:StringEquals":{"aws:TagKeys":["a"]}}`:                                                    false,
		`{"ForAllValues:StringLike":{"aws:Absent":"x"}}`:                                                         true,
		`{"ForAnyValue:StringLike":{"aws:Absent":"*"}}`:                                                          false,
		`{"StringEquals":{"aws:SourceVpce":"vpce-1"},"Bool":{"aws:SecureTransport":"true"}}`:                     false, // all must hold
		`{"StringEquals":{"aws:SourceVpce":"vpce-1","aws:PrincipalArn":"arn:aws:iam::111111111111:role/other"}}`: false,
	} {
		p := parse(t, statement("Allow", `"Principal":"*"`, `"Action":"*"`, `"Resource":"*"`, condition))
		if got := p.Decide(iampolicy.Request{Principal: app, Account: "111111111111", Action: "a:b", Resource: secret, Keys: keys}); (got == iampolicy.Allowed) != want {
			t.Errorf("%s: %v", condition, got)
		}
	}
}

func TestADenialOutweighs(t *testing.T) {
	p := parse(t, `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},{"Effect":"Deny","Principal":{"AWS":"`+app+`"},"Action":"s:Put*","Resource":"*"}]}`)
	for action, want := range map[string]iampolicy.Decision{"s:PutIt": iampolicy.Denied, "s:GetIt": iampolicy.Allowed} {
		if got := p.Decide(iampolicy.Request{Principal: session, Account: "111111111111", Action: action, Resource: secret}); got != want {
			t.Errorf("%s: %v", action, got)
		}
	}
	if p.DeniesAll("s:PutIt", secret) || !parse(t, statement("Deny", `"Principal":"*"`, `"Action":"s:*"`, `"Resource":"*"`, "")).DeniesAll("s:PutIt", secret) {
		t.Error("who is denied all is mistaken")
	}
}

// What counts as public: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
func TestPublic(t *testing.T) {
	const every = `"Principal":"*"`
	for policy, want := range map[string]bool{
		statement("Allow", every, `"Action":"*"`, `"Resource":"*"`, ""):                                                                    true,
		statement("Deny", every, `"Action":"*"`, `"Resource":"*"`, ""):                                                                     false,
		statement("Allow", `"Principal":{"AWS":"`+app+`"}`, `"Action":"*"`, `"Resource":"*"`, ""):                                          false,
		statement("Allow", `"NotPrincipal":{"AWS":"`+app+`"}`, `"Action":"*"`, `"Resource":"*"`, ""):                                       true,
		statement("Allow", every, `"Action":"*"`, `"Resource":"*"`, `{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`):                       false,
		statement("Allow", every, `"Action":"*"`, `"Resource":"*"`, `{"StringEquals":{"aws:SourceVpce":["vpce-1"]}}`):                      false,
		statement("Allow", every, `"Action":"*"`, `"Resource":"*"`, `{"StringLike":{"aws:SourceVpce":"*"}}`):                               true,
		statement("Allow", every, `"Action":"*"`, `"Resource":"*"`, `{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}`):                    true,
		statement("Allow", every, `"Action":"*"`, `"Resource":"*"`, `{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}}`):               true,
		statement("Allow", every, `"Action":"*"`, `"Resource":"*"`, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/*"}}`): false,
		statement("Allow", every, `"Action":"*"`, `"Resource":"*"`, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/app"}}`):          true,
		statement("Allow", every, `"Action":"*"`, `"Resource":"*"`, `{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`):                          true,
		statement("Allow", every, `"Action":"*"`, `"Resource":"*"`, `{"Bool":{"aws:SecureTransport":"true"}}`):                             true,
	} {
		if got := parse(t, policy).Public(); got != want {
			t.Errorf("%s: %v", policy, got)
		}
	}
}

func TestWhatIsNotRead(t *testing.T) {
	good := statement("Allow", `"Principal":"*"`, `"Action":"s:Get"`, `"Resource":"*"`, "")
	for what, policy := range map[string]string{
		"no JSON":           `{`,
		"more":              good + `{}`,
		"no statement":      `{"Version":"2012-10-17"}`,
		"an old version":    strings.Replace(good, "2012", "2019", 1),
		"an effect":         strings.Replace(good, "Allow", "AllowSomething", 1),
		"no principal":      strings.Replace(good, `"Principal":"*",`, "", 1),
		"both principals":   strings.Replace(good, `"Principal":"*"`, `"Principal":"*","NotPrincipal":"*"`, 1),
		"a bare principal":  strings.Replace(good, `"Principal":"*"`, `"Principal":"`+app+`"`, 1),
		"no action":         strings.Replace(good, `"Action":"s:Get",`, "", 1),
		"an action":         strings.Replace(good, "s:Get", "Get", 1),
		"a resource":        strings.Replace(good, `"Resource":"*"`, `"Resource":"s"`, 1),
		"an unknown member": strings.Replace(good, `"Effect"`, `"Colour":"red","Effect"`, 1),
		"an object":         statement("Allow", `"Principal":"*"`, `"Action":"s:Get"`, `"Resource":"*"`, `{"StringEquals":{"aws:x":{}}}`),
		"a set":             statement("Allow", `"Principal":"*"`, `"Action":"s:Get"`, `"Resource":"*"`, `{"ForSome:StringEquals":{"aws:x":"y"}}`),
	} {
		_, err := iampolicy.Parse(policy, known)
		var not *iampolicy.UnsupportedError
		if err == nil || errors.As(err, &not) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for condition, says := range map[string]string{
		`{"NumericLessThan":{"aws:x":"1"}}`:         `the condition operator "NumericLessThan"`,
		`{"DateGreaterThan":{"aws:CurrentTime":1}}`: `the condition operator "DateGreaterThan"`,
		`{"StringEquals":{"kms:ViaService":"x"}}`:   `the condition key "kms:ViaService"`,
		`{"StringEquals":{"aws:x":"${aws:y}"}}`:     `the policy variable in "${aws:y}"`,
	} {
		_, err := iampolicy.Parse(statement("Allow", `"Principal":"*"`, `"Action":"s:Get"`, `"Resource":"*"`, condition), known)
		var not *iampolicy.UnsupportedError
		if !errors.As(err, &not) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", condition, err)
		}
	}
	for _, principal := range []string{"app", "arn:aws:iam::1:role/*", "arn:aws:s3:::bucket", "12345"} {
		_, err := iampolicy.Parse(strings.Replace(good, `"Principal":"*"`, `"Principal":{"AWS":"`+principal+`"}`, 1), known)
		if !errors.Is(err, iampolicy.ErrPrincipal) {
			t.Errorf("%s: %v", principal, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(statement("Allow", `"Principal":{"AWS":["*"]}`, `"NotAction":"s:Get"`, `"Resource":"arn:*"`, `{"ForAnyValue:ArnLikeIfExists":{"aws:x":[1,true,"*?*"]}}`))
	f.Add(`null`)
	f.Fuzz(func(_ *testing.T, text string) {
		if p, err := iampolicy.Parse(text, known); err == nil {
			p.Decide(iampolicy.Request{Principal: session, Account: "111111111111", Action: "s:Get", Resource: secret, Keys: map[string][]string{"aws:x": {"a:b:c:d:e:f"}}})
			p.Public()
			p.DeniesAll("s:Get", secret)
		}
	})
}
