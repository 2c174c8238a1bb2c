// Package audit turns what AWS records of secrets into findings that a person or a SIEM can
// act on.
//
//	event, err := audit.Normalize(payload)             // from EventBridge, or a CloudTrail file
//	detector, err := audit.NewDetector(config, state)
//	findings := detector.Examine(ctx, &event, nil)     // for sinks
//
// An [Event] is a record reduced to named fields: nothing of a secret's value, of a token or
// of any other payload is copied into one, so that nothing of it can be forwarded. The
// catalogue of detections is data ([Catalogue]); the EventBridge rules that bring events here
// ([Rules]) and docs/detections.md are generated from it.
//
// The package does not speak to AWS, and does not log.
package audit

//go:generate go run ./generate
