// Package review reads synthesized templates for what linters miss: a schedule that never
// comes, a value in a template, a principal that is everyone, a policy that is too long. It
// knows nothing of the CDK, so that it reads any CloudFormation template.
package review

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rekey-aws/rekey/shared/schedule"
)

// Finding is something that must not be deployed.
type Finding struct {
	Rule     string // one of [Rules]
	Resource string // logical id, or "" for the whole template
	At       string // the property, such as Properties.SecretString
	Wrong    string
	Remedy   string
}

// Rules are the names of all rules, with what each asks.
var Rules = map[string]string{
	"schedule":      "a rotation schedule that Secrets Manager takes",
	"no-value":      "no value of a secret, nor an order to generate one, in a template",
	"not-everyone":  "no policy that allows everyone without saying of which account",
	"no-full-grant": "no policy that allows every action of a service",
	"not-public":    "every secret's policy is refused if it is public",
	"confused":      "a service that invokes a function names the account it does so for",
	"kept":          "secrets, keys and tables say what becomes of them",
	"limits":        "policies, environments and templates within AWS's limits",
}

// Template reads one template. The findings are ordered by resource.
func Template(text []byte) ([]Finding, error) {
	var t struct{ Resources map[string]resource }
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("reading a template: %w", err)
	}
	r := &reviewer{}
	if n := len(t.Resources); n > maxResources {
		r.add("limits", "", "Resources", fmt.Sprintf("%d resources; CloudFormation takes %d", n, maxResources), "Divide the file into several deployments.")
	}
	if n := len(text); n > maxTemplate {
		r.add("limits", "", "", fmt.Sprintf("%d bytes; CloudFormation takes %d", n, maxTemplate), "Divide the file into several deployments.")
	}
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		r.resource(id, t.Resources[id])
	}
	return r.findings, nil
}

// The limits, in bytes where nothing else is said:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
// https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const (
	maxResources      = 500
	maxTemplate       = 1_000_000
	maxManagedPolicy  = 6_144
	maxKeyPolicy      = 32_768
	maxResourcePolicy = 20_480
	maxEnvironment    = 4_096
)

type resource struct {
	Type           string
	Properties     map[string]any
	DeletionPolicy string
}

type reviewer struct{ findings []Finding }

func (r *reviewer) add(rule, id, at, wrong, remedy string) {
	r.findings = append(r.findings, Finding{rule, id, at, wrong, remedy})
}

func (r *reviewer) resource(id string, res resource) {
	p := res.Properties
	switch res.Type {
	case "AWS::SecretsManager::Secret":
		for _, name := range []string{"SecretString", "GenerateSecretString"} {
			if _, ok := p[name]; ok {
				r.add("no-value", id, "Properties."+name, "the template sets the secret's value: who reads templates knows it, and a change of it makes another value",
					"Leave it out. A writer puts the first value, rotation the others.")
			}
		}
	case "AWS::SecretsManager::RotationSchedule":
		r.schedule(id, p)
	case "AWS::SecretsManager::ResourcePolicy":
		if p["BlockPublicPolicy"] != true {
			r.add("not-public", id, "Properties.BlockPublicPolicy", "is not true", "Set it: Secrets Manager then refuses a policy that is public.")
		}
		r.size(id, "ResourcePolicy", p["ResourcePolicy"], maxResourcePolicy)
	case "AWS::IAM::ManagedPolicy":
		r.size(id, "PolicyDocument", p["PolicyDocument"], maxManagedPolicy)
	case "AWS::KMS::Key", "AWS::KMS::ReplicaKey":
		r.size(id, "KeyPolicy", p["KeyPolicy"], maxKeyPolicy)
	case "AWS::Lambda::Function":
		if env, ok := p["Environment"].(map[string]any); ok {
			r.size(id, "Environment", env["Variables"], maxEnvironment)
		}
	case "AWS::Lambda::Permission":
		if p["SourceAccount"] == nil && p["SourceArn"] == nil && strings.Contains(fmt.Sprint(p["Principal"]), ".amazonaws.com") {
			r.add("confused", id, "Properties.SourceAccount", "any account could have the service invoke the function", "Name the account in SourceAccount.")
		}
	}
	if kept[res.Type] && res.DeletionPolicy == "" {
		r.add("kept", id, "DeletionPolicy", "is not said: the resource and what is in it go with the template", "Set a removal policy.")
	}
	r.policies(id, "Properties", p)
}

// kept cannot be had back.
var kept = map[string]bool{
	"AWS::SecretsManager::Secret": true, "AWS::KMS::Key": true, "AWS::KMS::ReplicaKey": true,
	"AWS::DynamoDB::Table": true, "AWS::S3::Bucket": true, "AWS::Logs::LogGroup": true,
}

func (r *reviewer) schedule(id string, p map[string]any) {
	rules, ok := p["RotationRules"].(map[string]any)
	const at = "Properties.RotationRules"
	if !ok {
		r.add("schedule", id, at, "there are none: it never rotates", "Give a ScheduleExpression.")
		return
	}
	days, hasDays := rules["AutomaticallyAfterDays"].(float64)
	expression, hasExpression := rules["ScheduleExpression"].(string)
	var s schedule.Schedule
	var err error
	switch {
	case hasDays == hasExpression:
		r.add("schedule", id, at, "there must be one of AutomaticallyAfterDays and ScheduleExpression", "Give one.")
		return
	case hasDays && (days < 1 || days > 1000 || days != float64(int(days))):
		r.add("schedule", id, at+".AutomaticallyAfterDays", fmt.Sprintf("%v is not a whole number from 1 to 1000", days), "Rotate at least once in 1000 days.")
		return
	case hasDays:
		s = schedule.Days(int(days))
	default:
		if s, err = schedule.Parse(expression); err != nil {
			r.add("schedule", id, at+".ScheduleExpression", fmt.Sprintf("%q: %v", expression, err), "Give rate(n hours), rate(n days) or cron(0 hours day-of-month month day-of-week *), at least 4 hours apart.")
			return
		}
	}
	duration, ok := rules["Duration"].(string)
	if !ok {
		return
	}
	hours, err := strconv.Atoi(strings.TrimSuffix(duration, "h"))
	if most := s.LongestWindow(); err != nil || hours < 1 || hours > most {
		r.add("schedule", id, at+".Duration", fmt.Sprintf("%q is not from 1h to %dh, where the next window or day begins", duration, most), "Give whole hours such as 3h.")
	}
}
