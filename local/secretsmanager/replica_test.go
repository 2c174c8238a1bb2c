package secretsmanager_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

func (w *world) replicate(name string, overwrite bool, regions ...string) (*api.ReplicateSecretToRegionsOutput, error) {
	in := &api.ReplicateSecretToRegionsInput{SecretId: &name, ForceOverwriteReplicaSecret: overwrite}
	for _, r := range regions {
		in.AddReplicaRegions = append(in.AddReplicaRegions, types.ReplicaRegionType{Region: &r})
	}
	return w.ReplicateSecretToRegions(w.t.Context(), in)
}

// replicas are the states of a secret's replicas, with the message of those that failed.
func (w *world) replicas(name string) map[string]string {
	states := map[string]string{}
	for _, r := range w.describe(name).ReplicationStatus {
		states[*r.Region] = string(r.Status)
		if r.StatusMessage != nil {
			states[*r.Region] += ": " + *r.StatusMessage
		}
	}
	return states
}

func (w *world) valueIn(region, name string) string {
	out, err := w.client(region).GetSecretValue(w.t.Context(), &api.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return err.Error()
	}
	return *out.SecretString
}

func TestReplicasFollowTheirPrimary(t *testing.T) {
	w := newWorld(t, func(o *secretsmanager.Options) { o.ReplicationDelay = time.Minute })
	arn := *w.create("s", "v0").ARN
	out := must(w.replicate("s", false, "eu-west-1", "eu-west-2"))(t)
	if out.ReplicationStatus[0].Status != "InProgress" || !strings.HasPrefix(w.valueIn("eu-west-1", "s"), "operation error") {
		t.Error("a replica is there before its time")
	}
	arrive := func() { w.pass(time.Minute); must(0, w.srv.RunDue(t.Context()))(t) }
	arrive()
	if diff := cmp.Diff(map[string]string{"eu-west-1": "InSync", "eu-west-2": "InSync"}, w.replicas("s")); diff != "" {
		t.Fatal(diff)
	}
	must(w.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("v1")}))(t)
	must(w.TagResource(t.Context(), &api.TagResourceInput{SecretId: aws.String("s"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))(t)
	must(0, w.policy(w.Client, "s", allow("Deny", app, "*", "")))(t)
	if got := w.valueIn("eu-west-1", "s"); got != "v0" || w.replicas("s")["eu-west-1"] != "InProgress" {
		t.Errorf("the change arrived at once: %s", got)
	}
	arrive()
	there := w.client("eu-west-1")
	d := must(there.DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: aws.String("s")}))(t)
	if w.valueIn("eu-west-1", "s") != "v1" || len(d.Tags) != 1 || *d.PrimaryRegion != "us-east-1" || *d.ARN != strings.Replace(arn, "us-east-1", "eu-west-1", 1) {
		t.Errorf("the replica is %+v", d)
	}
	if diff := cmp.Diff(w.stages("s"), d.VersionIdsToStages); diff != "" {
		t.Error(diff)
	}
	if p := must(there.GetResourcePolicy(t.Context(), &api.GetResourcePolicyInput{SecretId: aws.String("s")}))(t); p.ResourcePolicy == nil {
		t.Error("the policy did not arrive") // https://github.com/lgallard/terraform-aws-secrets-manager/issues/188
	}
	if w.describe("s").ReplicationStatus[0].LastAccessedDate == nil || w.describe("s").ReplicationStatus[1].LastAccessedDate != nil {
		t.Error("the day of the last access is not the replica's own")
	}
	primaries := must(there.ListSecrets(t.Context(), &api.ListSecretsInput{Filters: []types.Filter{{Key: "primary-region", Values: []string{"us-east"}}}}))(t)
	if len(primaries.SecretList) != 1 {
		t.Error("the replica is not found by its primary's Region")
	}
}

