package rekey

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/rekey-aws/rekey/shared/audit"
)

// AlarmsProps are the properties of a deployment's alarms.
type AlarmsProps struct {
	// Name that the alarms' names begin with.
	Name string
	// Topics that are told when an alarm begins and ends, by ARN.
	Topics []string
	// Functions that rotate; Forwarder is nil where none is deployed.
	Functions []*Function
	Forwarder *Forwarder
	// Timeouts in seconds, by function name.
	Timeouts map[string]int
	// Fleet is the state machine's ARN, or empty.
	Fleet string
}

// Alarm is one kind of alarm. Its page is docs/playbooks/ID.md.
type Alarm struct {
	ID, Title string
	// Means what has happened, in one sentence.
	Means string
}

// The alarms.
var (
	RotationFailed   = Alarm{"alarm-rotation-failed", "Rotation failed", "Two invocations or more of a step failed within 15 minutes: a retry has not mended it."}
	RotationOverdue  = Alarm{"alarm-rotation-overdue", "Rotation overdue", "A secret should have rotated and has not."}
	RetireFailed     = Alarm{"alarm-retire-failed", "Old credential not ended", "An old credential is still valid after its grace period, or its end could not be planned."}
	FunctionErrors   = Alarm{"alarm-function-errors", "Function errors", "The function fails, stops or runs out of time."}
	FunctionThrottle = Alarm{"alarm-function-throttled", "Function throttled", "Lambda refuses invocations: the concurrency does not suffice."}
	FunctionSlow     = Alarm{"alarm-function-slow", "Function slow", "An invocation took more than four fifths of its time-out."}
	DeadLetters      = Alarm{"alarm-dead-letters", "Dead letters", "Events or retirements were given up; they wait in the queue."}
	ForwarderSilent  = Alarm{"alarm-forwarder-silent", "Forwarder silent", "The audit forwarder has not run for an hour, though it is invoked every ten minutes."}
	DeliveryFailed   = Alarm{"alarm-rule-failed", "Events not delivered", "EventBridge could not invoke the audit forwarder."}
	FleetFailed      = Alarm{"alarm-fleet-failed", "Fleet rotation stopped", "A rotation of the fleet ended before its last secret."}
)

// AllAlarms are the kinds of alarms that a deployment has.
func AllAlarms() []Alarm {
	return []Alarm{
		RotationFailed, RotationOverdue, RetireFailed, FunctionErrors, FunctionThrottle, FunctionSlow,
		DeadLetters, ForwarderSilent, DeliveryFailed, FleetFailed,
	}
}

// Playbook is the page that says what to do, in the project's repository.
func (a Alarm) Playbook() string { return "docs/playbooks/" + a.ID + ".md" }

// The metrics that functions write into their log lines; see docs/state-machine.md.
const (
	metricNamespace = "rekey"
	stepFailures    = "StepFailures"
	stepDuration    = "StepDuration"
	retireFailures  = "RetireFailures"
	findings        = "Findings"
)

var (
	steps = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}
	// retireSteps are those that count failures of retiring: the next rotation tries first,
	// the rotation plans, the retirement ends.
	retireSteps = []string{"createSecret", "finishSecret", "retireSecret"}
)

// Alarms watch a deployment.
type Alarms struct {
	Construct constructs.Construct
	props     AlarmsProps
}

// NewAlarms makes an alarm for everything that a person must know of. A metric without data
// is no alarm, but for the forwarder, which is never idle.
func NewAlarms(scope constructs.Construct, id string, p AlarmsProps) *Alarms {
	a := &Alarms{props: p}
	a.Construct = constructs.NewConstruct(scope, &id)
	for _, f := range p.Functions {
		a.watchRotation(f)
	}
	all := p.Functions
	if f := p.Forwarder; f != nil {
		all = append(all[:len(all):len(all)], f.Function)
		a.watchForwarder(f.Function)
		a.watchRules(f.Rules)
		a.watchQueue(f.Undelivered)
	}
	for _, f := range all {
		a.watchFunction(f)
		a.watchQueue(f.DeadLetters)
	}
	if p.Fleet != "" {
		dimensions := []string{"StateMachineArn", p.Fleet}
		ended := watch{threshold: 1, period: 300, metrics: []metric{
			{namespace: "AWS/States", name: "ExecutionsFailed", dimensions: dimensions},
			{namespace: "AWS/States", name: "ExecutionsTimedOut", dimensions: dimensions},
			{namespace: "AWS/States", name: "ExecutionsAborted", dimensions: dimensions},
		}}
		a.make(FleetFailed, "fleet", ended.sum())
	}
	return a
}

func (a *Alarms) watchRotation(f *Function) {
	failed := watch{threshold: 2, period: 900}
	for _, step := range steps {
		failed.metrics = append(failed.metrics, metric{namespace: metricNamespace, name: stepFailures, dimensions: []string{"function", f.Name, "step", step}})
	}
	a.make(RotationFailed, f.Name, failed.sum())
	retired := watch{threshold: 1, period: 900}
	for _, step := range retireSteps {
		retired.metrics = append(retired.metrics, metric{namespace: metricNamespace, name: retireFailures, dimensions: []string{"function", f.Name, "step", step}})
	}
	a.make(RetireFailed, f.Name, retired.sum())
}

