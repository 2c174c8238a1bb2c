package rekey

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
)

// DashboardProps are the properties of a dashboard.
type DashboardProps struct {
	Name      string
	Functions []*Function
	Forwarder *Forwarder // or nil
	// Secrets is how many there are, for the title.
	Secrets int
	// Reads shows the trail's counts of reads.
	Reads bool
}

// NewDashboard makes a page that answers, from top to bottom: is anything wrong, does
// rotation work, how long does it take, who reads, does the audit run.
func NewDashboard(scope constructs.Construct, id string, p DashboardProps) awscloudwatch.CfnDashboard {
	d := dashboard{region: region(scope)}
	d.text(2, fmt.Sprintf("# %s\n%d secrets. Red is a step that failed: its log line says why, and what to do. Playbooks: docs/playbooks.", p.Name, p.Secrets))

	var failed, took, retired [][]any
	var groups []string
	for _, f := range p.Functions {
		groups = append(groups, "'"+f.LogGroup+"'")
		for _, step := range steps {
			failed = append(failed, []any{metricNamespace, stepFailures, "function", f.Name, "step", step})
		}
		took = append(took, []any{metricNamespace, stepDuration, "function", f.Name, "step", "setSecret"})
		for _, step := range retireSteps {
			retired = append(retired, []any{metricNamespace, retireFailures, "function", f.Name, "step", step})
		}
	}
	if len(p.Functions) > 0 {
		d.graph(8, "Failed steps", "Sum", failed)
		d.graph(8, "Old credentials not ended", "Sum", retired)
		d.graph(8, "setSecret, slowest (ms)", "Maximum", took)
		d.logs("Last failures", strings.Join(groups, " | SOURCE "),
			`fields @timestamp, step, secret, kind, error, hint | filter level = "ERROR" | sort @timestamp desc | limit 20`)
	}
	if p.Reads {
		d.graph(12, "Reads of secrets in the account", "Sum", [][]any{{metricNamespace, "SecretReads"}, {metricNamespace, "SecretBatchReads"}})
		d.graph(12, "Refused reads, and changes", "Sum", [][]any{{metricNamespace, "SecretReadsDenied"}, {metricNamespace, "SecretChanges"}})
	}
	if f := p.Forwarder; f != nil {
		var told [][]any
		for _, severity := range []string{"critical", "high", "medium", "low"} {
			told = append(told, []any{metricNamespace, findings, "severity", severity})
		}
		d.graph(24, "Findings by severity", "Sum", told)
		d.graph(12, "Audit forwarder", "Sum", [][]any{
			{"AWS/Lambda", "Invocations", "FunctionName", f.Function.Name},
			{"AWS/Lambda", "Errors", "FunctionName", f.Function.Name},
			{"AWS/Lambda", "Throttles", "FunctionName", f.Function.Name},
		})
		d.graph(12, "Dead letters", "Maximum", [][]any{
			{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", f.Function.DeadLetters.Name},
			{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", f.Undelivered.Name},
		})
	}
	return awscloudwatch.NewCfnDashboard(scope, &id, &awscloudwatch.CfnDashboardProps{
		DashboardName: &p.Name,
		DashboardBody: awscdk.Stack_Of(scope).ToJsonString(map[string]any{"start": "-P7D", "widgets": d.widgets}, nil),
	})
}

// dashboard places widgets from left to right on a grid of 24 columns:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
type dashboard struct {
	region  string
	widgets []any
	x, y    int
	height  int // of the row
}

func (d *dashboard) place(kind string, width, height int, properties map[string]any) {
	if d.x+width > 24 {
		d.x, d.y, d.height = 0, d.y+d.height, 0
	}
	d.widgets = append(d.widgets, map[string]any{
		"type": kind, "x": d.x, "y": d.y, "width": width, "height": height, "properties": properties,
	})
	d.x, d.height = d.x+width, max(d.height, height)
}

func (d *dashboard) text(height int, markdown string) {
	d.place("text", 24, height, map[string]any{"markdown": markdown})
}

func (d *dashboard) graph(width int, title, statistic string, metrics [][]any) {
	d.place("metric", width, 6, map[string]any{
		"title": title, "stat": statistic, "period": 300, "region": d.region, "view": "timeSeries", "metrics": metrics,
		"yAxis": map[string]any{"left": map[string]any{"min": 0}},
	})
}

func (d *dashboard) logs(title, groups, query string) {
	d.place("log", 24, 6, map[string]any{
		"title": title, "region": d.region, "view": "table", "query": "SOURCE " + groups + " | " + query,
	})
}

// CountEvents counts the trail's records in CloudWatch, where it delivers them: what counting
// detections look at, for a person to see over weeks.
func CountEvents(scope constructs.Construct, id, logGroup string) {
	const source = `($.eventSource = "secretsmanager.amazonaws.com")`
	for _, c := range []struct{ metric, pattern string }{
		{"SecretReads", source + ` && ($.eventName = "GetSecretValue")`},
		{"SecretBatchReads", source + ` && ($.eventName = "BatchGetSecretValue")`},
		{"SecretReadsDenied", source + ` && ($.eventName = "*GetSecretValue") && ($.errorCode = "AccessDenied*")`},
		{"SecretChanges", source + ` && ($.readOnly IS FALSE)`},
	} {
		metricFilter(scope, id+c.metric, logGroup, c.metric, "{ "+c.pattern+" }")
	}
}

func metricFilter(scope constructs.Construct, id, group, name, pattern string) {
	awslogs.NewCfnMetricFilter(scope, &id, &awslogs.CfnMetricFilterProps{
		LogGroupName: group, FilterName: &name, FilterPattern: &pattern,
		MetricTransformations: []any{map[string]any{
			"metricName": name, "metricNamespace": metricNamespace, "metricValue": "1", "defaultValue": 0, "unit": "Count",
		}},
	})
}