func TestReplicasTakeNoChange(t *testing.T) {
	w := newWorld(t)
	w.create("s", "v")
	must(w.replicate("s", false, "eu-west-1"))(t)
	there, id := w.client("eu-west-1"), aws.String("s")
	for what, call := range map[string]func() error{
		"put": func() error {
			_, err := there.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: id, SecretString: id})
			return err
		},
		"update": func() error {
			_, err := there.UpdateSecret(t.Context(), &api.UpdateSecretInput{SecretId: id, Description: id})
			return err
		},
		"stage": func() error {
			_, err := there.UpdateSecretVersionStage(t.Context(), &api.UpdateSecretVersionStageInput{SecretId: id, VersionStage: id, MoveToVersionId: aws.String(token(1))})
			return err
		},
		"tag": func() error {
			_, err := there.TagResource(t.Context(), &api.TagResourceInput{SecretId: id, Tags: []types.Tag{}})
			return err
		},
		"untag": func() error {
			_, err := there.UntagResource(t.Context(), &api.UntagResourceInput{SecretId: id, TagKeys: []string{"x"}})
			return err
		},
		"policy": func() error { return w.policy(there, "s", publicPolicy) },
		"no policy": func() error {
			_, err := there.DeleteResourcePolicy(t.Context(), &api.DeleteResourcePolicyInput{SecretId: id})
			return err
		},
		"delete": func() error {
			_, err := there.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: id})
			return err
		},
		"end": func() error {
			_, err := there.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: id, ForceDeleteWithoutRecovery: aws.Bool(true)})
			return err
		},
		"restore": func() error {
			_, err := there.RestoreSecret(t.Context(), &api.RestoreSecretInput{SecretId: id})
			return err
		},
		"rotate": func() error {
			_, err := there.RotateSecret(t.Context(), &api.RotateSecretInput{SecretId: id})
			return err
		},
		"cancel": func() error {
			_, err := there.CancelRotateSecret(t.Context(), &api.CancelRotateSecretInput{SecretId: id})
			return err
		},
		"remove": func() error {
			_, err := there.RemoveRegionsFromReplication(t.Context(), &api.RemoveRegionsFromReplicationInput{SecretId: id, RemoveReplicaRegions: []string{"x"}})
			return err
		},
	} {
		t.Run(what, func(t *testing.T) { refused(t, call(), "InvalidParameterException", onReplica) })
	}
	must(there.UpdateSecret(t.Context(), &api.UpdateSecretInput{SecretId: id, KmsKeyId: aws.String("alias/there")}))(t) // "except for its encryption key"
	must(w.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: id, SecretString: aws.String("v1")}))(t)
	d := must(there.DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: id}))(t)
	if *d.KmsKeyId != "alias/there" || *w.describe("s").ReplicationStatus[0].KmsKeyId != "alias/there" || w.describe("s").KmsKeyId != nil {
		t.Errorf("the replica's key is %v", d.KmsKeyId)
	}
}

// A rotation runs on the primary, and its value arrives at the replicas.
func TestARotationReachesTheReplicas(t *testing.T) {
	w := newWorld(t)
	w.create("s", "v0")
	must(w.replicate("s", false, "eu-west-1"))(t)
	must(0, w.rotate(1, withRules(types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(7)})))(t)
	must(w.wait())(t)
	d := must(w.client("eu-west-1").DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: aws.String("s")}))(t)
	if w.valueIn("eu-west-1", "s") != "made for "+token(1) || d.RotationEnabled != nil {
		t.Errorf("the replica has %q, rotation %v", w.valueIn("eu-west-1", "s"), d.RotationEnabled)
	}
	if diff := cmp.Diff(w.stages("s"), d.VersionIdsToStages); diff != "" {
		t.Error(diff)
	}
	w.pass(9 * 24 * time.Hour)
	must(0, w.srv.RunDue(t.Context()))(t)
	must(w.wait())(t)
	if w.valueIn("eu-west-1", "s") != w.value("s") || w.value("s") == "made for "+token(1) {
		t.Error("the scheduled rotation did not arrive")
	}
}