func (a *Alarms) watchFunction(f *Function) {
	lambda := func(name, statistic string) []metric {
		return []metric{{namespace: "AWS/Lambda", name: name, dimensions: []string{"FunctionName", f.Name}, statistic: statistic}}
	}
	// A step that fails is an error of the function too: rotation-failed tells of it. What
	// remains for this alarm are many, and functions that do not rotate.
	errors := watch{metrics: lambda("Errors", "Sum"), threshold: 5, period: 900}
	if a.props.Forwarder != nil && f == a.props.Forwarder.Function {
		errors.threshold = 1
	}
	a.make(FunctionErrors, f.Name, errors)
	a.make(FunctionThrottle, f.Name, watch{metrics: lambda("Throttles", "Sum"), threshold: 1, period: 300})
	limit := float64(a.props.Timeouts[f.Name]) * 1000 * 4 / 5
	a.make(FunctionSlow, f.Name, watch{metrics: lambda("Duration", "Maximum"), threshold: limit, period: 900})
}

func (a *Alarms) watchForwarder(f *Function) {
	a.make(ForwarderSilent, f.Name, watch{
		metrics:   []metric{{namespace: "AWS/Lambda", name: "Invocations", dimensions: []string{"FunctionName", f.Name}}},
		threshold: 1, period: 3600, below: true,
	})
	overdue, _ := audit.Find("rotation-overdue")
	a.make(RotationOverdue, f.Name, watch{
		metrics:   []metric{{namespace: metricNamespace, name: findings, dimensions: []string{"detection", overdue.ID, "severity", overdue.Severity.String()}}},
		threshold: 1, period: 3600,
	})
}

func (a *Alarms) watchQueue(q Queue) {
	a.make(DeadLetters, q.Name, watch{
		metrics:   []metric{{namespace: "AWS/SQS", name: "ApproximateNumberOfMessagesVisible", dimensions: []string{"QueueName", q.Name}, statistic: "Maximum"}},
		threshold: 1, period: 300,
	})
}

// watchRules watches that EventBridge can invoke the forwarder.
func (a *Alarms) watchRules(names []string) {
	failed := watch{threshold: 1, period: 300}
	for _, name := range names {
		failed.metrics = append(failed.metrics, metric{namespace: "AWS/Events", name: "FailedInvocations", dimensions: []string{"RuleName", name}})
	}
	a.make(DeliveryFailed, "rules", failed.sum())
}

// watch is when an alarm begins: at the threshold or above, or below it.
type watch struct {
	metrics    []metric
	expression string // of several metrics, m1, m2, …
	threshold  float64
	period     int // seconds
	below      bool
}

type metric struct {
	namespace, name string
	dimensions      []string // names and values by turns
	statistic       string   // "": Sum
}

func (a *Alarms) make(kind Alarm, of string, w watch) {
	comparison, missing := "GreaterThanOrEqualToThreshold", "notBreaching"
	if w.below {
		comparison, missing = "LessThanThreshold", "breaching"
	}
	props := &awscloudwatch.CfnAlarmProps{
		AlarmName:          jsii.String(a.props.Name + "-" + kind.ID + "-" + of),
		AlarmDescription:   jsii.String(fmt.Sprintf("%s: %s. %s What to do: %s", kind.Title, of, kind.Means, kind.Playbook())),
		ComparisonOperator: &comparison, TreatMissingData: &missing, Threshold: &w.threshold,
		EvaluationPeriods: jsii.Number(1),
		AlarmActions:      anys(a.props.Topics...), OkActions: anys(a.props.Topics...),
	}
	if w.expression == "" {
		m := w.metrics[0]
		props.Namespace, props.MetricName, props.Dimensions = &m.namespace, &m.name, m.dims()
		props.Statistic, props.Period = jsii.String(m.stat()), jsii.Number(float64(w.period))
	} else {
		props.Metrics = w.queries()
	}
	awscloudwatch.NewCfnAlarm(a.Construct, jsii.String(kind.ID[len("alarm-"):]+"-"+of), props)
}

// sum is a watch of all metrics together. One without data counts as zero.
func (w watch) sum() watch {
	terms := make([]string, 0, len(w.metrics))
	for i := range w.metrics {
		terms = append(terms, fmt.Sprintf("FILL(m%d,0)", i+1))
	}
	w.expression = strings.Join(terms, "+")
	return w
}

func (w watch) queries() []any {
	all := []any{map[string]any{"id": "sum", "expression": w.expression, "label": "Failures", "returnData": true}}
	for i, m := range w.metrics {
		all = append(all, map[string]any{
			"id": fmt.Sprintf("m%d", i+1), "returnData": false,
			"metricStat": map[string]any{
				"period": w.period, "stat": m.stat(),
				"metric": map[string]any{"namespace": m.namespace, "metricName": m.name, "dimensions": m.dims()},
			},
		})
	}
	return all
}

func (m metric) stat() string {
	if m.statistic == "" {
		return "Sum"
	}
	return m.statistic
}

func (m metric) dims() []any {
	var all []any
	for i := 0; i < len(m.dimensions); i += 2 {
		all = append(all, map[string]any{"name": m.dimensions[i], "value": m.dimensions[i+1]})
	}
	return all
}
