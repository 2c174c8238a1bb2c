package cloudtrail_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/local/cloudtrail"
	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html:
// "a CloudTrail GetSecretValue log entry for each secret".
func TestBatchHasARecordForEachSecret(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	a, b := w.create("a"), w.create("b")
	if _, err := w.BatchGetSecretValue(t.Context(), &api.BatchGetSecretValueInput{SecretIdList: []string{"a", "b", "missing"}}); err != nil {
		t.Fatal(err)
	}
	events := w.take()
	wantNames(t, events, "BatchGetSecretValue", "GetSecretValue", "GetSecretValue")
	r := records(t, events)
	sameJSON(t, "requestParameters", r[0].RequestParameters, `{"secretIdList": ["a", "b", "missing"]}`)
	for i, arn := range []string{a, b} {
		sameJSON(t, "requestParameters", r[i+1].RequestParameters, `{"secretId": "`+arn+`"}`)
		if r[i+1].RequestID != r[0].RequestID || r[i+1].EventID == r[0].EventID || !r[i+1].ReadOnly || r[i+1].ResponseElements != nil {
			t.Errorf("the record of %s is %+v", arn, r[i+1])
		}
	}
	if _, err := w.BatchGetSecretValue(t.Context(), &api.BatchGetSecretValueInput{
		Filters: []types.Filter{{Key: types.FilterNameStringTypeTagKey, Values: []string{"!never"}}},
	}); err != nil {
		t.Fatal(err)
	}
	// The catch-all, as in https://stratus-red-team.cloud/attack-techniques/AWS/aws.credential-access.secretsmanager-batch-retrieve-secrets/
	sameJSON(t, "requestParameters", records(t, w.take())[0].RequestParameters, `{"filters": [{"key": "tag-key", "values": ["!never"]}]}`)
}

func TestErrors(t *testing.T) {
	denied := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
	w := newWorld(t, func(o *secretsmanager.Options) {
		o.Callers = map[string]secretsmanager.Caller{"bob": {Principal: "arn:aws:sts::123456789012:assumed-role/app/i-1"}}
	})
	defer w.close()
	arn := w.create("a")
	if _, err := w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: aws.String("b")}); err == nil {
		t.Fatal("read what is not there")
	}
	r := records(t, w.take())[0]
	if r.ErrorCode != "ResourceNotFoundException" || r.ErrorMessage != "Secrets Manager can't find the specified secret." || r.RequestParameters["secretId"] != "b" {
		t.Errorf("not found: %+v", r)
	}
	if _, err := w.PutResourcePolicy(t.Context(), &api.PutResourcePolicyInput{SecretId: &arn, ResourcePolicy: &denied}); err != nil {
		t.Fatal(err)
	}
	w.take()
	if _, err := w.as("bob", "us-east-1").GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: &arn}); err == nil {
		t.Fatal("a read that a policy denies succeeded")
	}
	r = records(t, w.take())[0]
	// errorCode without the usual ending: the rules for denied reads in
	// https://github.com/panther-labs/panther-analysis look for AccessDenied.
	if r.ErrorCode != "AccessDenied" || !strings.Contains(r.ErrorMessage, "is not authorized to perform: secretsmanager:GetSecretValue") || r.RequestParameters != nil {
		t.Errorf("denied: %+v", r)
	}
	id := r.UserIdentity
	if id.Type != "AssumedRole" || id.SessionContext == nil || id.SessionContext.SessionIssuer.UserName != "app" || !strings.HasSuffix(id.PrincipalID, ":i-1") {
		t.Errorf("the caller is %+v", id)
	}
}

func TestCallsThatLoseTheirReply(t *testing.T) {
	w := newWorld(t, func(o *secretsmanager.Options) {
		o.Fault = func(operation string, _ int) secretsmanager.Fault {
			if operation == "PutSecretValue" {
				return secretsmanager.Fault{Kind: secretsmanager.LoseReply}
			}
			return secretsmanager.Fault{}
		}
	})
	defer w.close()
	arn := w.create("a")
	if _, err := w.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: &arn, SecretString: aws.String("x"), ClientRequestToken: aws.String(second)}); err == nil {
		t.Fatal("the reply was not lost")
	}
	events := w.take()
	wantNames(t, events, "AWSCURRENT", "PutSecretValue")
	if r := records(t, events)[0]; r.ErrorCode != "" || r.ResponseElements["arn"] != arn {
		t.Errorf("the record is %+v", r)
	}
}

