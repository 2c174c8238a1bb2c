package rekey

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudtrail"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// AuditTrailProps are the properties of a trail.
type AuditTrailProps struct {
	// Name of the trail.
	Name          string
	RecordsKeyARN string
	// Days that the bucket keeps records.
	Days int
	// LogRetention in days, of the copy in CloudWatch Logs.
	LogRetention int
	// Lock: records cannot be changed or deleted for so many days. Zero days: no lock.
	Lock ObjectLock
	// Delete the bucket when the trail leaves the template. It must be empty then.
	Delete bool
}

// ObjectLock is a mode of S3 Object Lock, GOVERNANCE or COMPLIANCE, and its days.
type ObjectLock struct {
	Mode string
	Days int
}

// AuditTrail is a multi-Region trail of management events, in a bucket and a log group.
type AuditTrail struct {
	Construct             constructs.Construct
	ARN, Bucket, LogGroup string
}

// NewAuditTrail makes a trail whose records are encrypted, validated, and kept.
func NewAuditTrail(scope constructs.Construct, id string, p AuditTrailProps) *AuditTrail {
	t := &AuditTrail{LogGroup: "/" + p.Name + "/cloudtrail"}
	t.Construct = constructs.NewConstruct(scope, &id)
	t.ARN = arn(t.Construct, "cloudtrail", "trail/"+p.Name)
	bucket, policy := t.bucket(p)
	t.Bucket = *bucket.Ref()
	group := logGroup(t.Construct, "Logs", t.LogGroup, p.RecordsKeyARN, p.LogRetention, p.Delete)
	stream := arn(t.Construct, "logs", "log-group:"+t.LogGroup+":log-stream:"+account(t.Construct)+"_CloudTrail_"+region(t.Construct)+"*")
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
	writer := role(t.Construct, "Role", "", "CloudTrail writes "+t.LogGroup, Statement{
		Services:   []string{"cloudtrail.amazonaws.com"},
		Conditions: Conditions{"StringEquals": {"aws:SourceArn": t.ARN}},
	}, namedPolicy{"Policy", "Log streams of the trail", []Statement{
		{
			Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resources: []string{stream},
			Wide: "CloudTrail puts an ending of its own to the name of its stream.",
		},
	}})
	trail := awscloudtrail.NewCfnTrail(t.Construct, jsii.String("Trail"), &awscloudtrail.CfnTrailProps{
		TrailName: &p.Name, S3BucketName: t.Bucket, KmsKeyId: p.RecordsKeyARN,
		IsLogging: true, IsMultiRegionTrail: true, IncludeGlobalServiceEvents: true, EnableLogFileValidation: true,
		CloudWatchLogsLogGroupArn: group.AttrArn(), CloudWatchLogsRoleArn: writer.AttrArn(),
		AdvancedEventSelectors: []any{map[string]any{
			"name":           "Management events, reads too",
			"fieldSelectors": []any{map[string]any{"field": "eventCategory", "equalTo": []string{"Management"}}},
		}},
	})
	trail.AddResourceDependency(policy, nil)
	retain(trail, p.Delete)
	return t
}

