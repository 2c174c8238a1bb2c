package rekey

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// accept records why rules of cdk-nag do not apply to a resource. The reason stands in the
// template, for the reviewer to read.
func accept(r awscdk.CfnResource, reason string, rules ...string) {
	for _, rule := range rules {
		suppress(r, map[string]any{"id": rule, "reason": reason})
	}
}

// acceptWide does so for the resources of a role's policy that end in *, each by itself: a
// wider one that is added later is found again.
func acceptWide(r awscdk.CfnResource, statements []Statement) {
	for _, s := range statements {
		var wide []string
		for _, resource := range s.Resources {
			if strings.Contains(resource, "*") {
				wide = append(wide, "Resource::"+resource)
			}
		}
		if s.Wide != "" && len(wide) > 0 {
			suppress(r, map[string]any{"id": "AwsSolutions-IAM5", "reason": s.Wide, "applies_to": wide})
		}
	}
}

func suppress(r awscdk.CfnResource, rule map[string]any) {
	const key = "cdk_nag"
	var rules []any
	if old, ok := r.GetMetadata(&[]string{key}[0]).(map[string]any); ok {
		rules, _ = old["rules_to_suppress"].([]any)
	}
	r.AddMetadata(&[]string{key}[0], map[string]any{"rules_to_suppress": append(rules, rule)})
}

// Rules of several packs that ask the same.
var (
	concurrencyRules = []string{"HIPAA.Security-LambdaConcurrency", "NIST.800.53.R5-LambdaConcurrency"}
	insideVPCRules   = []string{"HIPAA.Security-LambdaInsideVPC", "NIST.800.53.R5-LambdaInsideVPC", "PCI.DSS.321-LambdaInsideVPC"}
	replicationRules = []string{"HIPAA.Security-S3BucketReplicationEnabled", "NIST.800.53.R5-S3BucketReplicationEnabled", "PCI.DSS.321-S3BucketReplicationEnabled"}
	bucketKeyRules   = []string{"HIPAA.Security-S3DefaultEncryptionKMS", "NIST.800.53.R5-S3DefaultEncryptionKMS", "PCI.DSS.321-S3DefaultEncryptionKMS"}
	backupRules      = []string{"HIPAA.Security-DynamoDBInBackupPlan", "NIST.800.53.R5-DynamoDBInBackupPlan"}
)
