package rekey

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/jsii-runtime-go"

	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/shared/audit"
)

// replicaStack has what a Region with copies of the secrets needs: the key, and the rules
// that bring its events to the forwarder in the primary Region.
func (d *deployment) replicaStack(r config.Replica) {
	s := d.newStack(fmt.Sprintf("%s-%s", d.prefix, r.Region), fmt.Sprintf("Replicas of %s in %s", d.prefix, r.Region), r.Region)
	d.Replicas = append(d.Replicas, s)
	key := string(r.Key)
	if key == "" {
		if d.Keys != nil {
			s.AddStackDependency(d.Keys, jsii.String("a replica is made of the primary key"))
		}
		// A replica of a multi-Region key has the same id, so that the primary stack needs
		// nothing of this one but that it is there.
		replica := NewReplicaKey(s, "SecretsKey", d.secretsKey, d.keyProps())
		output(s, "SecretsKeyArn", *replica.AttrArn(), "Encrypts the replicas", d.prefix+"-secrets-key")
		key = fmt.Sprintf("arn:%s:kms:%s:%s:key/%s", *s.Partition(), r.Region, d.Account, d.keyID)
	}
	d.replicas = append(d.replicas, Replica{Region: string(r.Region), KeyARN: key})
	d.relay(s)
}

// relay hands this Region's events to the bus of the primary Region.
func (d *deployment) relay(s awscdk.Stack) {
	bus := fmt.Sprintf("arn:%s:events:%s:%s:event-bus/default", *s.Partition(), d.Regions.Primary, d.Account)
	sender := role(s, "RelayRole", "", "Hands events to "+string(d.Regions.Primary), Statement{
		Services:   []string{"events.amazonaws.com"},
		Conditions: Conditions{"StringEquals": {"aws:SourceAccount": string(d.Account)}},
	}, namedPolicy{"Policy", "Events to the primary Region", []Statement{
		{Actions: []string{"events:PutEvents"}, Resources: []string{bus}},
	}})
	undelivered := NewQueue(s, "Undelivered", QueueProps{
		Name: d.prefix + "-undelivered-events", Services: []string{"events.amazonaws.com"},
		Source: arn(s, "events", "rule/"+d.prefix+"-*"),
	})
	for _, r := range audit.Rules(audit.Catalogue()) {
		var pattern map[string]any
		if err := json.Unmarshal([]byte(r.Pattern), &pattern); err != nil {
			panic(fmt.Errorf("the pattern of rule %s: %w", r.Name, err))
		}
		awsevents.NewCfnRule(s, jsii.String("Relay"+identifier(r.Name)), &awsevents.CfnRuleProps{
			Name: jsii.String(d.prefix + "-" + r.Name), Description: &r.Description, State: &r.State, EventPattern: pattern,
			Targets: []any{map[string]any{
				"id": "primary", "arn": bus, "roleArn": *sender.AttrArn(),
				"deadLetterConfig": map[string]any{"arn": undelivered.ARN},
				"retryPolicy":      map[string]any{"maximumEventAgeInSeconds": 86400, "maximumRetryAttempts": 185},
			}},
		})
	}
}
