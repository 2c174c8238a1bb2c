package review_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/infra/review"
)

// one is a template with one resource.
func one(kind, properties string) string {
	return fmt.Sprintf(`{"Resources":{"It":{"Type":%q,"DeletionPolicy":"Retain","Properties":%s}}}`, kind, properties)
}

func policy(statement string) string {
	return fmt.Sprintf(`{"PolicyDocument":{"Version":"2012-10-17","Statement":[%s]}}`, statement)
}

func schedule(rules string) string {
	return one("AWS::SecretsManager::RotationSchedule", `{"RotationRules":`+rules+`}`)
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	const managed, key = "AWS::IAM::ManagedPolicy", "AWS::KMS::Key"
	many := `"` + strings.Repeat("x", 7000) + `"`
	for _, tt := range []struct{ name, template, rule string }{
		{"an empty secret", one("AWS::SecretsManager::Secret", `{"Name":"a"}`), ""},
		{"a value", one("AWS::SecretsManager::Secret", `{"SecretString":"hunter2"}`), "no-value"},
		{"a generated value", one("AWS::SecretsManager::Secret", `{"GenerateSecretString":{"PasswordLength":32}}`), "no-value"},
		{"days", schedule(`{"ScheduleExpression":"rate(30 days)","Duration":"3h"}`), ""},
		{"cron", schedule(`{"ScheduleExpression":"cron(0 3 ? * SUN *)"}`), ""},
		{"after days", schedule(`{"AutomaticallyAfterDays":1000}`), ""},
		{"no rules", one("AWS::SecretsManager::RotationSchedule", `{}`), "schedule"},
		{"cron of nothing", schedule(`{"ScheduleExpression":"cron(zz)"}`), "schedule"},
		{"cron with minutes", schedule(`{"ScheduleExpression":"cron(15 3 ? * SUN *)"}`), "schedule"},
		{"no expression", schedule(`{"ScheduleExpression":"crn(0 3 ? * SUN *)"}`), "schedule"},
		{"too many days", schedule(`{"AutomaticallyAfterDays":5000}`), "schedule"},
		{"half a day", schedule(`{"AutomaticallyAfterDays":0.5}`), "schedule"},
		{"270 minutes", schedule(`{"ScheduleExpression":"rate(270 minutes)"}`), "schedule"},
		{"too often", schedule(`{"ScheduleExpression":"rate(3 hours)"}`), "schedule"},
		{"both", schedule(`{"AutomaticallyAfterDays":3,"ScheduleExpression":"rate(3 days)"}`), "schedule"},
		{"a window past midnight", schedule(`{"ScheduleExpression":"cron(0 22 ? * SUN *)","Duration":"3h"}`), "schedule"},
		{"a window of nothing", schedule(`{"ScheduleExpression":"rate(30 days)","Duration":"soon"}`), "schedule"},
		{"a secret's policy", one("AWS::SecretsManager::ResourcePolicy", `{"BlockPublicPolicy":true}`), ""},
		{"a secret's policy that may be public", one("AWS::SecretsManager::ResourcePolicy", `{}`), "not-public"},
		{"everyone", one(key, policy(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt"}`)), "not-everyone"},
		{"everyone in another form", one(key, policy(`{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":"kms:Decrypt"}`)), "not-everyone"},
		{"everyone is denied", one(key, policy(`{"Effect":"Deny","Principal":"*","Action":"kms:*"}`)), ""},
		{"everyone of an account", one(key, policy(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Condition":{"StringEquals":{"AWS:PrincipalAccount":"123456789012"}}}`)), ""},
		{"everyone with TLS", one(key, policy(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Condition":{"Bool":{"aws:SecureTransport":"true"}}}`)), "not-everyone"},
		{"everyone but an account", one(key, policy(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"1"}}}`)), "not-everyone"},
		{"everyone without an account", one(key, policy(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Condition":{"StringEqualsIfExists":{"aws:PrincipalAccount":"1"}}}`)), "not-everyone"},
		{"everyone of any account", one(key, policy(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Condition":{"StringLike":{"aws:PrincipalAccount":"*"}}}`)), "not-everyone"},
		{"all but some", one(key, policy(`{"Effect":"Allow","NotPrincipal":{"AWS":"x"},"Action":"kms:Decrypt"}`)), "not-everyone"},
		{"every action", one(managed, policy(`{"Effect":"Allow","Action":"secretsmanager:*","Resource":"x"}`)), "no-full-grant"},
		{"every action of all", one(managed, policy(`{"Effect":"Allow","Action":["a:B","*"],"Resource":"x"}`)), "no-full-grant"},
		{"a named action", one(managed, policy(`{"Effect":"Allow","Action":"kms:GenerateDataKey*","Resource":"x"}`)), ""},
		{"a long policy", one(managed, policy(`{"Effect":"Allow","Action":"a:B","Resource":`+many+`}`)), "limits"},
		{"a long environment", one("AWS::Lambda::Function", `{"Environment":{"Variables":{"A":`+many+`}}}`), "limits"},
		{"a service of any account", one("AWS::Lambda::Permission", `{"Principal":"secretsmanager.amazonaws.com"}`), "confused"},
		{"a service of one account", one("AWS::Lambda::Permission", `{"Principal":"secretsmanager.amazonaws.com","SourceAccount":"123456789012"}`), ""},
		{"what goes with the template", `{"Resources":{"It":{"Type":"AWS::KMS::Key"}}}`, "kept"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			found, err := review.Template([]byte(tt.template))
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.rule == "" && len(found) != 0:
				t.Errorf("found %+v", found)
			case tt.rule != "" && (len(found) != 1 || found[0].Rule != tt.rule):
				t.Errorf("found %+v, want %s", found, tt.rule)
			}
			for _, f := range found {
				if f.Resource != "It" || f.At == "" || f.Wrong == "" || f.Remedy == "" || review.Rules[f.Rule] == "" {
					t.Errorf("%+v does not say what, where, or what to do", f)
				}
			}
		})
	}
}

func TestTemplateLimits(t *testing.T) {
	t.Parallel()
	resources := map[string]any{}
	for i := range 501 {
		resources[fmt.Sprint("R", i)] = map[string]any{"Type": "AWS::SNS::Topic", "Properties": map[string]any{"DisplayName": strings.Repeat("x", 2000)}}
	}
	text, err := json.Marshal(map[string]any{"Resources": resources})
	if err != nil {
		t.Fatal(err)
	}
	found, err := review.Template(text)
	if err != nil || len(found) != 2 || found[0].Rule != "limits" || found[1].Rule != "limits" {
		t.Errorf("found %+v, error %v", found, err)
	}
}

// References are taken to be as long as ARNs: a policy of many of them is too long before
// AWS says so.
func TestReferencesHaveALength(t *testing.T) {
	t.Parallel()
	refs := func(n int) string {
		return `{"Effect":"Allow","Action":"a:B","Resource":[` + strings.TrimSuffix(strings.Repeat(`{"Ref":"S"},`, n), ",") + `]}`
	}
	for n, want := range map[int]int{40: 0, 80: 1} {
		found, err := review.Template([]byte(one("AWS::IAM::ManagedPolicy", policy(refs(n)))))
		if err != nil || len(found) != want {
			t.Errorf("%d references: found %+v, error %v", n, found, err)
		}
	}
}

// A template that cannot be read is an error; every rule is in the table above.
func TestUnreadableTemplate(t *testing.T) {
	t.Parallel()
	if _, err := review.Template([]byte("{")); err == nil {
		t.Error("half a template was read")
	}
	if len(slices.Collect(maps.Keys(review.Rules))) != 8 {
		t.Error("a rule came or went: extend the table of TestTemplate")
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(schedule(`{"ScheduleExpression":"cron(0 3 ? * SUN *)","Duration":"3h"}`))
	f.Add(one("AWS::KMS::Key", policy(`{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["kms:*"],"Condition":{"StringEquals":[1]}}`)))
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = review.Template([]byte(text)) // does not panic
	})
}
