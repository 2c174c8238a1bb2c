package rekey

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/rekey-aws/rekey/infra/config"
)

// FleetProps are the properties of the state machine that rotates a fleet of secrets.
type FleetProps struct {
	// Name of the state machine.
	Name          string
	RecordsKeyARN string
	LogRetention  int
	// Functions whose secrets it may rotate, by the ARNs of their aliases, and no other's.
	Functions []string
	// Topic that gets the report, by ARN.
	Topic string
	// Rate is rotations begun each second, unless the run says another; at most 25.
	Rate int
	// ErrorBudget in percent of the secrets tried, unless the run says another.
	ErrorBudget int
	Delete      bool
}

// Fleet is a state machine. Start it with {"tag": {"key": "team", "value": "payments"}}, and
// "rate" and "errorBudget" to differ from the deployment's.
type Fleet struct {
	Construct constructs.Construct
	ARN       string
}

// NewFleet makes the state machine that rotates every secret with a tag, page by page: it
// begins as many rotations a second as it is told, waits for each to be current, stops when
// more failed than the budget allows, and reports.
func NewFleet(scope constructs.Construct, id string, p FleetProps) *Fleet {
	f := &Fleet{}
	f.Construct = constructs.NewConstruct(scope, &id)
	self := arn(f.Construct, "states", "stateMachine:"+p.Name)
	name := "/" + p.Name + "/executions"
	group := logGroup(f.Construct, "Logs", name, p.RecordsKeyARN, p.LogRetention, p.Delete)
	// A page runs as an execution of its own, of stateMachine:NAME/LABEL.
	r := role(f.Construct, "Role", "", "Runs "+p.Name, Statement{
		Services:   []string{"states.amazonaws.com"},
		Conditions: Conditions{"StringEquals": {"aws:SourceAccount": account(f.Construct)}, "ArnLike": {"aws:SourceArn": []string{self, self + "/*"}}},
	})
	policy := attach(f.Construct, "Role", r, namedPolicy{"Policy", "Rotates secrets of rekey's functions", p.statements(f, self)})
	machine := awsstepfunctions.NewCfnStateMachine(f.Construct, jsii.String("StateMachine"), &awsstepfunctions.CfnStateMachineProps{
		StateMachineName: &p.Name, RoleArn: r.AttrArn(), StateMachineType: jsii.String("STANDARD"),
		DefinitionString: jsii.String(p.Definition()),
		LoggingConfiguration: map[string]any{
			"level": "ALL", "includeExecutionData": false,
			"destinations": []any{map[string]any{"cloudWatchLogsLogGroup": map[string]any{"logGroupArn": group.AttrArn()}}},
		},
		TracingConfiguration: map[string]any{"enabled": true},
	})
	machine.AddResourceDependency(policy, nil)
	f.ARN = *machine.AttrArn()
	return f
}

func (p FleetProps) statements(f *Fleet, self string) []Statement {
	own := Conditions{"StringEquals": {"secretsmanager:resource/AllowRotationLambdaArn": p.Functions}}
	all := []Statement{
		{
			Sid: "List", Actions: []string{"secretsmanager:ListSecrets"}, Resources: []string{"*"},
			Wide: "Listing has no resources. It returns no value of a secret.",
		},
		{
			Sid: "Rotate", Actions: []string{"secretsmanager:DescribeSecret", "secretsmanager:RotateSecret"},
			Resources: []string{arn(f.Construct, "secretsmanager", "secret:*")}, Conditions: own,
			Wide: "Any secret with the tag, but only one that is rotated by a function of this deployment: see the condition.",
		},
		// https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
		{Sid: "Pages", Actions: []string{"states:StartExecution"}, Resources: []string{self}},
		{
			Sid: "PagesEnd", Actions: []string{"states:DescribeExecution", "states:StopExecution"},
			Resources: []string{arn(f.Construct, "states", "execution:"+p.Name+":*"), arn(f.Construct, "states", "execution:"+p.Name+"/*")},
			Wide:      "Executions of this state machine, whose names are made when they begin.",
		},
		{Sid: "Report", Actions: []string{"sns:Publish"}, Resources: []string{p.Topic}},
		{
			Sid: "EncryptReport", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []string{p.RecordsKeyARN},
			Conditions: Conditions{"StringEquals": {"kms:ViaService": endpointOf(f.Construct, "sns")}},
		},
		// https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
		{Sid: "Logs", Resources: []string{"*"}, Wide: "Log delivery has no resources.", Actions: []string{
			"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
			"logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
		}},
		{Sid: "Traces", Resources: []string{"*"}, Wide: noResourcesOfXRay, Actions: []string{
			"xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
		}},
	}
	return all
}

