package cloudtrail_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/rekey-aws/rekey/local/cloudtrail"
	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// BenchmarkCall is what recording adds to one read: the record, the event, and matching it
// with one rule.
func BenchmarkCall(b *testing.B) {
	bus, err := eventbus.New(eventbus.Options{
		Invoker: eventbus.InvokerFunc(func(context.Context, string, []byte) ([]byte, error) { return nil, nil }),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = bus.Close(b.Context()) }()
	if err := bus.PutRule(eventbus.Rule{
		Name: "failed", Pattern: `{"source": ["aws.secretsmanager"], "detail": {"eventName": ["RotationFailed"]}}`,
		Targets: []eventbus.Target{{Function: "f"}},
	}); err != nil {
		b.Fatal(err)
	}
	trail, err := cloudtrail.New(cloudtrail.Options{Put: bus.Put})
	if err != nil {
		b.Fatal(err)
	}
	call := secretsmanager.Call{
		Operation: "GetSecretValue", Region: "us-east-1", Account: account, SecretARN: "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf",
		UserAgent: "aws-cli/2.17.60", AccessKeyID: "alice", SourceIP: "127.0.0.1", RequestID: "0b0c8a1a-497a-4758-a6fc-c046970dfb58", Status: 200, Start: begin,
		Parameters: map[string]json.RawMessage{"SecretId": json.RawMessage(`"prod/db"`)},
	}
	b.ReportAllocs()
	for b.Loop() {
		trail.Call(call)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
