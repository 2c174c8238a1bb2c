package rekey_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// everything are the primary stacks of all examples and of testdata/everything.yaml.
func everything(t *testing.T) map[string]template {
	t.Helper()
	all := map[string]template{}
	for _, example := range deployments {
		all[example] = primary(t, example)
	}
	return all
}

// allowedActions are those that the roles of a stack's functions allow, by function.
func allowedActions(t *testing.T, tmpl template) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, fn := range tmpl.of("AWS::Lambda::Function") {
		name := fmt.Sprint(fn.at("FunctionName"))
		role := fn.at("Role").(map[string]any)["Fn::GetAtt"].([]any)[0]
		for _, policy := range tmpl.of("AWS::IAM::ManagedPolicy") {
			if !slices.ContainsFunc(list(policy.at("Roles")), func(r any) bool { return r.(map[string]any)["Ref"] == role }) {
				continue
			}
			for _, s := range statements(policy.at("PolicyDocument")) {
				if s["Effect"] == "Allow" {
					all[name] = append(all[name], s.actions()...)
				}
			}
		}
		if len(all[name]) == 0 {
			t.Errorf("%s: no policy is attached to its role", name)
		}
	}
	return all
}

// Each function reads and writes the secrets that it rotates, and no others.
func TestFunctionsReachTheirSecretsOnly(t *testing.T) {
	for name, tmpl := range everything(t) {
		for id, policy := range tmpl.of("AWS::IAM::ManagedPolicy") {
			for _, s := range statements(policy.at("PolicyDocument")) {
				if !slices.Contains(s.actions(), "secretsmanager:PutSecretValue") {
					continue
				}
				for _, resource := range list(s["Resource"]) {
					if arn, ok := resource.(string); ok && (strings.Contains(arn, "*") || !strings.Contains(arn, ":secret:")) {
						t.Errorf("%s: %s writes %s", name, id, arn)
					}
				}
			}
		}
	}
}

// No role trusts another account, or a service on behalf of anyone.
func TestTrust(t *testing.T) {
	for name, tmpl := range everything(t) {
		for id, r := range tmpl.of("AWS::IAM::Role") {
			for _, s := range statements(r.at("AssumeRolePolicyDocument")) {
				principal, _ := s["Principal"].(map[string]any)
				if principal["AWS"] != nil || s["Condition"] == nil && principal["Service"] != "lambda.amazonaws.com" {
					t.Errorf("%s: %s trusts %v with conditions %v", name, id, principal, s["Condition"])
				}
			}
		}
	}
}

func TestEveryPartIsThere(t *testing.T) {
	tmpl := primary(t, everythingFile)
	for kind, n := range map[string]int{
		"AWS::SecretsManager::Secret": 8, "AWS::SecretsManager::RotationSchedule": 8, "AWS::SecretsManager::ResourcePolicy": 8,
		"AWS::Lambda::Function": 4, "AWS::Lambda::Alias": 4, "AWS::IAM::OIDCProvider": 2, "AWS::Config::ConfigRule": 5,
		"AWS::EC2::VPC": 1, "AWS::EC2::Subnet": 3, "AWS::EC2::NatGateway": 0, "AWS::EC2::InternetGateway": 0,
		"AWS::SNS::Topic": 2, "AWS::SNS::Subscription": 4, "AWS::DynamoDB::Table": 1, "AWS::StepFunctions::StateMachine": 1,
		"AWS::Scheduler::ScheduleGroup": 1, "AWS::CloudTrail::Trail": 1, "AWS::CloudWatch::Dashboard": 1,
	} {
		if got := len(tmpl.of(kind)); got != n {
			t.Errorf("%d of %s, want %d", got, kind, n)
		}
	}
}

// Functions in a VPC reach the databases and the endpoints that the file names.
func TestFunctionsReachTheirDatabasesOnly(t *testing.T) {
	tmpl := primary(t, everythingFile)
	reached := map[string][]string{}
	for id, r := range tmpl.of("AWS::EC2::SecurityGroupEgress") {
		to := fmt.Sprint(r.at("CidrIp"), r.at("DestinationSecurityGroupId"), ":", r.at("ToPort"))
		name, _, _ := strings.Cut(id, "To")
		reached[name] = append(reached[name], to)
	}
	for name, want := range map[string][]string{
		"RotateRds":      {"10.40.0.0/16<nil>:3306", "<nil>sg-0a1b2c3d4e5f60718:5432"},
		"RotateRedshift": {"<nil>sg-1a1b2c3d4e5f60718:5439"},
	} {
		got := slices.DeleteFunc(reached[name], func(to string) bool { return strings.HasSuffix(to, ":443") })
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s reaches %q, want %q", name, got, want)
		}
	}
	for name := range reached {
		if name != "RotateRds" && name != "RotateRedshift" {
			t.Errorf("%s reaches %q", name, reached[name])
		}
	}
	for id, g := range tmpl.of("AWS::EC2::SecurityGroup") {
		for _, rule := range list(g.at("SecurityGroupEgress")) {
			if m, ok := rule.(map[string]any); !ok || m["CidrIp"] != "127.0.0.1/32" {
				t.Errorf("%s lets out %v", id, rule)
			}
		}
	}
}

// Several tags mean all of them: whoever lacks one is denied.
func TestTagsMeanAllOfThem(t *testing.T) {
	var keys [][]string
	for _, r := range primary(t, everythingFile).of("AWS::SecretsManager::ResourcePolicy") {
		for _, s := range statements(r.at("ResourcePolicy")) {
			sid := fmt.Sprint(s["Sid"])
			condition, _ := s["Condition"].(map[string]any)
			tags, _ := condition["StringNotEquals"].(map[string]any)
			if strings.HasPrefix(sid, "ReadersOnly") && len(tags) > 0 {
				keys = append(keys, sortedKeys(tags))
			}
		}
	}
	slices.SortFunc(keys, func(a, b []string) int { return strings.Compare(strings.Join(a, ","), strings.Join(b, ",")) })
	want := "[[aws:PrincipalTag/access aws:PrincipalTag/duty] [aws:PrincipalTag/access aws:PrincipalTag/level] " +
		"[aws:PrincipalTag/duty aws:PrincipalTag/team] [aws:PrincipalTag/level aws:PrincipalTag/team]]"
	if got := fmt.Sprint(keys); got != want {
		t.Errorf("the statements compare %s\nwant %s", got, want)
	}
}

func TestSchedules(t *testing.T) {
	for name, tmpl := range everything(t) {
		for id, r := range tmpl.of("AWS::SecretsManager::RotationSchedule") {
			if r.at("RotateImmediatelyOnUpdate") == nil {
				t.Errorf("%s: %s rotates at once unless told otherwise", name, id)
			}
			function, _ := r.at("RotationLambdaARN").(map[string]any)
			if alias := tmpl.Resources[fmt.Sprint(function["Ref"])]; alias.Type != "AWS::Lambda::Alias" {
				t.Errorf("%s: %s is rotated by %v, want an alias", name, id, function)
			}
		}
		for id, r := range tmpl.of("AWS::Lambda::Permission") {
			if r.at("SourceAccount") != "123456789012" {
				t.Errorf("%s: %s: invoked for account %v", name, id, r.at("SourceAccount"))
			}
		}
	}
}
