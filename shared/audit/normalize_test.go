package audit_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/shared/audit"
)

const (
	arn     = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf"
	version = "0b0c8a1a-497a-4758-a6fc-c046970dfb58"
)

var (
	begin  = time.Date(2026, 7, 15, 15, 20, 30, 0, time.UTC)
	secret = audit.Secret{ARN: arn, Name: "prod/db", Account: "123456789012", Region: "us-east-1"}
	named  = audit.Secret{Name: "prod/db", Account: "123456789012", Region: "us-east-1"}
)

// record is one with members beside those that every record has.
func record(name, members string) string {
	return `{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLEEXAMPLE00","arn":"arn:aws:iam::123456789012:user/alice","accountId":"123456789012","accessKeyId":"AKIAEXAMPLEEXAMPLE00","userName":"alice"},` +
		`"eventTime":"2026-07-15T15:20:30Z","eventSource":"secretsmanager.amazonaws.com","eventName":"` + name + `","awsRegion":"us-east-1","sourceIPAddress":"203.0.113.7","userAgent":"aws-cli/2.17.60",` +
		members + `"requestID":"r-1","eventID":"e-1","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management"}`
}

func event(detailType, detail string) string {
	return `{"version":"0","id":"b-1","detail-type":"` + detailType + `","source":"aws.secretsmanager","account":"123456789012","time":"2026-07-15T15:20:31Z","region":"us-east-1","resources":[],"detail":` + detail + `}`
}

