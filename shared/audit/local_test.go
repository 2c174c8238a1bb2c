package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/cloudtrail"
	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/shared/audit"
)

const (
	rotateARN  = "arn:aws:lambda:us-east-1:123456789012:function:rotate-rds"
	rotateRole = "arn:aws:sts::123456789012:assumed-role/rotate-rds/rotate-rds"
)

// account is a local Secrets Manager, the rules that are deployed, and a detector behind them.
type account struct {
	t        *testing.T
	manager  *secretsmanager.Server
	http     *httptest.Server
	rules    rules
	detector *audit.Detector
	breaks   string // the step that fails

	mu    sync.Mutex
	found []audit.Finding
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{t: t, rules: busOf(t, audit.Rules(audit.Catalogue()))}
	var err error
	a.detector, err = audit.NewDetector(audit.Config{
		RotationRoles: []string{"arn:aws:iam::123456789012:role/rotate-rds"}, Regions: []string{"us-east-1"}, Decoys: []string{"decoy"},
	}, audit.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	trail, err := cloudtrail.New(cloudtrail.Options{Put: a.put, OnError: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	a.manager, err = secretsmanager.New(secretsmanager.Options{
		Invoker: a, Attempts: 1, Callers: map[string]secretsmanager.Caller{"rotator": {Principal: rotateRole}},
		OnCall: trail.Call, OnRotation: trail.Rotation, OnSecret: trail.Secret, OnLabels: trail.Labels,
	})
	if err != nil {
		t.Fatal(err)
	}
	a.http = httptest.NewServer(a.manager)
	t.Cleanup(func() {
		a.http.Close()
		if err := a.manager.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func (a *account) as(caller string) *api.Client {
	return api.New(api.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(a.http.URL), Retryer: aws.NopRetryer{}, HTTPClient: a.http.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(caller, "key", ""),
	})
}

// put is the way of an event: through a rule, if one wants it, to the detector.
func (a *account) put(ctx context.Context, e eventbus.Event) error {
	payload, err := e.JSON()
	if err != nil {
		return err
	}
	event, err := audit.Normalize(payload)
	if err != nil {
		a.t.Errorf("%v: %s", err, payload)
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	before := len(a.found)
	a.found = a.detector.Examine(ctx, &event, a.found)
	if len(a.found) > before && a.rules.rule(payload) == "" {
		a.t.Errorf("no rule brings %s", payload)
	}
	return nil
}

// ids are the detections since the last call, recoveries included.
func (a *account) ids() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ids []string
	for i := range a.found {
		ids = append(ids, a.found[i].Detection.ID)
		if text, _ := json.Marshal(a.found[i]); strings.Contains(string(text), canary) || strings.Contains(a.found[i].Sentence(), canary) {
			a.t.Errorf("a value is in %s", text)
		}
	}
	a.found = nil
	return ids
}

func (a *account) Has(arn string) bool { return arn == rotateARN }

// Invoke is the rotation function, under its role.
func (a *account) Invoke(ctx context.Context, _ string, payload []byte) ([]byte, error) {
	var e map[string]string
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	if e["Step"] == a.breaks {
		return nil, errors.New(canary + " was refused")
	}
	c, id, token := a.as("rotator"), e["SecretId"], e["ClientRequestToken"]
	var err error
	switch e["Step"] {
	case "createSecret":
		_, err = c.PutSecretValue(ctx, &api.PutSecretValueInput{SecretId: &id, ClientRequestToken: &token, SecretString: aws.String(canary + token), VersionStages: []string{"AWSPENDING"}, RotationToken: aws.String(e["RotationToken"])})
	case "setSecret", "testSecret":
		_, err = c.GetSecretValue(ctx, &api.GetSecretValueInput{SecretId: &id, VersionId: &token, VersionStage: aws.String("AWSPENDING")})
	case "finishSecret":
		var d *api.DescribeSecretOutput
		if d, err = c.DescribeSecret(ctx, &api.DescribeSecretInput{SecretId: &id}); err != nil {
			return nil, err
		}
		for version, stages := range d.VersionIdsToStages {
			for _, stage := range stages {
				if stage == "AWSCURRENT" && err == nil {
					_, err = c.UpdateSecretVersionStage(ctx, &api.UpdateSecretVersionStageInput{SecretId: &id, VersionStage: &stage, MoveToVersionId: &token, RemoveFromVersionId: &version})
				}
			}
		}
	}
	return nil, err
}

func (a *account) rotate(c *api.Client, id string) {
	a.t.Helper()
	out, err := c.RotateSecret(a.t.Context(), &api.RotateSecretInput{
		SecretId: &id, RotationLambdaARN: aws.String(rotateARN), RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.manager.Wait(a.t.Context(), *out.ARN); (err != nil) != (a.breaks != "") {
		a.t.Fatalf("the rotation ended with %v", err)
	}
}

// What the local stand-in records of a rotation, and of what nobody should do, is found as it
// would be on AWS, by way of the rules.
func TestLocalAccount(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	alice := a.as("alice")
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, ids ...string) {
		t.Helper()
		if diff := cmp.Diff(ids, a.ids()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	ctx, db := t.Context(), aws.String("prod/db")
	must(alice.CreateSecret(ctx, &api.CreateSecretInput{Name: db, SecretString: aws.String(canary)}))
	must(alice.CreateSecret(ctx, &api.CreateSecretInput{Name: aws.String("decoy"), SecretString: aws.String(canary)}))
	must(alice.GetSecretValue(ctx, &api.GetSecretValueInput{SecretId: db}))
	want("ordinary work")

	a.rotate(alice, *db)
	want("a rotation", "recovered")
	a.breaks = "setSecret"
	a.rotate(alice, *db)
	a.mu.Lock()
	if n := len(a.found); n != 1 || a.found[0].Event.Request.Step != "setSecret" || a.found[0].Event.Request.Function != rotateARN || a.found[0].Secret.Name != "prod/db" {
		t.Errorf("the failed rotation: %+v", a.found)
	}
	a.mu.Unlock()
	want("a failed rotation", "rotation-failed")

	must(alice.GetSecretValue(ctx, &api.GetSecretValueInput{SecretId: db, VersionStage: aws.String("AWSPENDING")}))
	want("a stranger reads the pending value", "pending-read")
	must(alice.PutSecretValue(ctx, &api.PutSecretValueInput{SecretId: db, SecretString: aws.String(canary)}))
	want("a value by hand, which ends the rotation", "rotation-abandoned", "value-put")
	must(alice.GetSecretValue(ctx, &api.GetSecretValueInput{SecretId: aws.String("decoy")}))
	want("a decoy", "decoy-read")
	must(alice.BatchGetSecretValue(ctx, &api.BatchGetSecretValueInput{Filters: []types.Filter{{Key: types.FilterNameStringTypeTagKey, Values: []string{"!never"}}}}))
	want("everything at once", "batch-catch-all", "decoy-read")
	must(alice.PutResourcePolicy(ctx, &api.PutResourcePolicyInput{SecretId: db, BlockPublicPolicy: aws.Bool(false), ResourcePolicy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`)}))
	want("a public policy", "public-policy")
	must(alice.DeleteResourcePolicy(ctx, &api.DeleteResourcePolicyInput{SecretId: db}))
	want("no policy", "policy-deleted")
	must(alice.ReplicateSecretToRegions(ctx, &api.ReplicateSecretToRegionsInput{SecretId: db, AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("ap-south-1")}}}))
	want("a replica elsewhere", "replica-unapproved-region")
	must(alice.RemoveRegionsFromReplication(ctx, &api.RemoveRegionsFromReplicationInput{SecretId: db, RemoveReplicaRegions: []string{"ap-south-1"}}))
	want("and away", "replica-removed")
	must(alice.CancelRotateSecret(ctx, &api.CancelRotateSecretInput{SecretId: db}))
	want("no rotation", "rotation-cancelled")
	must(alice.UpdateSecret(ctx, &api.UpdateSecretInput{SecretId: db, KmsKeyId: aws.String("alias/other")}))
	want("another key", "key-changed")
	must(alice.DeleteSecret(ctx, &api.DeleteSecretInput{SecretId: db, RecoveryWindowInDays: aws.Int64(7)}))
	want("a week", "short-recovery-delete")
	must(alice.RestoreSecret(ctx, &api.RestoreSecretInput{SecretId: db}))
	must(alice.DeleteSecret(ctx, &api.DeleteSecretInput{SecretId: db, ForceDeleteWithoutRecovery: aws.Bool(true)}))
	want("for good", "forced-delete")
}

// Ten thousand ordinary reads by known readers, and rotations, raise nothing.
func TestOrdinaryReads(t *testing.T) {
	t.Parallel()
	d, err := audit.NewDetector(audit.Config{
		KnownReaders: []audit.KnownReader{{Principal: "arn:aws:iam::123456789012:role/web"}},
	}, audit.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	var n audit.Normalizer
	var e audit.Event
	for i := range 10_000 {
		if err := n.Event(ordinaryRead(i), &e); err != nil {
			t.Fatal(err)
		}
		if found := d.Examine(t.Context(), &e, nil); len(found) > 0 {
			t.Fatalf("read %d: %s", i, found[0].Sentence())
		}
	}
}
