package cloudtrail_test

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/eventbus"
)

// What is different in every run.
var changing = regexp.MustCompile(`"(requestID|eventID|userAgent)":"[^"]*"`)

func golden(t *testing.T, e eventbus.Event, want string) {
	t.Helper()
	var got, expected any
	if err := json.Unmarshal(changing.ReplaceAll(e.Detail, []byte(`"$1":"…"`)), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("the record is not as AWS writes it (-want +got):\n%s", diff)
	}
}

// The shape of a read: https://stratus-red-team.cloud/attack-techniques/AWS/aws.credential-access.secretsmanager-batch-retrieve-secrets/
// ("View raw detonation logs"), with the version of 2025.
func TestRecordOfARead(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	arn := w.create("prod/db")
	if _, err := w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: aws.String("prod/db"), VersionStage: aws.String("AWSCURRENT")}); err != nil {
		t.Fatal(err)
	}
	events := w.take()
	wantNames(t, events, "GetSecretValue")
	golden(t, events[0], `{
		"eventVersion": "1.11",
		"userIdentity": {"type": "IAMUser", "principalId": "AIDAW7LR2OB3SVL2TOWUY", "arn": "arn:aws:iam::123456789012:user/alice", "accountId": "123456789012", "accessKeyId": "alice", "userName": "alice"},
		"eventTime": "2026-07-15T15:20:30Z", "eventSource": "secretsmanager.amazonaws.com", "eventName": "GetSecretValue", "awsRegion": "us-east-1",
		"sourceIPAddress": "127.0.0.1", "userAgent": "…",
		"requestParameters": {"secretId": "prod/db", "versionStage": "AWSCURRENT"}, "responseElements": null,
		"requestID": "…", "eventID": "…", "readOnly": true, "eventType": "AwsApiCall", "managementEvent": true,
		"recipientAccountId": "123456789012", "eventCategory": "Management",
		"tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": "secretsmanager.us-east-1.amazonaws.com"}}`)
	e := events[0]
	if e.DetailType != "AWS API Call via CloudTrail" || e.Source != "aws.secretsmanager" || e.Account != account || e.Region != "us-east-1" ||
		len(e.Resources) != 0 || !e.Time.Equal(begin.Truncate(1e9)) || e.Version != "0" || len(e.ID) != 36 || strings.Contains(string(e.Detail), arn) {
		t.Errorf("the event around the record is %+v", e)
	}
}