// Definition is the state machine in Amazon States Language, with JSONata.
func (p FleetProps) Definition() string {
	states := map[string]any{
		"Begin": map[string]any{
			"Type": "Pass", "Next": "List a page",
			"Assign": map[string]any{
				"key": "{% $states.input.tag.key %}", "value": "{% $states.input.tag.value %}",
				"rate":   fmt.Sprintf("{%% $min([25, $exists($states.input.rate) ? $states.input.rate : %d]) %%}", p.Rate),
				"budget": fmt.Sprintf("{%% $exists($states.input.errorBudget) ? $states.input.errorBudget : %d %%}", p.ErrorBudget),
				"run":    "{% $states.context.Execution.Name %}",
				"next":   "", "rotated": 0, "failed": 0, "skipped": 0, "failures": []any{},
			},
		},
		"List a page":       listPage(),
		"Rotate the page":   rotatePage(),
		"Within the budget": budget(),
		"Report":            p.report("Fleet rotated", "Done"),
		"Report the stop":   p.report("Fleet rotation STOPPED", "Stopped"),
		"Done":              map[string]any{"Type": "Succeed", "Output": summary},
		"Stopped": map[string]any{
			"Type": "Fail", "Error": "ErrorBudget",
			"Cause": "{% 'More than ' & $string($budget) & ' % failed: ' & $string($failed) & ' of ' & $string($rotated + $failed) & '. See docs/playbooks/alarm-fleet-failed.md' %}",
		},
	}
	text, err := json.Marshal(map[string]any{
		"Comment": "Rotates every secret with a tag", "QueryLanguage": "JSONata", "StartAt": "Begin", "States": states,
	})
	if err != nil {
		panic(err) // text and numbers are always JSON
	}
	return string(text)
}

const summary = "{% {'run': $run, 'tag': $key & '=' & $value, 'rotated': $rotated, 'failed': $failed, 'skipped': $skipped, 'failures': $failures} %}"

// patient tries a call again when it was throttled or AWS failed.
func patient() []any {
	return []any{map[string]any{
		"ErrorEquals":     []string{"States.ALL"},
		"IntervalSeconds": 1, "MaxAttempts": 6, "BackoffRate": 2, "MaxDelaySeconds": 20, "JitterStrategy": "FULL",
	}}
}

// listPage lists secrets by tag. The service's filters match the beginnings of words, so the
// tag is compared once more; what does not rotate, or is a replica of another Region's
// secret, is counted as skipped.
func listPage() map[string]any {
	mine := "$count(Tags[Key = $key and Value = $value]) > 0"
	here := "RotationEnabled = true and ($not($exists(PrimaryRegion)) or PrimaryRegion = $split(ARN, ':')[3])"
	return map[string]any{
		"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:secretsmanager:listSecrets", "Next": "Rotate the page", "Retry": patient(),
		"Arguments": fmt.Sprintf("{%% $merge([{'MaxResults': %d, 'Filters': [{'Key': 'tag-key', 'Values': [$key]}, {'Key': 'tag-value', 'Values': [$value]}]}, $next = '' ? {} : {'NextToken': $next}]) %%}", config.FleetPage),
		"Output":    "{% {'secrets': [$states.result.SecretList[" + mine + "][" + here + "].ARN]} %}",
		"Assign": map[string]any{
			"next":    "{% $exists($states.result.NextToken) ? $states.result.NextToken : '' %}",
			"skipped": "{% $skipped + $count($states.result.SecretList[" + mine + "]) - $count($states.result.SecretList[" + mine + "][" + here + "]) %}",
		},
	}
}

