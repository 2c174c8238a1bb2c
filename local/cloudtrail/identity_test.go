package cloudtrail

import (
	"encoding/json"
	"testing"
	"time"
)

// The types and fields of
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func TestIdentities(t *testing.T) {
	at := time.Date(2026, 7, 15, 15, 20, 30, 5, time.UTC)
	for _, c := range []struct{ principal, want string }{
		{"arn:aws:iam::123456789012:user/team/alice", `{"type":"IAMUser","principalId":"AIDA6YCPCBRIDLKNEVXAE","arn":"arn:aws:iam::123456789012:user/team/alice","accountId":"123456789012","accessKeyId":"key","userName":"alice"}`},
		{"arn:aws:iam::123456789012:root", `{"type":"Root","principalId":"123456789012","arn":"arn:aws:iam::123456789012:root","accountId":"123456789012","accessKeyId":"key"}`},
		{"arn:aws:sts::123456789012:assumed-role/app/i-1", `{"type":"AssumedRole","principalId":"AROAX:i-1","arn":"arn:aws:sts::123456789012:assumed-role/app/i-1","accountId":"123456789012","accessKeyId":"key","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAX","arn":"arn:aws:iam::123456789012:role/app","accountId":"123456789012","userName":"app"},"attributes":{"creationDate":"2026-07-15T15:20:30Z","mfaAuthenticated":"false"}}}`},
		{"arn:aws:iam::123456789012:role/path/app", `{"type":"AssumedRole","principalId":"AROAX:local","arn":"arn:aws:sts::123456789012:assumed-role/app/local","accountId":"123456789012","accessKeyId":"key","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAX","arn":"arn:aws:iam::123456789012:role/path/app","accountId":"123456789012","userName":"app"},"attributes":{"creationDate":"2026-07-15T15:20:30Z","mfaAuthenticated":"false"}}}`},
		{"lambda.amazonaws.com", `{"type":"AWSService","invokedBy":"lambda.amazonaws.com"}`},
		{"", `{"type":"Unknown","accessKeyId":"key"}`},
	} {
		id := identify(c.principal, "key", at)
		if s := id.SessionContext; s != nil { // the same in both places, and told apart above
			if n := len(s.SessionIssuer.PrincipalID); n != 21 || id.PrincipalID[:n] != s.SessionIssuer.PrincipalID {
				t.Errorf("%s: the ids %s and %s", c.principal, id.PrincipalID, s.SessionIssuer.PrincipalID)
			}
			id.PrincipalID = "AROAX" + id.PrincipalID[21:]
			s.SessionIssuer.PrincipalID = "AROAX"
		}
		got, err := json.Marshal(id)
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.principal, got, c.want)
		}
	}
}

func TestDefaultPrincipals(t *testing.T) {
	for _, c := range []struct{ key, region, want string }{
		{"alice", "us-east-1", "arn:aws:iam::1:user/alice"},
		{"AKIAIOSFODNN7EXAMPLE", "cn-north-1", "arn:aws-cn:iam::1:user/AKIAIOSFODNN7EXAMPLE"},
		{"ASIAIOSFODNN7EXAMPLE", "us-gov-west-1", "arn:aws-us-gov:sts::1:assumed-role/local/ASIAIOSFODNN7EXAMPLE"},
		{"root", "us-east-1", "arn:aws:iam::1:root"},
		{"rds.amazonaws.com", "us-east-1", "rds.amazonaws.com"},
		{"a/b:c d", "us-east-1", "arn:aws:iam::1:user/a_b_c_d"},
		{"", "us-east-1", ""},
	} {
		if got := DefaultPrincipal("1", c.key, c.region); got != c.want {
			t.Errorf("%q in %s: got %q, want %q", c.key, c.region, got, c.want)
		}
	}
}
