package rekey

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/forwarder"
	"github.com/rekey-aws/rekey/shared/audit/state/dynamostate"
)

// ForwarderProps are the properties of the audit forwarder.
type ForwarderProps struct {
	// Name that its table and rules begin with.
	Name     string
	Function FunctionProps
	// Statements of what its sinks need.
	Sinks []Statement
	// Watched are the functions whose logs tell the cause of a failed rotation.
	Watched []*Function
	// Detections that are looked for; nil: the whole catalogue.
	Detections []*audit.Detection
	// Delete the table when it leaves the template.
	Delete bool
}

// Forwarder is the audit forwarder: its function, its state, and the rules that bring it
// events.
type Forwarder struct {
	Construct constructs.Construct
	Function  *Function
	// Rules by name.
	Rules []string
	Table string
	// Undelivered holds the events that EventBridge could not hand over.
	Undelivered Queue
}

// NewForwarder makes the function that turns events into alerts, with a rule for each kind
// of event that its detections need, and a schedule on which it looks for overdue rotations. What cannot be
// delivered goes to the dead letters.
func NewForwarder(scope constructs.Construct, id string, p ForwarderProps) *Forwarder {
	f := &Forwarder{Table: p.Name + "-audit"}
	f.Construct = constructs.NewConstruct(scope, &id)
	table := f.table(p)
	f.Undelivered = NewQueue(f.Construct, "Undelivered", QueueProps{
		Name: p.Name + "-undelivered-events", KeyARN: p.Function.RecordsKeyARN,
		Services: []string{"events.amazonaws.com"}, Source: arn(f.Construct, "events", "rule/"+p.Name+"-*"),
	})
	p.Function.Environment = merged(p.Function.Environment, map[string]string{forwarder.EnvTable: *table.Ref()})
	f.Function = NewFunction(f.Construct, "Function", p.Function)
	f.Function.May("State", "The forwarder's own table", tableStatements(f.Construct, p, *table.AttrArn())...)
	f.Function.May("Audit", "What the forwarder reads", f.reads(p)...)
	f.Function.May("Sinks", "Those whom the forwarder tells", p.Sinks...)

	detections := p.Detections
	if detections == nil {
		detections = audit.Catalogue()
	}
	for _, r := range audit.Rules(detections) {
		var pattern map[string]any
		if err := json.Unmarshal([]byte(r.Pattern), &pattern); err != nil {
			panic(fmt.Errorf("the pattern of rule %s: %w", r.Name, err))
		}
		f.rule(p.Name, r.Name, &awsevents.CfnRuleProps{Description: jsii.String(r.Description), State: jsii.String(r.State), EventPattern: pattern})
	}
	f.rule(p.Name, "every-ten-minutes", &awsevents.CfnRuleProps{
		Description: jsii.String("Lets the forwarder look for overdue rotations, and tell of storms that are over"), State: jsii.String(audit.RuleEnabled),
		ScheduleExpression: jsii.String("rate(10 minutes)"),
	})
	return f
}

func (f *Forwarder) table(p ForwarderProps) awsdynamodb.CfnTable {
	keys := []any{
		map[string]any{"attributeName": dynamostate.PartitionKey, "keyType": "HASH"},
		map[string]any{"attributeName": dynamostate.SortKey, "keyType": "RANGE"},
	}
	table := awsdynamodb.NewCfnTable(f.Construct, jsii.String("State"), &awsdynamodb.CfnTableProps{
		TableName: &f.Table, BillingMode: jsii.String("PAY_PER_REQUEST"), KeySchema: keys,
		AttributeDefinitions: []any{
			map[string]any{"attributeName": dynamostate.PartitionKey, "attributeType": "S"},
			map[string]any{"attributeName": dynamostate.SortKey, "attributeType": "S"},
		},
		TimeToLiveSpecification:          map[string]any{"attributeName": dynamostate.TTLAttribute, "enabled": true},
		SseSpecification:                 map[string]any{"sseEnabled": true, "sseType": "KMS", "kmsMasterKeyId": p.Function.RecordsKeyARN},
		PointInTimeRecoverySpecification: map[string]any{"pointInTimeRecoveryEnabled": true},
		DeletionProtectionEnabled:        !p.Delete,
	})
	retain(table, p.Delete)
	accept(table, "What it remembers expires within days; it can be had back as it was at any second of the last 35 days.", backupRules...)
	return table
}

func tableStatements(c constructs.Construct, p ForwarderProps, table string) []Statement {
	return []Statement{
		{Sid: "Remember", Resources: []string{table}, Actions: []string{
			"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query",
		}},
		{
			Sid: "EncryptState", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []string{p.Function.RecordsKeyARN},
			Conditions: Conditions{"StringEquals": {"kms:ViaService": endpointOf(c, "dynamodb")}},
		},
	}
}

func (f *Forwarder) reads(p ForwarderProps) []Statement {
	all := []Statement{{
		Sid: "Overdue", Actions: []string{"secretsmanager:ListSecrets"}, Resources: []string{"*"},
		Wide: "Listing has no resources. It returns no value of a secret.",
	}}
	var groups []string
	for _, w := range p.Watched {
		groups = append(groups, arn(f.Construct, "logs", "log-group:"+w.LogGroup+":*"))
	}
	if len(groups) > 0 {
		all = append(all, Statement{Sid: "Cause", Actions: []string{"logs:FilterLogEvents"}, Resources: groups, Wide: "All streams of the named functions' log groups."})
	}
	return all
}

// rule brings events to the function: tried for a day, then to the queue.
func (f *Forwarder) rule(prefix, name string, p *awsevents.CfnRuleProps) {
	id := identifier(name)
	name = prefix + "-" + name
	p.Name = &name
	p.Targets = []any{map[string]any{
		"id": "forwarder", "arn": f.Function.AliasARN,
		"deadLetterConfig": map[string]any{"arn": f.Undelivered.ARN},
		"retryPolicy":      map[string]any{"maximumEventAgeInSeconds": 86400, "maximumRetryAttempts": 185},
	}}
	awsevents.NewCfnRule(f.Construct, jsii.String("Rule"+id), p)
	f.Function.invokedBy("InvokedByRule"+id, "events.amazonaws.com", arn(f.Construct, "events", "rule/"+name))
	f.Rules = append(f.Rules, name)
}

func merged(maps ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}