func TestReplicationThatFails(t *testing.T) {
	var events []secretsmanager.SecretEvent
	w := newWorld(t, func(o *secretsmanager.Options) {
		o.OnSecret = func(e secretsmanager.SecretEvent) { events = append(events, e) }
	})
	w.create("s", "mine")
	there := w.client("eu-west-1")
	must(there.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("theirs")}))(t)
	must(w.replicate("s", false, "eu-west-1"))(t)
	const exists = "Replication failed: Secret name s already exists in region eu-west-1."
	if got := w.replicas("s")["eu-west-1"]; got != "Failed: "+exists || w.valueIn("eu-west-1", "s") != "theirs" {
		t.Errorf("the replica is %s", got)
	}
	if len(events) != 1 || events[0].Kind != secretsmanager.ReplicationFailed || events[0].Message != exists {
		t.Errorf("events: %+v", events)
	}
	must(w.RemoveRegionsFromReplication(t.Context(), &api.RemoveRegionsFromReplicationInput{SecretId: aws.String("s"), RemoveReplicaRegions: []string{"eu-west-1"}}))(t)
	if w.valueIn("eu-west-1", "s") != "theirs" {
		t.Error("a secret that was no replica was removed")
	}
	must(w.replicate("s", true, "eu-west-1"))(t)
	if w.valueIn("eu-west-1", "s") != "mine" || w.replicas("s")["eu-west-1"] != "InSync" {
		t.Error("it was not overwritten")
	}
	// A third secret of that name cannot take the Region from the first.
	third := w.client("ap-south-1")
	must(third.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("third"), ForceOverwriteReplicaSecret: true, AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("eu-west-1")}}}))(t)
	d := must(third.DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: aws.String("s")}))(t)
	if *d.ReplicationStatus[0].StatusMessage != "Replication failed: Secret name s is currently replicated to eu-west-1 with a different arn." || w.valueIn("eu-west-1", "s") != "mine" {
		t.Errorf("the third's replica is %+v", d.ReplicationStatus)
	}
	must(w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: aws.String("nosuch"), ForceDeleteWithoutRecovery: aws.Bool(true)}))(t)
	for _, region := range []string{"us-east-1", "Mars", "cn-north-1"} {
		_, err := w.replicate("s", false, region)
		refused(t, err, "InvalidParameterException", "Invalid replica region.")
	}
}

func TestPromotionAndState(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	delay := func(o *secretsmanager.Options) { o.ReplicationDelay = time.Minute; people(o) }
	w := newWorld(t, in(dir), delay)
	w.create("s", "v0")
	must(w.replicate("s", false, "eu-west-1", "eu-west-2"))(t)
	must(0, w.policy(w.Client, "s", allow("Deny", app, "GetSecretValue", "")))(t)
	must(w.UpdateSecret(t.Context(), &api.UpdateSecretInput{SecretId: aws.String("s"), KmsKeyId: aws.String("alias/app")}))(t)
	w = w.reopened(t, dir, delay) // while the replicas are under way
	if got := w.replicas("s")["eu-west-1"]; got != "InProgress" {
		t.Errorf("the replica is %s", got)
	}
	w.pass(time.Minute)
	must(0, w.srv.RunDue(t.Context()))(t)
	w = w.reopened(t, dir, delay)
	if w.valueIn("eu-west-1", "s") != "v0" || *w.describe("s").KmsKeyId != "alias/app" {
		t.Error("the replica did not arrive, or not last")
	}
	refused(t, get(t, w.as("APP"), api.GetSecretValueInput{SecretId: aws.String("s")}), "AccessDeniedException", "")
	there := w.client("eu-west-1")
	must(there.StopReplicationToReplica(t.Context(), &api.StopReplicationToReplicaInput{SecretId: aws.String("s")}))(t)
	_, err := there.StopReplicationToReplica(t.Context(), &api.StopReplicationToReplicaInput{SecretId: aws.String("s")})
	refused(t, err, "InvalidRequestException", "")
	must(there.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("its own")}))(t)
	w = w.reopened(t, dir, delay)
	if w.valueIn("eu-west-1", "s") != "its own" || w.valueIn("eu-west-2", "s") != "v0" {
		t.Error("the promoted secret is not apart")
	}
	if diff := cmp.Diff(map[string]string{"eu-west-2": "InSync"}, w.replicas("s")); diff != "" {
		t.Error(diff)
	}
	must(w.RemoveRegionsFromReplication(t.Context(), &api.RemoveRegionsFromReplicationInput{SecretId: aws.String("s"), RemoveReplicaRegions: []string{"eu-west-2"}}))(t)
	must(w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: aws.String("s")}))(t)
}