// rotatePage begins the page's rotations one after another at the rate, and waits for all.
//
//nolint:gosec // tokens here are of states, and no credentials
func rotatePage() map[string]any {
	failed := map[string]any{"Type": "Pass", "End": true, "Output": "{% {'rotated': false, 'arn': $states.input.arn, 'why': $states.input.why} %}"}
	secret := map[string]any{
		"Its turn": map[string]any{"Type": "Wait", "Seconds": "{% $states.input.delay %}", "Next": "Rotate"},
		"Rotate": map[string]any{
			"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:secretsmanager:rotateSecret", "Next": "Let it work",
			"Arguments": map[string]any{"SecretId": "{% $states.input.arn %}", "ClientRequestToken": "{% $states.input.token %}"},
			"Output":    "{% {'arn': $states.input.arn, 'token': $states.input.token, 'looks': 0} %}",
			"Retry": []any{map[string]any{
				"ErrorEquals":     []string{"SecretsManager.ThrottlingException", "SecretsManager.InternalServiceErrorException"},
				"IntervalSeconds": 2, "MaxAttempts": 4, "BackoffRate": 2, "JitterStrategy": "FULL",
			}},
			"Catch": []any{map[string]any{
				"ErrorEquals": []string{"States.ALL"}, "Next": "Failed",
				"Output": "{% {'arn': $states.input.arn, 'why': $states.errorOutput.Error} %}",
			}},
		},
		"Let it work": map[string]any{"Type": "Wait", "Seconds": int(config.FleetPause.Seconds()), "Next": "Look"},
		"Look": map[string]any{
			"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:secretsmanager:describeSecret", "Next": "Is it current", "Retry": patient(),
			"Arguments": map[string]any{"SecretId": "{% $states.input.arn %}"},
			"Output":    "{% {'arn': $states.input.arn, 'token': $states.input.token, 'looks': $states.input.looks + 1, 'why': 'not current after two minutes', 'current': 'AWSCURRENT' in $lookup($states.result.VersionIdsToStages, $states.input.token)} %}",
			"Catch": []any{map[string]any{
				"ErrorEquals": []string{"States.ALL"}, "Next": "Failed",
				"Output": "{% {'arn': $states.input.arn, 'why': $states.errorOutput.Error} %}",
			}},
		},
		"Is it current": map[string]any{"Type": "Choice", "Default": "Failed", "Choices": []any{
			map[string]any{"Condition": "{% $states.input.current %}", "Next": "Rotated"},
			map[string]any{"Condition": fmt.Sprintf("{%% $states.input.looks < %d %%}", config.FleetLooks), "Next": "Let it work"},
		}},
		"Rotated": map[string]any{"Type": "Pass", "End": true, "Output": map[string]any{"rotated": true}},
		"Failed":  failed,
	}
	return map[string]any{
		"Type": "Map", "Label": "Secrets", "Next": "Within the budget", "MaxConcurrency": config.FleetPage, "ToleratedFailurePercentage": 100,
		"Items": "{% [$states.input.secrets] %}",
		"ItemSelector": map[string]any{
			"arn":   "{% $states.context.Map.Item.Value %}",
			"delay": "{% $floor($states.context.Map.Item.Index / $rate) %}",
			"token": "{% $uuid() %}",
		},
		"ItemProcessor": map[string]any{
			"ProcessorConfig": map[string]any{"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
			"StartAt":         "Its turn", "States": secret,
		},
		"Assign": map[string]any{
			"rotated":  "{% $rotated + $count($states.result[rotated = true]) %}",
			"failed":   "{% $failed + $count($states.input.secrets) - $count($states.result[rotated = true]) %}",
			"failures": "{% [$append($failures, $states.result[rotated = false].{'arn': arn, 'why': why})[[0..99]]] %}",
		},
	}
}

func budget() map[string]any {
	return map[string]any{"Type": "Choice", "Default": "Report", "Choices": []any{
		map[string]any{"Condition": "{% $failed * 100 > $budget * ($rotated + $failed) %}", "Next": "Report the stop"},
		map[string]any{"Condition": "{% $next != '' %}", "Next": "List a page"},
	}}
}

func (p FleetProps) report(subject, next string) map[string]any {
	return map[string]any{
		"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Next": next, "Retry": patient(),
		"Arguments": map[string]any{
			"TopicArn": p.Topic,
			"Subject":  subject,
			"Message":  "{% 'Run ' & $run & ', tag ' & $key & '=' & $value & ': ' & $string($rotated) & ' rotated, ' & $string($failed) & ' failed, ' & $string($skipped) & ' skipped (no rotation, or a replica).' & $join($failures.('\\n' & arn & ': ' & why)) %}",
		},
	}
}
