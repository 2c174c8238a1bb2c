package rekey

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// NewConfigRules has AWS Config watch secrets: SecretsManager.1 to .4 of Security Hub, and
// the customer's key. AWS Config must be on in the account. For SecretsManager.5, tags, AWS
// Config has no rule that one can deploy; every secret made here has tags.
// https://docs.aws.amazon.com/securityhub/latest/userguide/secretsmanager-controls.html
func NewConfigRules(scope constructs.Construct, id, name, keyARN string, maxDays string) {
	c := constructs.NewConstruct(scope, &id)
	type rule struct {
		id, identifier, description string
		parameters                  map[string]any
	}
	for _, r := range []rule{
		{"rotation-enabled", "SECRETSMANAGER_ROTATION_ENABLED_CHECK", "SecretsManager.1: secrets rotate", nil},
		{"rotation-succeeds", "SECRETSMANAGER_SCHEDULED_ROTATION_SUCCESS_CHECK", "SecretsManager.2: the last rotation succeeded", nil},
		{"unused", "SECRETSMANAGER_SECRET_UNUSED", "SecretsManager.3: secrets are used", map[string]any{"unusedForDays": "90"}},
		{"periodic-rotation", "SECRETSMANAGER_SECRET_PERIODIC_ROTATION", "SecretsManager.4: secrets rotated in time", map[string]any{"maxDaysSinceRotation": maxDays}},
		{"customer-key", "SECRETSMANAGER_USING_CMK", "Secrets are encrypted with the customer's key", map[string]any{"kmsKeyArns": keyARN}},
	} {
		props := &awsconfig.CfnConfigRuleProps{
			ConfigRuleName: jsii.String(name + "-" + r.id), Description: &r.description,
			Source: map[string]any{"owner": "AWS", "sourceIdentifier": r.identifier},
		}
		if r.parameters != nil {
			props.InputParameters = r.parameters
		}
		awsconfig.NewCfnConfigRule(c, jsii.String(identifier(r.id)), props)
	}
}
