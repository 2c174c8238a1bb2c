// Package cloudtrail writes, for the local Secrets Manager, the records that CloudTrail
// writes on AWS, and wraps them in the events that EventBridge makes of them.
//
//	bus, err := eventbus.New(…)
//	trail, err := cloudtrail.New(cloudtrail.Options{Put: bus.Put})
//	manager, err := secretsmanager.New(secretsmanager.Options{
//		OnCall: trail.Call, OnRotation: trail.Rotation, OnSecret: trail.Secret, OnLabels: trail.Labels,
//	})
//
// What is in a record is taken from the user guide
// (https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html)
// and from records that others have published, named beside the code. Where neither tells, a
// record has less rather than more: a rule that needs what may not be there would work
// here and fail on AWS.
//
// A secret's value cannot reach a record: the hooks of the local Secrets Manager leave out
// the members of requests that hold one, and an allow-list names, operation by operation and
// with its type, every member that is recorded.
package cloudtrail