func TestNoRecordOfWhatIsNoCall(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	for _, target := range []string{"", "secretsmanager.Nonsense", "secretsmanager.GetSecretValue"} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"SecretId": `))
		r.Header.Set("X-Amz-Target", target)
		rec := httptest.NewRecorder()
		w.manager.ServeHTTP(rec, r)
		if rec.Code != http.StatusBadRequest {
			t.Errorf("%q was answered with status %d", target, rec.Code)
		}
	}
	wantNames(t, w.take())
}

// https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html
func TestLabels(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	arn := w.create("mySecret")
	put := func(token string, stages ...string) {
		t.Helper()
		if _, err := w.PutSecretValue(t.Context(), &api.PutSecretValueInput{
			SecretId: &arn, SecretString: aws.String("v" + token), ClientRequestToken: &token, VersionStages: stages,
		}); err != nil {
			t.Fatal(err)
		}
	}
	put(second)
	events := w.take()
	wantNames(t, events, "AWSCURRENT", "PutSecretValue")
	e := events[0]
	if e.DetailType != "Secret Label Updated" || e.Source != "aws.secretsmanager" || !slices.Equal(e.Resources, []string{arn}) || e.Account != account ||
		string(e.Detail) != `{"name":"mySecret","labelUpdated":"AWSCURRENT","versionId":"`+second+`"}` {
		t.Errorf("the event is %+v with %s", e, e.Detail)
	}
	put(second) // again: nothing moves
	wantNames(t, w.take(), "PutSecretValue")
	put(third, "AWSPENDING", "blue")
	wantNames(t, w.take(), "blue", "PutSecretValue")
	if _, err := w.UpdateSecret(t.Context(), &api.UpdateSecretInput{SecretId: &arn, Description: aws.String("no value")}); err != nil {
		t.Fatal(err)
	}
	wantNames(t, w.take(), "UpdateSecret")
	if _, err := w.UpdateSecretVersionStage(t.Context(), &api.UpdateSecretVersionStageInput{SecretId: &arn, VersionStage: aws.String("blue"), RemoveFromVersionId: aws.String(third)}); err != nil {
		t.Fatal(err)
	}
	wantNames(t, w.take(), "UpdateSecretVersionStage")
	if _, err := w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("new"), SecretString: aws.String("v")}); err != nil {
		t.Fatal(err)
	}
	wantNames(t, w.take(), "CreateSecret")
}

func TestRotations(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	arn := w.create("a")
	rotate := func(token string, immediately bool) error {
		t.Helper()
		if _, err := w.RotateSecret(t.Context(), &api.RotateSecretInput{
			SecretId: &arn, RotationLambdaARN: aws.String(functionARN), ClientRequestToken: &token, RotateImmediately: &immediately,
		}); err != nil {
			t.Fatal(err)
		}
		_, err := w.manager.Wait(t.Context(), arn)
		return err
	}
	sorted := func() []string { n := names(t, w.take()); slices.Sort(n); return n }
	want := func(expected ...string) {
		t.Helper()
		if got := sorted(); !slices.Equal(got, expected) {
			t.Errorf("events %v\nwant   %v", got, expected)
		}
	}
	if err := rotate(fourth, false); err != nil {
		t.Fatal(err)
	}
	want("RotateSecret", "TestRotationStarted", "TestRotationSucceeded")
	if err := rotate(second, true); err != nil {
		t.Fatal(err)
	}
	want("AWSCURRENT", "PutSecretValue", "RotateSecret", "RotationStarted", "RotationSucceeded", "UpdateSecretVersionStage")

	w.rotate = func(map[string]string) error { return errFunction }
	if err := rotate(third, true); err == nil {
		t.Fatal("the rotation succeeded")
	}
	want("RotateSecret", "RotationFailed", "RotationStarted")

	// "When you manually create a new version of a secret … Secrets Manager removes the
	// AWSPENDING label": monitoring-cloudtrail_entries.html of the user guide.
	if _, err := w.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: &arn, SecretString: aws.String("by hand")}); err != nil {
		t.Fatal(err)
	}
	events := w.take()
	wantNames(t, events, "AWSCURRENT", "RotationAbandoned", "PutSecretValue")
	if r := records(t, events)[0]; r.RequestID != "Rotation-"+arn+"-"+third || r.AdditionalEventData["SecretId"] != arn || r.EventType != "AwsServiceEvent" {
		t.Errorf("the record is %+v", r)
	}
	if err := rotate("00000000-0000-4000-8000-000000000009", false); err == nil {
		t.Fatal("the test succeeded")
	}
	want("RotateSecret", "TestRotationFailed", "TestRotationStarted")
}

// https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html#cloudtrail_log_entries_deletion
func TestDeletions(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	arn := w.create("a")
	remove := func(days int64) {
		t.Helper()
		if _, err := w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: &arn, RecoveryWindowInDays: &days}); err != nil {
			t.Fatal(err)
		}
	}
	remove(7)
	wantNames(t, w.take(), "StartSecretVersionDelete", "DeleteSecret")
	if _, err := w.RestoreSecret(t.Context(), &api.RestoreSecretInput{SecretId: &arn}); err != nil {
		t.Fatal(err)
	}
	wantNames(t, w.take(), "CancelSecretVersionDelete", "RestoreSecret")
	remove(7)
	w.take()
	w.pass(8 * 24 * time.Hour)
	if err := w.manager.RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := w.take()
	wantNames(t, events, "EndSecretVersionDelete")
	if r := records(t, events)[0]; r.AdditionalEventData["SecretId"] != arn || r.UserIdentity.InvokedBy != "secretsmanager.amazonaws.com" {
		t.Errorf("the record is %+v", r)
	}
}

func TestReplicationFailure(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	if _, err := w.as("alice", "eu-west-1").CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("a"), SecretString: aws.String("in the way")}); err != nil {
		t.Fatal(err)
	}
	arn := w.create("a")
	if _, err := w.ReplicateSecretToRegions(t.Context(), &api.ReplicateSecretToRegionsInput{
		SecretId: &arn, AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("eu-west-1")}},
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.manager.RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range records(t, w.take()) {
		if r.EventName == "ReplicationFailed" {
			if r.AWSRegion != "eu-west-1" || r.ErrorMessage == "" || r.AdditionalEventData["SecretId"] != arn {
				t.Errorf("the record is %+v", r)
			}
			return
		}
	}
	t.Error("there is no record of the failure")
}

func TestStopReplicationToReplica(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	arn := w.create("a")
	if _, err := w.ReplicateSecretToRegions(t.Context(), &api.ReplicateSecretToRegionsInput{
		SecretId: &arn, AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("eu-west-1")}},
	}); err != nil {
		t.Fatal(err)
	}
	w.take()
	if _, err := w.as("alice", "eu-west-1").StopReplicationToReplica(t.Context(), &api.StopReplicationToReplicaInput{SecretId: aws.String("a")}); err != nil {
		t.Fatal(err)
	}
	r := records(t, w.take())[0]
	sameJSON(t, "requestParameters", r.RequestParameters, `{"secretId": "a"}`)
	sameJSON(t, "responseElements", r.ResponseElements, `{"arn": "`+strings.Replace(arn, "us-east-1", "eu-west-1", 1)+`"}`)
	if r.AWSRegion != "eu-west-1" {
		t.Errorf("the Region is %s", r.AWSRegion)
	}
}

func TestLine(t *testing.T) {
	for want, e := range map[string]eventbus.Event{
		`2026-07-15T15:20:30Z us-east-1 Secret Label Updated prod/db: AWSCURRENT is on version v2`: {
			DetailType: "Secret Label Updated", Detail: json.RawMessage(`{"name":"prod/db","labelUpdated":"AWSCURRENT","versionId":"v2"}`),
		},
		`2026-07-15T15:20:30Z us-east-1 GetSecretValue prod/db by assumed-role/app/i-1: AccessDenied: User … is not authorized`: {
			Detail: json.RawMessage(`{"eventName":"GetSecretValue","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/app/i-1"},"requestParameters":{"secretId":"prod/db"},"errorCode":"AccessDenied","errorMessage":"User … is not authorized"}`),
		},
		`2026-07-15T15:20:30Z us-east-1 RotationFailed arn:x: Error when executing lambda f`: {
			Detail: json.RawMessage(`{"eventName":"RotationFailed","errorMessage":"Error when executing lambda f","additionalEventData":{"SecretId":"arn:x"}}`),
		},
		"2026-07-15T15:20:30Z us-east-1 GetSecretValue a\uFFFD[31m\uFFFDb by root": {
			Detail: json.RawMessage(`{"eventName":"GetSecretValue","userIdentity":{"type":"Root","arn":"arn:aws:iam::1:root"},"requestParameters":{"secretId":"a\u001b[31m\nb"}}`),
		},
		`2026-07-15T15:20:30Z us-east-1 Something Else`: {DetailType: "Something Else", Detail: json.RawMessage(`{}`)},
	} {
		e.Time, e.Region = begin, "us-east-1"
		if got := cloudtrail.Line(e); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
