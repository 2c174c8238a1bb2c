package config

// Alerts is who is told of findings and failures.
type Alerts struct {
	// Destinations by name.
	Destinations map[Name]Destination `json:"destinations,omitempty"`
}

// Destination is one way to tell someone: one of the kinds below. Addresses and keys of
// services are in Secrets Manager, not in this file: docs/alerts.md says in which form.
type Destination struct {
	// Severity from which on it is told. Without it: medium.
	Severity Severity `json:"severity,omitempty"`
	// SNS topic that exists.
	SNS *SNS `json:"sns,omitempty"`
	// Email by a topic that is made. Each recipient confirms once.
	Email *Email `json:"email,omitempty"`
	// Slack by an incoming webhook, whose address is in the secret.
	Slack *Sealed `json:"slack,omitempty"`
	// Teams by a workflow's webhook, whose address is in the secret.
	Teams *Sealed `json:"teams,omitempty"`
	// PagerDuty by Events v2, whose routing key is in the secret.
	PagerDuty *Sealed `json:"pagerDuty,omitempty"`
	// Webhook of your own, signed; address and signing key are in the secret.
	Webhook *Sealed `json:"webhook,omitempty"`
	// AWS Security Hub of the account.
	SecurityHub *SecurityHub `json:"securityHub,omitempty"`
	// Firehose delivers findings as OCSF.
	Firehose *Firehose `json:"firehose,omitempty"`
}

// Severity of a finding.
type Severity string

// The severities.
const (
	Informational Severity = "informational"
	Low           Severity = "low"
	Medium        Severity = "medium"
	High          Severity = "high"
	Critical      Severity = "critical"
)

// SNS is a topic that exists.
type SNS struct {
	// Topic by its ARN.
	Topic ARN `json:"topic"`
	// Key that encrypts the topic, by its ARN.
	Key ARN `json:"key,omitempty"`
}

// Email is a topic with recipients.
type Email struct {
	// Addresses of the recipients.
	Addresses []EmailAddress `json:"addresses" jsonschema:"minItems=1,uniqueItems=true"`
}

// Sealed is a service whose address or key is in a secret.
type Sealed struct {
	// Secret by its full ARN.
	Secret ARN `json:"secret"`
	// Key that encrypts the secret, if it is not aws/secretsmanager.
	Key ARN `json:"key,omitempty"`
}

// SecurityHub has no settings: write {}.
type SecurityHub struct{}

// Firehose is a delivery stream that exists.
type Firehose struct {
	// Stream by its ARN.
	Stream ARN `json:"stream"`
}

// Audit is what is recorded, and what is looked for.
type Audit struct {
	// Trail of CloudTrail that the detections read.
	Trail Trail `json:"trail,omitzero"`
	// Regions that secrets may be replicated to, beside those of this file.
	ApprovedRegions []Region `json:"approvedRegions,omitempty"`
	// Decoys: names of secrets that nobody has a reason to read.
	Decoys []SecretName `json:"decoys,omitempty"`
	// Dashboard in CloudWatch.
	Dashboard bool `json:"dashboard,omitempty"`
}

// Trail is a multi-Region trail that is made, or one that exists.
type Trail struct {
	// Existing trail, such as the organization's: none is made.
	Existing *ExistingTrail `json:"existing,omitempty"`
	// Retention of the records in the bucket.
	Retention Duration `json:"retention,omitempty"`
	// ObjectLock: records cannot be changed or deleted for so long.
	ObjectLock *ObjectLock `json:"objectLock,omitempty"`
}

// ExistingTrail is a trail that the deployment does not own. It must record read-only
// management events in every Region of this file.
type ExistingTrail struct {
	// Trail by its ARN.
	Trail ARN `json:"trail"`
	// Log group that it delivers to, in this account: counting detections need it.
	LogGroup string `json:"logGroup,omitempty" jsonschema:"minLength=1"`
}

// ObjectLock of the trail's bucket.
type ObjectLock struct {
	// Mode: governance can be lifted by those with a permission for it, compliance by nobody.
	Mode LockMode `json:"mode"`
	// Days that it lasts.
	Days int `json:"days" jsonschema:"minimum=1,maximum=36500"`
}

// LockMode of S3 Object Lock.
type LockMode string

// The modes.
const (
	Governance LockMode = "governance"
	Lock       LockMode = "compliance"
)