func normalize(t *testing.T, text string) audit.Event {
	t.Helper()
	e, err := audit.Normalize([]byte(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return e
}

var alice = audit.Identity{
	Type: "IAMUser", Principal: "arn:aws:iam::123456789012:user/alice", ARN: "arn:aws:iam::123456789012:user/alice",
	Name: "alice", Account: "123456789012", AccessKeyID: "AKIAEXAMPLEEXAMPLE00",
}

func TestNormalizeCall(t *testing.T) {
	t.Parallel()
	text := record("DeleteSecret", `"requestParameters":{"secretId":"prod/db","forceDeleteWithoutRecovery":true},"responseElements":{"arn":"`+arn+`","name":"prod/db"},`)
	want := audit.Event{
		ID: "e-1", Time: begin, Kind: audit.Call, Source: audit.SecretsManager, Name: "DeleteSecret", Account: "123456789012", Region: "us-east-1",
		RequestID: "r-1", SourceIP: "203.0.113.7", UserAgent: "aws-cli/2.17.60", Actor: alice, Secret: secret, Request: audit.Request{ForceDelete: true},
	}
	quoted, _ := json.Marshal(text)
	for name, form := range map[string]string{
		"record": text,
		"event":  event("AWS API Call via CloudTrail", text),
		"lookup": `{"EventId":"x","EventName":"DeleteSecret","Resources":[{"ResourceName":"y"}],"CloudTrailEvent":` + string(quoted) + `,"Username":"alice"}`,
	} {
		if diff := cmp.Diff(want, normalize(t, form)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The places where a secret is named: see Log entries for Secret Manager operations in
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html
func TestNormalizeSecret(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]audit.Secret{
		`"requestParameters":{"secretId":"prod/db"},`:                                                                    named,
		`"requestParameters":{"secretId":"` + arn + `"},`:                                                                secret,
		`"requestParameters":{"secretId":"prod/db"},"responseElements":{"aRN":"` + arn + `"},`:                           secret,
		`"requestParameters":{"secretId":"prod/db"},"responseElements":{"ARN":"` + arn + `"},`:                           secret,
		`"requestParameters":null,"additionalEventData":{"SecretId":"` + arn + `"},`:                                     secret,
		`"requestParameters":null,"serviceEventDetails":{"secretId":"` + arn + `"},`:                                     secret,
		`"resources":[{"accountId":"123456789012","type":"AWS::KMS::Key","ARN":"arn:aws:kms:x"},{"ARN":"` + arn + `"}],`: secret,
		`"requestParameters":{"secretId":"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db"},`: {
			ARN: strings.TrimSuffix(arn, "-AbCdEf"), Name: "prod/db", Account: "123456789012", Region: "us-east-1",
		},
		`"requestParameters":{"secretId":"arn:aws-cn:secretsmanager:cn-north-1:210987654321:secret:x-AbCdEf"},`: {
			ARN: "arn:aws-cn:secretsmanager:cn-north-1:210987654321:secret:x-AbCdEf", Name: "x", Account: "210987654321", Region: "cn-north-1",
		},
		`"requestParameters":{"secretId":"not a name"},`:    {},
		`"requestParameters":{"secretId":["prod/db"]},`:     {},
		`"requestParameters":{"secretId":"arn:aws:s3::x"},`: {},
		`"requestParameters":null,`:                         {},
		``:                                                  {},
	} {
		e := normalize(t, record("GetSecretValue", members))
		if diff := cmp.Diff(want, e.Secret); diff != "" {
			t.Errorf("%s (-want +got):\n%s", members, diff)
		}
	}
	if e := normalize(t, record("CreateSecret", `"requestParameters":{"name":"new"},"responseElements":null,`)); e.Secret.Name != "new" {
		t.Errorf("CreateSecret is about %+v", e.Secret)
	}
	if named.Key() != secret.Key() || named.Key() == "" {
		t.Errorf("%q and %q are two secrets", named.Key(), secret.Key())
	}
}

// A failed rotation, as in records of 2021 that have been published: see local/cloudtrail.
func TestNormalizeServiceEvent(t *testing.T) {
	t.Parallel()
	function := "arn:aws:lambda:us-east-1:123456789012:function:rotate-rds"
	e := normalize(t, event("AWS Service Event via CloudTrail", `{"eventVersion":"1.11","userIdentity":{"accountId":"123456789012","invokedBy":"secretsmanager.amazonaws.com"},"eventTime":"2026-07-15T15:20:30Z","eventSource":"secretsmanager.amazonaws.com","eventName":"RotationFailed","awsRegion":"us-east-1","sourceIPAddress":"secretsmanager.amazonaws.com","userAgent":"secretsmanager.amazonaws.com","errorMessage":"Error when executing lambda `+function+` during setSecret step","requestParameters":null,"responseElements":null,"additionalEventData":{"SecretId":"`+arn+`"},"requestID":"Rotation-`+arn+`-`+version+`","eventID":"e-1","readOnly":false,"eventType":"AwsServiceEvent","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management"}`))
	want := audit.Event{
		ID: "e-1", Time: begin, Kind: audit.ServiceEvent, Source: audit.SecretsManager, Name: "RotationFailed", Account: "123456789012", Region: "us-east-1",
		RequestID: "Rotation-" + arn + "-" + version, SourceIP: "secretsmanager.amazonaws.com", UserAgent: "secretsmanager.amazonaws.com", Secret: secret,
		Actor:   audit.Identity{Principal: "secretsmanager.amazonaws.com", InvokedBy: "secretsmanager.amazonaws.com", Account: "123456789012"},
		Request: audit.Request{VersionID: version, Function: function, Step: "setSecret"},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNormalizeLabel(t *testing.T) {
	t.Parallel()
	text := event("Secret Label Updated", `{"name":"prod/db","labelUpdated":"AWSCURRENT","versionId":"`+version+`"}`)
	want := audit.Event{
		ID: "b-1", Time: begin.Add(time.Second), Kind: audit.LabelUpdated, Source: audit.SecretsManager, Name: "SecretLabelUpdated", Account: "123456789012",
		Region: "us-east-1", Secret: named, Request: audit.Request{VersionID: version, VersionStage: "AWSCURRENT"},
	}
	if diff := cmp.Diff(want, normalize(t, text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want.Secret = secret
	if diff := cmp.Diff(want, normalize(t, strings.Replace(text, `"resources":[]`, `"resources":["`+arn+`"]`, 1))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNormalizeRequest(t *testing.T) {
	t.Parallel()
	for parameters, want := range map[string]audit.Request{
		`{"secretId":"a","versionId":"` + version + `","versionStage":"AWSPENDING"}`:                                 {VersionID: version, VersionStage: "AWSPENDING"},
		`{"secretId":"a","versionStage":"AWSCURRENT","moveToVersionId":"` + version + `","removeFromVersionId":"x"}`: {VersionID: version, VersionStage: "AWSCURRENT"},
		`{"secretId":"a","clientRequestToken":"` + version + `","versionStages":["AWSCURRENT","blue"]}`:              {Stages: []string{"AWSCURRENT", "blue"}},
		`{"secretId":"a","recoveryWindowInDays":7}`:                                                                  {RecoveryDays: 7},
		`{"secretId":"a","kmsKeyId":"alias/x"}`:                                                                      {Key: "alias/x"},
		`{"secretId":"a","rotationLambdaARN":"arn:f","rotationRules":{"duration":"3h"}}`:                             {Function: "arn:f"},
		`{"secretId":"a","addReplicaRegions":[{"region":"eu-west-1","kmsKeyId":"k"},{"region":"eu-west-3"}]}`:        {Regions: []string{"eu-west-1", "eu-west-3"}},
		`{"secretId":"a","removeReplicaRegions":["eu-west-1"]}`:                                                      {Regions: []string{"eu-west-1"}},
		`{"filters":[{"key":"tag-key","values":["!never"]}]}`:                                                        {CatchAll: true},
		`{"filters":[{"key":"tag-key","values":["!never"]},{"values":["prod"],"key":"name"}]}`:                       {},
		`{"filters":[{"key":"tag-key","values":["team","!never"]}]}`:                                                 {},
		`{"filters":[]}`:             {},
		`{"secretIdList":["a","b"]}`: {},
		`{"secretId":"a","recoveryWindowInDays":"7","forceDeleteWithoutRecovery":"true","versionStages":"x","addReplicaRegions":{},"filters":{"values":["!"]}}`: {},
	} {
		e := normalize(t, record("X", `"requestParameters":`+parameters+`,`))
		if diff := cmp.Diff(want, e.Request); diff != "" {
			t.Errorf("%s (-want +got):\n%s", parameters, diff)
		}
	}
}

func TestNormalizeIdentity(t *testing.T) {
	t.Parallel()
	const account = "123456789012"
	role := `"sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA","arn":"arn:aws:iam::123456789012:role/team/app","accountId":"123456789012","userName":"app"},"attributes":{"creationDate":"2026-07-15T15:00:00Z","mfaAuthenticated":"false"},"sourceIdentity":"alice"}`
	for text, want := range map[string]audit.Identity{
		`{"type":"AssumedRole","principalId":"AROA:i-1","arn":"arn:aws:sts::123456789012:assumed-role/app/i-1","accountId":"123456789012","accessKeyId":"ASIAEXAMPLEEXAMPLE00",` + role + `}`: {
			Type: "AssumedRole", Principal: "arn:aws:iam::123456789012:role/team/app", ARN: "arn:aws:sts::123456789012:assumed-role/app/i-1", Name: "app", Session: "i-1",
			Account: account, SourceIdentity: "alice", AccessKeyID: "ASIAEXAMPLEEXAMPLE00",
		},
		`{"type":"AssumedRole","principalId":"AROA:i-1","arn":"arn:aws:sts::123456789012:assumed-role/app/i-1","accountId":"123456789012"}`: {
			Type: "AssumedRole", Principal: "arn:aws:iam::123456789012:role/app", ARN: "arn:aws:sts::123456789012:assumed-role/app/i-1", Name: "app", Session: "i-1", Account: account,
		},
		`{"type":"Root","principalId":"123456789012","arn":"arn:aws:iam::123456789012:root","accountId":"123456789012"}`: {
			Type: "Root", Principal: "arn:aws:iam::123456789012:root", ARN: "arn:aws:iam::123456789012:root", Account: account,
		},
		`{"type":"AWSService","invokedBy":"lambda.amazonaws.com"}`: {Type: "AWSService", Principal: "lambda.amazonaws.com", InvokedBy: "lambda.amazonaws.com"},
		`{"type":"FederatedUser","arn":"arn:aws:sts::123456789012:federated-user/bob","accountId":"123456789012","sessionContext":{"sessionIssuer":{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/alice","userName":"alice"}}}`: {
			Type: "FederatedUser", Principal: "arn:aws:iam::123456789012:user/alice", ARN: "arn:aws:sts::123456789012:federated-user/bob", Name: "alice", Session: "bob", Account: account,
		},
		`{"type":"WebIdentityUser","principalId":"x","userName":"bob","identityProvider":"accounts.google.com"}`: {
			Type: "WebIdentityUser", Principal: "accounts.google.com/bob", Name: "bob", Provider: "accounts.google.com",
		},
		`{"type":"AWSAccount","principalId":"AIDA","accountId":"210987654321"}`: {Type: "AWSAccount", Principal: "210987654321", Account: "210987654321"},
		`{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/alice","accountId":"123456789012","accessKeyId":"what anyone writes","userName":"alice","invokedBy":"AWS Internal"}`: {
			Type: "IAMUser", Principal: "arn:aws:iam::123456789012:user/alice", ARN: "arn:aws:iam::123456789012:user/alice", Name: "alice", Account: account, InvokedBy: "AWS Internal",
		},
	} {
		e := normalize(t, `{"eventTime":"2026-07-15T15:20:30Z","eventID":"e","eventSource":"secretsmanager.amazonaws.com","eventName":"X","recipientAccountId":"1","userIdentity":`+text+`}`)
		if diff := cmp.Diff(want, e.Actor); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if e.Actor.String() == "" {
			t.Errorf("%s has no name for people", text)
		}
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	whole := record("X", "")
	for _, text := range []string{
		"", "null", "[]", `"x"`, "{}", "{", whole[:100], whole + "{}", whole + "x", `{"eventName":"X"}`,
		strings.Replace(whole, "2026-07-15T15:20:30Z", "yesterday", 1), strings.Replace(whole, `"e-1"`, "17", 1),
		event("Scheduled Event", "{}"), event("Secret Label Updated", "[]")[1:], event("AWS API Call via CloudTrail", `"x"`),
	} {
		_, err := audit.Normalize([]byte(text))
		if !errors.Is(err, audit.ErrMalformed) || strings.Contains(err.Error(), "alice") {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}
