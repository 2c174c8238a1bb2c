package eventbus

import (
	"fmt"
	"testing"
)

// record is an event of the usual size: an API call by a role, as CloudTrail has it.
const record = `{"version":"0","id":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","detail-type":"AWS API Call via CloudTrail","source":"aws.secretsmanager","account":"123456789012","time":"2026-07-15T15:20:30Z","region":"us-east-1","resources":[],"detail":{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLEEXAMPLEEXA:session","arn":"arn:aws:sts::123456789012:assumed-role/app/session","accountId":"123456789012","accessKeyId":"ASIAEXAMPLEEXAMPLE00","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLEEXAMPLEEXA","arn":"arn:aws:iam::123456789012:role/app","accountId":"123456789012","userName":"app"},"attributes":{"creationDate":"2026-07-15T15:00:00Z","mfaAuthenticated":"false"}}},"eventTime":"2026-07-15T15:20:30Z","eventSource":"secretsmanager.amazonaws.com","eventName":"DeleteSecret","awsRegion":"us-east-1","sourceIPAddress":"10.1.2.3","userAgent":"aws-cli/2.17.60","requestParameters":{"secretId":"prod/db","forceDeleteWithoutRecovery":true},"responseElements":{"arn":"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf"},"requestID":"0b0c8a1a-497a-4758-a6fc-c046970dfb58","eventID":"f1a49924-6ba3-4340-9d21-bc98f090fc09","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"secretsmanager.us-east-1.amazonaws.com"}}}`

func benchPatterns(n int) []string {
	patterns := []string{
		`{"source":["aws.secretsmanager"],"detail":{"eventName":["DeleteSecret"],"requestParameters":{"forceDeleteWithoutRecovery":[true]}}}`,
		`{"source":["aws.secretsmanager"],"detail":{"eventName":["RotationFailed","RotationAbandoned"]}}`,
		`{"source":["aws.secretsmanager"],"detail":{"eventName":[{"wildcard":"*Secret*"}],"errorCode":[{"exists":false}],"userIdentity":{"arn":[{"anything-but":{"wildcard":"*:assumed-role/rotation-*/*"}}]}}}`,
		`{"detail":{"sourceIPAddress":[{"cidr":"192.168.0.0/16"}]}}`,
		`{"$or":[{"source":["aws.kms"]},{"detail":{"eventSource":["kms.amazonaws.com"]}}]}`,
	}
	all := make([]string, n)
	for i := range all {
		all[i] = patterns[i%len(patterns)]
	}
	return all
}

// BenchmarkMatch is one event, from its text, against all the rules of a bus, on one core.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1, 10, 30} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			bus, err := New(Options{Invoker: &function{}})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = bus.Close(b.Context()) }()
			for i, p := range benchPatterns(n) {
				if err := bus.PutRule(Rule{Name: fmt.Sprint(i), Pattern: p, Targets: []Target{{Function: "f"}}}); err != nil {
					b.Fatal(err)
				}
			}
			text := []byte(record)
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := bus.match(text); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
