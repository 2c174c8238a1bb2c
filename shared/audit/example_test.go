package audit_test

import (
	"context"
	"fmt"

	"github.com/rekey-aws/rekey/shared/audit"
)

func Example() {
	detector, err := audit.NewDetector(audit.Config{
		RotationRoles: []string{"arn:aws:iam::123456789012:role/rekey-*"},
	}, audit.NewMemory())
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := audit.Normalize([]byte(`{
		"eventID": "f1a49924-6ba3-4340-9d21-bc98f090fc09", "eventTime": "2026-07-15T15:20:30Z", "eventType": "AwsApiCall",
		"eventSource": "secretsmanager.amazonaws.com", "eventName": "DeleteSecret", "awsRegion": "us-east-1", "recipientAccountId": "123456789012",
		"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/alice", "userName": "alice"},
		"requestParameters": {"secretId": "prod/db", "forceDeleteWithoutRecovery": true}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range detector.Examine(context.Background(), &event, nil) {
		fmt.Printf("%s: %s\n%s\n", f.Detection.Severity, f.Sentence(), f.Detection.Playbook())
	}
	// Output:
	// critical: Secret deleted without recovery: prod/db, DeleteSecret by user alice
	// docs/playbooks/forced-delete.md
}