// The shape of service events: records of RotationSucceeded and RotationFailed published in
// 2021, and facts of the user guide's monitoring-eventbridge.html.
func TestRecordOfAFailedRotation(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	arn := w.create("prod/db")
	w.rotate = func(e map[string]string) error {
		if e["Step"] == "setSecret" {
			return errFunction
		}
		return w.goodStep(context.Background(), e)
	}
	if _, err := w.RotateSecret(t.Context(), &api.RotateSecretInput{SecretId: &arn, RotationLambdaARN: aws.String(functionARN), ClientRequestToken: aws.String(second)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.manager.Wait(t.Context(), arn); err == nil {
		t.Fatal("the rotation succeeded")
	}
	events := w.take()
	// The rotation runs on its own: its end may be before the record of the call.
	last := events[slices.Index(names(t, events), "RotationFailed")]
	golden(t, last, `{
		"eventVersion": "1.11", "userIdentity": {"accountId": "123456789012", "invokedBy": "secretsmanager.amazonaws.com"},
		"eventTime": "2026-07-15T15:20:30Z", "eventSource": "secretsmanager.amazonaws.com", "eventName": "RotationFailed", "awsRegion": "us-east-1",
		"sourceIPAddress": "secretsmanager.amazonaws.com", "userAgent": "…",
		"errorMessage": "Error when executing lambda `+functionARN+` during setSecret step",
		"requestParameters": null, "responseElements": null, "additionalEventData": {"SecretId": "`+arn+`"},
		"requestID": "…", "eventID": "…", "readOnly": false, "eventType": "AwsServiceEvent", "managementEvent": true,
		"recipientAccountId": "123456789012", "eventCategory": "Management"}`)
	if last.DetailType != "AWS Service Event via CloudTrail" || len(last.Resources) != 0 {
		t.Errorf("the event around the record is %+v", last)
	}
	if want := "Rotation-" + arn + "-" + second; !strings.Contains(string(last.Detail), want) {
		t.Errorf("the request id is not %s", want)
	}
	for _, e := range events {
		if strings.Contains(string(e.Detail), "hunter2") {
			t.Errorf("what the function said is in %s", e.Detail)
		}
	}
}

// call is one operation, and what is recorded of it. ARN stands for the secret's.
type call struct {
	name       string
	do         func(context.Context, *api.Client, string) error
	parameters string
	response   string
}

// did drops an operation's reply.
func did[T any](_ T, err error) error { return err }

// Parameters have the members of the request, with a small first letter; a read has no
// response, a write the ARN: see parameters.go for the sources.
var calls = []call{
	{"CreateSecret", func(ctx context.Context, c *api.Client, _ string) error {
		return did(c.CreateSecret(ctx, &api.CreateSecretInput{
			Name: aws.String("prod/db"), SecretString: aws.String("s"), ClientRequestToken: aws.String(first), Description: aws.String("d"),
			Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
		}))
	}, `{"name": "prod/db", "clientRequestToken": "` + first + `", "description": "d", "tags": [{"key": "team", "value": "a"}]}`, `{"arn": "ARN"}`},
	{"DescribeSecret", func(ctx context.Context, c *api.Client, _ string) error {
		return did(c.DescribeSecret(ctx, &api.DescribeSecretInput{SecretId: aws.String("prod/db")}))
	}, `{"secretId": "prod/db"}`, `null`},
	{"PutSecretValue", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.PutSecretValue(ctx, &api.PutSecretValueInput{SecretId: &arn, SecretBinary: []byte("b"), ClientRequestToken: aws.String(second)}))
	}, `{"secretId": "ARN", "clientRequestToken": "` + second + `"}`, `{"arn": "ARN"}`},
	{"UpdateSecret", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.UpdateSecret(ctx, &api.UpdateSecretInput{SecretId: &arn, SecretString: aws.String("t"), Description: aws.String("e"), ClientRequestToken: aws.String(third)}))
	}, `{"secretId": "ARN", "clientRequestToken": "` + third + `", "description": "e"}`, `{"arn": "ARN"}`},
	{"UpdateSecretVersionStage", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.UpdateSecretVersionStage(ctx, &api.UpdateSecretVersionStageInput{
			SecretId: &arn, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: aws.String(second), RemoveFromVersionId: aws.String(third),
		}))
	}, `{"secretId": "ARN", "versionStage": "AWSCURRENT", "moveToVersionId": "` + second + `", "removeFromVersionId": "` + third + `"}`, `{"arn": "ARN"}`},
	{"ListSecrets", func(ctx context.Context, c *api.Client, _ string) error {
		return did(c.ListSecrets(ctx, &api.ListSecretsInput{
			MaxResults: aws.Int32(5), Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{"prod"}}},
		}))
	}, `{"maxResults": 5, "filters": [{"key": "name", "values": ["prod"]}]}`, `null`},
	{"ListSecretVersionIds", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.ListSecretVersionIds(ctx, &api.ListSecretVersionIdsInput{SecretId: &arn, IncludeDeprecated: aws.Bool(true)}))
	}, `{"secretId": "ARN", "includeDeprecated": true}`, `null`},
	{"GetRandomPassword", func(ctx context.Context, c *api.Client, _ string) error {
		return did(c.GetRandomPassword(ctx, &api.GetRandomPasswordInput{PasswordLength: aws.Int64(20), ExcludeCharacters: aws.String("x")}))
	}, `{"passwordLength": 20, "excludeCharacters": "x"}`, `null`},
	{"TagResource", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.TagResource(ctx, &api.TagResourceInput{SecretId: &arn, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))
	}, `{"secretId": "ARN", "tags": [{"key": "k", "value": "v"}]}`, `null`},
	{"UntagResource", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.UntagResource(ctx, &api.UntagResourceInput{SecretId: &arn, TagKeys: []string{"k"}}))
	}, `{"secretId": "ARN", "tagKeys": ["k"]}`, `null`},
	{"PutResourcePolicy", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.PutResourcePolicy(ctx, &api.PutResourcePolicyInput{SecretId: &arn, ResourcePolicy: aws.String(policy), BlockPublicPolicy: aws.Bool(true)}))
	}, `{"secretId": "ARN", "resourcePolicy": ` + quote(policy) + `, "blockPublicPolicy": true}`, `{"arn": "ARN"}`},
	{"GetResourcePolicy", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.GetResourcePolicy(ctx, &api.GetResourcePolicyInput{SecretId: &arn}))
	}, `{"secretId": "ARN"}`, `null`},
	{"ValidateResourcePolicy", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.ValidateResourcePolicy(ctx, &api.ValidateResourcePolicyInput{SecretId: &arn, ResourcePolicy: aws.String(policy)}))
	}, `{"secretId": "ARN", "resourcePolicy": ` + quote(policy) + `}`, `null`},
	{"DeleteResourcePolicy", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.DeleteResourcePolicy(ctx, &api.DeleteResourcePolicyInput{SecretId: &arn}))
	}, `{"secretId": "ARN"}`, `{"arn": "ARN"}`},
	{"RotateSecret", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.RotateSecret(ctx, &api.RotateSecretInput{
			SecretId: &arn, ClientRequestToken: aws.String(fourth), RotationLambdaARN: aws.String(functionARN),
			RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30), Duration: aws.String("3h")}, RotateImmediately: aws.Bool(true),
		}))
	}, `{"secretId": "ARN", "clientRequestToken": "` + fourth + `", "rotationLambdaARN": "` + functionARN + `", "rotationRules": {"automaticallyAfterDays": 30, "duration": "3h"}, "rotateImmediately": true}`, `{"arn": "ARN"}`},
	{"CancelRotateSecret", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.CancelRotateSecret(ctx, &api.CancelRotateSecretInput{SecretId: &arn}))
	}, `{"secretId": "ARN"}`, `{"arn": "ARN"}`},
	{"ReplicateSecretToRegions", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.ReplicateSecretToRegions(ctx, &api.ReplicateSecretToRegionsInput{
			SecretId: &arn, AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("eu-west-1")}}, ForceOverwriteReplicaSecret: true,
		}))
	}, `{"secretId": "ARN", "addReplicaRegions": [{"region": "eu-west-1"}], "forceOverwriteReplicaSecret": true}`, `{"arn": "ARN"}`},
	{"RemoveRegionsFromReplication", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.RemoveRegionsFromReplication(ctx, &api.RemoveRegionsFromReplicationInput{SecretId: &arn, RemoveReplicaRegions: []string{"eu-west-1"}}))
	}, `{"secretId": "ARN", "removeReplicaRegions": ["eu-west-1"]}`, `{"arn": "ARN"}`},
	{"DeleteSecret", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.DeleteSecret(ctx, &api.DeleteSecretInput{SecretId: &arn, RecoveryWindowInDays: aws.Int64(7)}))
	}, `{"secretId": "ARN", "recoveryWindowInDays": 7}`, `{"arn": "ARN"}`},
	{"RestoreSecret", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.RestoreSecret(ctx, &api.RestoreSecretInput{SecretId: &arn}))
	}, `{"secretId": "ARN"}`, `{"arn": "ARN"}`},
	{"DeleteSecret", func(ctx context.Context, c *api.Client, arn string) error {
		return did(c.DeleteSecret(ctx, &api.DeleteSecretInput{SecretId: &arn, ForceDeleteWithoutRecovery: aws.Bool(true)}))
	}, `{"secretId": "ARN", "forceDeleteWithoutRecovery": true}`, `{"arn": "ARN"}`},
}

const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestRecordsOfEveryOperation(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	arn := ""
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			w.take()
			if err := c.do(t.Context(), w.Client, arn); err != nil {
				t.Fatal(err)
			}
			for _, r := range records(t, w.take()) {
				if r.EventName != c.name {
					continue
				}
				if arn == "" {
					arn, _ = r.ResponseElements["arn"].(string)
				}
				sameJSON(t, "requestParameters", r.RequestParameters, strings.ReplaceAll(c.parameters, `"ARN"`, quote(arn)))
				sameJSON(t, "responseElements", r.ResponseElements, strings.ReplaceAll(c.response, `"ARN"`, quote(arn)))
				if readOnly := c.response == "null" && !strings.HasSuffix(c.name, "Resource"); r.ReadOnly != readOnly {
					t.Errorf("readOnly is %t", r.ReadOnly)
				}
				return
			}
			t.Error("there is no record of it")
		})
		if c.name == "RotateSecret" {
			_, _ = w.manager.Wait(t.Context(), arn) // it fails: finishSecret expects another version
		}
	}
}

func sameJSON(t *testing.T, what string, got map[string]any, want string) {
	t.Helper()
	var expected, have any
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(got)
	if err != nil || json.Unmarshal(b, &have) != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expected, have); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
