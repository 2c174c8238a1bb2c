package rekey

import (
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// SecretsKeyProps are the properties of a key for secrets, and of its replicas.
type SecretsKeyProps struct {
	// Alias without "alias/".
	Alias string
	// Secrets by name; "*" at the end of one stands for every ending. Nothing else can be
	// encrypted or decrypted.
	Secrets []string
	// Readers by ARN may decrypt these secrets. Others need the permission in a policy of
	// their own, and the key still asks for Secrets Manager as the way.
	Readers []string
	// Administrators by ARN may manage the key and not use it. None: the account's IAM
	// policies decide who may.
	Administrators []string
	// Delete schedules the key's deletion when it leaves the template. What it encrypts is
	// then lost.
	Delete bool
}

// NewSecretsKey makes the multi-Region key that secrets are encrypted with. It rotates every
// year, works through Secrets Manager only, and only for the secrets that are named.
func NewSecretsKey(scope constructs.Construct, id string, p SecretsKeyProps) awskms.CfnKey {
	key := awskms.NewCfnKey(scope, jsii.String(id), &awskms.CfnKeyProps{
		Description: jsii.String("Secrets of " + p.Alias), MultiRegion: true, EnableKeyRotation: true,
		PendingWindowInDays: jsii.Number(30), KeyPolicy: p.policy(scope),
	})
	retain(key, p.Delete)
	alias(scope, id, p.Alias, key.Ref())
	return key
}

// NewReplicaKey makes the key's replica in the stack's Region, so that replicas of secrets
// are readable there when the primary Region is gone.
func NewReplicaKey(scope constructs.Construct, id, primaryARN string, p SecretsKeyProps) awskms.CfnReplicaKey {
	key := awskms.NewCfnReplicaKey(scope, jsii.String(id), &awskms.CfnReplicaKeyProps{
		Description: jsii.String("Replicas of the secrets of " + p.Alias), PrimaryKeyArn: &primaryARN,
		PendingWindowInDays: jsii.Number(30), KeyPolicy: p.policy(scope),
	})
	retain(key, p.Delete)
	alias(scope, id, p.Alias, key.Ref())
	return key
}

func alias(scope constructs.Construct, id, name string, key *string) {
	awskms.NewCfnAlias(scope, jsii.String(id+"Alias"), &awskms.CfnAliasProps{
		AliasName: jsii.String("alias/" + name), TargetKeyId: key,
	})
}

// administration is everything that manages a key, and nothing that uses it.
var administration = []string{
	"kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey",
	"kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy",
	"kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies", "kms:ListKeyRotations",
	"kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ReplicateKey", "kms:RevokeGrant",
	"kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource",
	"kms:UpdateAlias", "kms:UpdateKeyDescription", "kms:UpdatePrimaryRegion",
}

// administered are the statements that let a key be managed. The deployment's own roles are
// always among the administrators: a key that CloudFormation cannot change is stuck.
func administered(scope constructs.Construct, administrators []string) []Statement {
	all := Statement{Sid: "Administer", Principals: []string{accountRoot(scope)}, Actions: administration, Resources: []string{"*"}}
	if len(administrators) == 0 {
		return []Statement{all}
	}
	deploy := all
	deploy.Sid = "Deploy"
	deploy.Conditions = Conditions{"ArnLike": {"aws:PrincipalArn": deployers(scope)}}
	all.Principals = administrators
	return []Statement{all, deploy}
}

// policy of the key in the scope's Region. Secrets Manager puts the secret's ARN into the
// encryption context, and a fixed text when it checks that a key can be used:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
func (p SecretsKeyProps) policy(scope constructs.Construct) map[string]any {
	via := func(actions ...string) Statement {
		return Statement{
			Actions: actions, Resources: []string{"*"},
			Conditions: Conditions{
				"StringEquals": {"kms:ViaService": endpointOf(scope, "secretsmanager")},
				"StringLike":   {"kms:EncryptionContext:SecretARN": secretARNs(scope, p.Secrets)},
			},
		}
	}
	statements := administered(scope, p.Administrators)

	use := via("kms:Decrypt", "kms:GenerateDataKey")
	use.Sid, use.Principals = "UseThroughSecretsManager", []string{accountRoot(scope)}
	use.Conditions["StringEquals"]["kms:CallerAccount"] = account(scope)
	use.Conditions["StringLike"]["kms:EncryptionContext:SecretARN"] = slices.Concat(secretARNs(scope, p.Secrets), []string{"RequestToValidateKeyAccess"})
	look := Statement{
		Sid: "DescribeThroughSecretsManager", Principals: use.Principals, Actions: []string{"kms:DescribeKey"}, Resources: []string{"*"},
		Conditions: Conditions{"StringEquals": use.Conditions["StringEquals"]},
	}
	statements = append(statements, use, look)
	if len(p.Readers) > 0 {
		read := via("kms:Decrypt")
		read.Sid, read.Principals = "ReadThroughSecretsManager", p.Readers
		statements = append(statements, read)
	}
	return document(statements...)
}

// secretARNs are patterns of the ARNs of named secrets: six random characters follow a name.
func secretARNs(scope constructs.Construct, names []string) []string {
	all := make([]string, 0, len(names))
	for _, name := range names {
		if name[len(name)-1] != '*' {
			name += "-??????"
		}
		all = append(all, arn(scope, "secretsmanager", "secret:"+name))
	}
	return all
}

// RecordsKeyProps are the properties of the key for everything that is not a secret.
type RecordsKeyProps struct {
	Alias          string
	Administrators []string
	// Trail is the name of the trail whose records are encrypted, if there is one.
	Trail  string
	Delete bool
}

// NewRecordsKey makes the key of logs, queues, topics, tables and the trail. It is not the
// key of the secrets, so that who may read a log may not therefore decrypt a secret.
func NewRecordsKey(scope constructs.Construct, id string, p RecordsKeyProps) awskms.CfnKey {
	here := Conditions{"StringEquals": {"aws:SourceAccount": account(scope)}}
	statements := append(administered(scope, p.Administrators),
		Statement{
			Sid: "Logs", Services: []string{endpointOf(scope, "logs")}, Resources: []string{"*"},
			Actions:    []string{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"},
			Conditions: Conditions{"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn(scope, "logs", "log-group:*")}},
		},
		Statement{
			Sid: "EventsAndAlarms", Resources: []string{"*"}, Conditions: here,
			Services: []string{"cloudwatch.amazonaws.com", "events.amazonaws.com"},
			Actions:  []string{"kms:Decrypt", "kms:GenerateDataKey"},
		},
		Statement{
			Sid: "UseThroughServices", Principals: []string{accountRoot(scope)}, Resources: []string{"*"},
			Actions: []string{"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncrypt*"},
			Conditions: Conditions{"StringEquals": {
				"kms:ViaService": []string{
					endpointOf(scope, "dynamodb"), endpointOf(scope, "lambda"), endpointOf(scope, "s3"),
					endpointOf(scope, "sns"), endpointOf(scope, "sqs"),
				},
				"kms:CallerAccount": account(scope),
			}},
		},
	)
	if p.Trail != "" {
		trail := arn(scope, "cloudtrail", "trail/"+p.Trail)
		statements = append(statements,
			Statement{
				Sid: "Trail", Services: []string{"cloudtrail.amazonaws.com"}, Actions: []string{"kms:GenerateDataKey*"}, Resources: []string{"*"},
				Conditions: Conditions{
					"StringEquals": {"aws:SourceArn": trail},
					"StringLike":   {"kms:EncryptionContext:aws:cloudtrail:arn": fmt.Sprintf("arn:%s:cloudtrail:*:%s:trail/*", *awscdk.Stack_Of(scope).Partition(), account(scope))},
				},
			},
			Statement{
				Sid: "TrailDescribes", Services: []string{"cloudtrail.amazonaws.com"}, Actions: []string{"kms:DescribeKey"}, Resources: []string{"*"},
				Conditions: Conditions{"StringEquals": {"aws:SourceArn": trail}},
			},
		)
	}
	key := awskms.NewCfnKey(scope, jsii.String(id), &awskms.CfnKeyProps{
		Description: jsii.String("Logs, queues, tables and trail of " + p.Alias), EnableKeyRotation: true,
		PendingWindowInDays: jsii.Number(30), KeyPolicy: document(statements...),
	})
	retain(key, p.Delete)
	alias(scope, id, p.Alias, key.Ref())
	return key
}
