package docs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

type policy struct {
	Version   string
	Statement []struct {
		Sid, Effect string
		Action      any
		Resource    any
	}
}

// The policies for deploying are ones that IAM takes: managed policies have at most 6,144
// characters, white space apart.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func TestPoliciesForDeploying(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("deploy/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		p, text := readPolicy(t, file)
		if n := len(regexp.MustCompile(`\s`).ReplaceAllString(text, "")); n > 6144 {
			t.Errorf("%s: %d characters", file, n)
		}
		if p.Version != "2012-10-17" {
			t.Errorf("%s: version %q", file, p.Version)
		}
		for _, s := range p.Statement {
			for _, action := range list(s.Action) {
				if service, name, ok := strings.Cut(action, ":"); !ok || service == "" || name == "" || action == "*" {
					t.Errorf("%s: %s: %q is no action", file, s.Sid, action)
				}
			}
			if len(list(s.Resource)) == 0 || s.Effect == "" {
				t.Errorf("%s: %s is incomplete", file, s.Sid)
			}
		}
	}
}

// CloudFormation's policy has something for every service that the templates use.
func TestPolicyCoversTheTemplates(t *testing.T) {
	t.Parallel()
	p, _ := readPolicy(t, "deploy/cloudformation-policy.json")
	allowed := map[string]bool{}
	for _, s := range p.Statement {
		for _, action := range list(s.Action) {
			service, _, _ := strings.Cut(action, ":")
			allowed[service] = true
		}
	}
	templates, err := filepath.Glob("../infra/rekey/testdata/golden/*/*.template.json")
	if err != nil || len(templates) == 0 {
		t.Fatalf("%d templates, %v", len(templates), err)
	}
	called := map[string]string{"StepFunctions": "states", "KinesisFirehose": "firehose"}
	for _, file := range templates {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var template struct {
			Resources map[string]struct{ Type string }
		}
		if err := json.Unmarshal(text, &template); err != nil {
			t.Fatal(err)
		}
		for id, r := range template.Resources {
			service := strings.Split(r.Type, "::")[1]
			name := called[service]
			if name == "" {
				name = strings.ToLower(service)
			}
			if !allowed[name] {
				t.Errorf("%s: %s is a %s, and nothing of %s is allowed", file, id, r.Type, name)
			}
		}
	}
}

// named are the resources whose names are in the templates, as the policy's ARNs have them.
var named = map[string][2]string{
	"AWS::CloudTrail::Trail":           {"TrailName", "arn:aws:cloudtrail:eu-central-1:123456789012:trail/"},
	"AWS::CloudWatch::Alarm":           {"AlarmName", "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:"},
	"AWS::CloudWatch::Dashboard":       {"DashboardName", "arn:aws:cloudwatch::123456789012:dashboard/"},
	"AWS::DynamoDB::Table":             {"TableName", "arn:aws:dynamodb:eu-central-1:123456789012:table/"},
	"AWS::Events::Rule":                {"Name", "arn:aws:events:eu-central-1:123456789012:rule/"},
	"AWS::IAM::Role":                   {"RoleName", "arn:aws:iam::123456789012:role/"},
	"AWS::Lambda::Function":            {"FunctionName", "arn:aws:lambda:eu-central-1:123456789012:function:"},
	"AWS::Logs::LogGroup":              {"LogGroupName", "arn:aws:logs:eu-central-1:123456789012:log-group:"},
	"AWS::Scheduler::ScheduleGroup":    {"Name", "arn:aws:scheduler:eu-central-1:123456789012:schedule-group/"},
	"AWS::SecretsManager::Secret":      {"Name", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"},
	"AWS::SNS::Topic":                  {"TopicName", "arn:aws:sns:eu-central-1:123456789012:"},
	"AWS::SQS::Queue":                  {"QueueName", "arn:aws:sqs:eu-central-1:123456789012:"},
	"AWS::StepFunctions::StateMachine": {"StateMachineName", "arn:aws:states:eu-central-1:123456789012:stateMachine:"},
}

// The policy is written for the minimal example, and names what that deploys.
func TestPolicyNamesTheDeployment(t *testing.T) {
	t.Parallel()
	p, _ := readPolicy(t, "deploy/cloudformation-policy.json")
	var patterns []*regexp.Regexp
	for _, s := range p.Statement {
		for _, r := range list(s.Resource) {
			if r != "*" {
				patterns = append(patterns, regexp.MustCompile("^"+strings.ReplaceAll(regexp.QuoteMeta(r), `\*`, ".*")+"$"))
			}
		}
	}
	text, err := os.ReadFile("../infra/rekey/testdata/golden/minimal/shop-production.template.json")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties map[string]any
		}
	}
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for id, r := range template.Resources {
		name, ok := r.Properties[named[r.Type][0]].(string)
		if !ok {
			continue // CloudFormation makes one up, beginning with the stack's name
		}
		seen++
		arn := named[r.Type][1] + name
		if !slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(arn) }) {
			t.Errorf("%s: no statement is about %s", id, arn)
		}
	}
	if seen < 30 {
		t.Errorf("%d names: the templates are other ones", seen)
	}
}

func readPolicy(t *testing.T, file string) (policy, string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var p policy
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return p, string(text)
}

func list(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, each := range v {
			if s, ok := each.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}