func (t *AuditTrail) bucket(p AuditTrailProps) (awss3.CfnBucket, awscdk.CfnResource) {
	access := t.accessLogs(p)
	rules := []any{map[string]any{
		"id": "Expire", "status": "Enabled", "expirationInDays": p.Days,
		"noncurrentVersionExpiration":    map[string]any{"noncurrentDays": 30},
		"abortIncompleteMultipartUpload": map[string]any{"daysAfterInitiation": 7},
		"transitions":                    transitions(p.Days),
	}}
	props := &awss3.CfnBucketProps{
		BucketEncryption: map[string]any{"serverSideEncryptionConfiguration": []any{map[string]any{
			"bucketKeyEnabled":              true,
			"serverSideEncryptionByDefault": map[string]any{"sseAlgorithm": "aws:kms", "kmsMasterKeyId": p.RecordsKeyARN},
		}}},
		VersioningConfiguration:        map[string]any{"status": "Enabled"},
		PublicAccessBlockConfiguration: noPublicAccess(),
		OwnershipControls:              bucketOwner(),
		LifecycleConfiguration:         map[string]any{"rules": rules},
		LoggingConfiguration:           map[string]any{"destinationBucketName": access.Ref(), "logFilePrefix": "trail/"},
	}
	if p.Lock.Days > 0 {
		props.ObjectLockEnabled = true
		props.ObjectLockConfiguration = map[string]any{
			"objectLockEnabled": "Enabled",
			"rule":              map[string]any{"defaultRetention": map[string]any{"mode": p.Lock.Mode, "days": p.Lock.Days}},
		}
	}
	bucket := awss3.NewCfnBucket(t.Construct, jsii.String("Bucket"), props)
	retain(bucket, p.Delete)
	accept(bucket, noReplication, replicationRules...)
	write := Statement{
		Sid: "TrailWrites", Services: []string{"cloudtrail.amazonaws.com"}, Actions: []string{"s3:PutObject"},
		Resources:  []string{fmt.Sprintf("%s/AWSLogs/%s/*", *bucket.AttrArn(), account(t.Construct))},
		Conditions: Conditions{"StringEquals": {"aws:SourceArn": t.ARN, "s3:x-amz-acl": "bucket-owner-full-control"}},
	}
	check := Statement{
		Sid: "TrailChecks", Services: write.Services, Actions: []string{"s3:GetBucketAcl"}, Resources: []string{*bucket.AttrArn()},
		Conditions: Conditions{"StringEquals": {"aws:SourceArn": t.ARN}},
	}
	policy := awss3.NewCfnBucketPolicy(t.Construct, jsii.String("BucketPolicy"), &awss3.CfnBucketPolicyProps{
		Bucket:         bucket.Ref(),
		PolicyDocument: document(check, write, onlyWithTLS("s3:*", *bucket.AttrArn(), *bucket.AttrArn()+"/*")),
	})
	return bucket, policy
}

// accessLogs is the bucket for the log of who read the trail's records. S3 writes such logs
// with its own encryption only:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
func (t *AuditTrail) accessLogs(p AuditTrailProps) awss3.CfnBucket {
	bucket := awss3.NewCfnBucket(t.Construct, jsii.String("AccessLogs"), &awss3.CfnBucketProps{
		BucketEncryption: map[string]any{"serverSideEncryptionConfiguration": []any{map[string]any{
			"serverSideEncryptionByDefault": map[string]any{"sseAlgorithm": "AES256"},
		}}},
		VersioningConfiguration:        map[string]any{"status": "Enabled"},
		PublicAccessBlockConfiguration: noPublicAccess(),
		OwnershipControls:              bucketOwner(),
		LifecycleConfiguration: map[string]any{"rules": []any{map[string]any{
			"id": "Expire", "status": "Enabled", "expirationInDays": p.Days,
			"noncurrentVersionExpiration": map[string]any{"noncurrentDays": 30},
		}}},
	})
	retain(bucket, p.Delete)
	accept(bucket, noReplication, replicationRules...)
	accept(bucket, "S3 delivers server access logs to buckets with its own encryption only.", bucketKeyRules...)
	accept(bucket, "It is the bucket of access logs; a log of its own would never end.", "AwsSolutions-S1",
		"HIPAA.Security-S3BucketLoggingEnabled", "NIST.800.53.R5-S3BucketLoggingEnabled", "PCI.DSS.321-S3BucketLoggingEnabled")
	awss3.NewCfnBucketPolicy(t.Construct, jsii.String("AccessLogsPolicy"), &awss3.CfnBucketPolicyProps{
		Bucket: bucket.Ref(),
		PolicyDocument: document(
			Statement{
				Sid: "S3Writes", Services: []string{"logging.s3.amazonaws.com"}, Actions: []string{"s3:PutObject"},
				Resources:  []string{*bucket.AttrArn() + "/trail/*"},
				Conditions: Conditions{"StringEquals": {"aws:SourceAccount": account(t.Construct)}},
			},
			onlyWithTLS("s3:*", *bucket.AttrArn(), *bucket.AttrArn()+"/*"),
		),
	})
	return bucket
}

const noReplication = "A second copy in another account is the work of an organization's trail, which audit.trail.existing uses. Here versions, validation and, if asked for, object lock keep the records."

// transitions move records that are hardly read any more to cheaper storage.
func transitions(days int) []any {
	if days <= 120 {
		return nil
	}
	return []any{map[string]any{"storageClass": "GLACIER_IR", "transitionInDays": 90}}
}

func noPublicAccess() map[string]any {
	return map[string]any{"blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true, "restrictPublicBuckets": true}
}

func bucketOwner() map[string]any {
	return map[string]any{"rules": []any{map[string]any{"objectOwnership": "BucketOwnerEnforced"}}}
}
