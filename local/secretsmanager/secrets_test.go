package secretsmanager_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"
)

func TestCreateAndRead(t *testing.T) {
	w := newWorld(t)
	made := must(w.CreateSecret(t.Context(), &api.CreateSecretInput{
		Name: aws.String("prod/db"), SecretString: aws.String("v1"), Description: aws.String("the database"), ClientRequestToken: aws.String(token(1)),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("data")}},
	}))(t)
	const form = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-"
	if !strings.HasPrefix(*made.ARN, form) || len(*made.ARN) != len(form)+6 || *made.VersionId != token(1) {
		t.Fatalf("created %s, version %s", *made.ARN, *made.VersionId)
	}
	partial := form[:len(form)-1]
	for _, id := range []string{"prod/db", *made.ARN, partial} {
		got := must(w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: &id}))(t)
		if *got.SecretString != "v1" || !slices.Equal(got.VersionStages, []string{"AWSCURRENT"}) || !got.CreatedDate.Equal(begin) || got.SecretBinary != nil {
			t.Errorf("%s: got %+v", id, got)
		}
	}
	d := w.describe("prod/db")
	if *d.Description != "the database" || *d.Tags[0].Value != "data" || d.RotationEnabled != nil || d.NextRotationDate != nil || d.DeletedDate != nil {
		t.Errorf("described as %+v", d)
	}
	if day := begin.Truncate(24 * time.Hour); !d.LastAccessedDate.Equal(day) || !d.LastChangedDate.Equal(begin) {
		t.Errorf("accessed %v, changed %v", d.LastAccessedDate, d.LastChangedDate)
	}
	if diff := cmp.Diff(map[string][]string{token(1): {"AWSCURRENT"}}, d.VersionIdsToStages); diff != "" {
		t.Error(diff)
	}
	bin := must(w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("bin"), SecretBinary: []byte{0, 255, 1}}))(t)
	if got := must(w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: bin.ARN}))(t); !slices.Equal(got.SecretBinary, []byte{0, 255, 1}) || got.SecretString != nil {
		t.Errorf("binary came back as %v", got.SecretBinary)
	}
}

func TestCreateIsIdempotent(t *testing.T) {
	w := newWorld(t)
	in := &api.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("v"), ClientRequestToken: aws.String(token(1))}
	first := must(w.CreateSecret(t.Context(), in))(t)
	again := must(w.CreateSecret(t.Context(), in))(t)
	if *first.ARN != *again.ARN || *again.VersionId != token(1) {
		t.Errorf("the same request again made %s", *again.ARN)
	}
	_, err := w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("other"), ClientRequestToken: aws.String(token(1))})
	refused(t, err, "ResourceExistsException", "You can't use ClientRequestToken "+token(1)+" because that value is already in use for a version of secret "+*first.ARN+".")
	_, err = w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("v")})
	refused(t, err, "ResourceExistsException", "The operation failed because the secret s already exists.")

	empty := &api.CreateSecretInput{Name: aws.String("empty"), ClientRequestToken: aws.String(token(2))}
	one, two := must(w.CreateSecret(t.Context(), empty))(t), must(w.CreateSecret(t.Context(), empty))(t)
	if *one.ARN != *two.ARN || one.VersionId != nil {
		t.Errorf("got %v and %v", *one.ARN, *two.ARN)
	}
	_, err = w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: aws.String("empty")})
	refused(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT")
}

func TestWhatCreateRefuses(t *testing.T) {
	const name = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
	long := func(n int) *string { return aws.String(strings.Repeat("x", n)) }
	tags := func(n int) (list []types.Tag) {
		for i := range n {
			list = append(list, types.Tag{Key: aws.String(fmt.Sprint("k", i)), Value: aws.String("v")})
		}
		return list
	}
	key := func(k string) []types.Tag { return []types.Tag{{Key: &k, Value: aws.String("v")}} }
	s := aws.String
	for what, c := range map[string]struct {
		in            api.CreateSecretInput
		code, message string
	}{
		"name with space":   {api.CreateSecretInput{Name: s("a b")}, "ValidationException", name},
		"name too long":     {api.CreateSecretInput{Name: long(513)}, "ValidationException", ""},
		"name empty":        {api.CreateSecretInput{Name: s("")}, "ValidationException", "1 validation error detected: Value at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		"value empty":       {api.CreateSecretInput{Name: s("a"), SecretString: s("")}, "ValidationException", ""},
		"value too large":   {api.CreateSecretInput{Name: s("a"), SecretString: long(65537)}, "ValidationException", "1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536"},
		"binary too large":  {api.CreateSecretInput{Name: s("a"), SecretBinary: make([]byte, 65537)}, "ValidationException", ""},
		"both values":       {api.CreateSecretInput{Name: s("a"), SecretString: s("x"), SecretBinary: []byte("x")}, "InvalidParameterException", "You can't specify both a binary secret value and a string secret value in the same secret."},
		"token short":       {api.CreateSecretInput{Name: s("a"), ClientRequestToken: long(31)}, "ValidationException", ""},
		"token long":        {api.CreateSecretInput{Name: s("a"), ClientRequestToken: long(65)}, "ValidationException", ""},
		"description long":  {api.CreateSecretInput{Name: s("a"), Description: long(2049)}, "ValidationException", ""},
		"51 tags":           {api.CreateSecretInput{Name: s("a"), Tags: tags(51)}, "InvalidParameterException", ""},
		"a tag of AWS":      {api.CreateSecretInput{Name: s("a"), Tags: key("aws:x")}, "InvalidParameterException", ""},
		"tag twice":         {api.CreateSecretInput{Name: s("a"), Tags: append(key("x"), key("x")...)}, "InvalidParameterException", "Duplicate tag keys are not allowed: x"},
		"tag key long":      {api.CreateSecretInput{Name: s("a"), Tags: key(*long(129))}, "ValidationException", ""},
		"a replica at home": {api.CreateSecretInput{Name: s("a"), AddReplicaRegions: []types.ReplicaRegionType{{Region: s("us-east-1")}}}, "InvalidParameterException", "Invalid replica region."},
		"no key of KMS":     {api.CreateSecretInput{Name: s("a"), KmsKeyId: s("my key")}, "InvalidParameterException", "The operation failed because of an invalid KMS key: Invalid keyId"},
		"a partner's":       {api.CreateSecretInput{Name: s("a"), Type: s("SalesforceClientSecret")}, "UnsupportedOperationException", `The local Secrets Manager of rekey does not support the parameter "Type" here; nothing was done.`},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.CreateSecret(t.Context(), &c.in)
			refused(t, err, c.code, c.message)
			if list := must(w.ListSecrets(t.Context(), &api.ListSecretsInput{}))(t); len(list.SecretList) > 0 {
				t.Error("it was made all the same")
			}
		})
	}
}

func TestTheLargestValues(t *testing.T) {
	w := newWorld(t)
	text := strings.Repeat("\x01", 65536) // six bytes each on the wire
	w.create("text", text)
	if w.value("text") != text {
		t.Error("the largest text came back changed")
	}
	must(w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("bytes"), SecretBinary: make([]byte, 65536)}))(t)
}

// https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
func TestPartialARNs(t *testing.T) {
	w := newWorld(t)
	made := w.create("app-a1b2c3", "v")
	arn := *made.ARN
	for id, want := range map[string]bool{
		arn:                    true,
		arn[:len(arn)-7]:       false, // its own end is taken for a suffix
		arn[:len(arn)-1] + "!": false,
		strings.Replace(arn, "us-east-1", "eu-west-1", 1): false,
		"app-a1b2c3":    true,
		"app":           false,
		"arn:something": false,
	} {
		_, err := w.DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: &id})
		if want && err != nil {
			t.Errorf("%s: %v", id, err)
		} else if !want {
			refused(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
		}
	}
}

func TestRegionsAreApart(t *testing.T) {
	w := newWorld(t)
	w.create("s", "in us-east-1")
	other := w.client("cn-north-1")
	_, err := other.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: aws.String("s")})
	refused(t, err, "ResourceNotFoundException", "")
	made := must(other.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("in cn-north-1")}))(t)
	if !strings.HasPrefix(*made.ARN, "arn:aws-cn:secretsmanager:cn-north-1:") {
		t.Error(*made.ARN)
	}
	if w.value("s") != "in us-east-1" {
		t.Error("one Region's secret changed another's")
	}
}

func TestGetByVersion(t *testing.T) {
	w := newWorld(t)
	w.create("s", "v0")
	must(w.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: aws.String("s"), ClientRequestToken: aws.String(token(1)), SecretString: aws.String("v1")}))(t)
	get := func(id, stage string) (*api.GetSecretValueOutput, error) {
		in := &api.GetSecretValueInput{SecretId: aws.String("s")}
		if id != "" {
			in.VersionId = &id
		}
		if stage != "" {
			in.VersionStage = &stage
		}
		return w.GetSecretValue(t.Context(), in)
	}
	if got := must(get(token(1), "AWSCURRENT"))(t); *got.SecretString != "v1" {
		t.Error(*got.SecretString)
	}
	if got := must(get("", "AWSPREVIOUS"))(t); *got.SecretString != "v0" {
		t.Error(*got.SecretString)
	}
	_, err := get(token(1), "AWSPREVIOUS")
	refused(t, err, "InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.")
	_, err = get(token(9), "")
	refused(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: "+token(9))
	_, err = get("", "NOSUCH")
	refused(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: NOSUCH")
	_, err = get("short", "")
	refused(t, err, "ValidationException", "")
}

func TestUpdateSecret(t *testing.T) {
	w := newWorld(t)
	made := w.create("s", "v0")
	out := must(w.UpdateSecret(t.Context(), &api.UpdateSecretInput{SecretId: aws.String("s"), Description: aws.String("d")}))(t)
	if out.VersionId != nil || *w.describe("s").Description != "d" {
		t.Errorf("got %v", out)
	}
	in := &api.UpdateSecretInput{SecretId: aws.String("s"), SecretString: aws.String("v1"), ClientRequestToken: aws.String(token(1))}
	for range 2 { // the same again is no change
		if out := must(w.UpdateSecret(t.Context(), in))(t); *out.VersionId != token(1) {
			t.Error(*out.VersionId)
		}
	}
	if diff := cmp.Diff(map[string][]string{token(1): {"AWSCURRENT"}, *made.VersionId: {"AWSPREVIOUS"}}, w.stages("s")); diff != "" {
		t.Error(diff)
	}
	_, err := w.UpdateSecret(t.Context(), &api.UpdateSecretInput{SecretId: aws.String("s"), SecretString: aws.String("v2"), ClientRequestToken: aws.String(token(1))})
	refused(t, err, "ResourceExistsException", "")
	_, err = w.UpdateSecret(t.Context(), &api.UpdateSecretInput{SecretId: aws.String("s"), Type: aws.String("SalesforceClientSecret")})
	refused(t, err, "UnsupportedOperationException", "")
}

func TestDeleteAndRestore(t *testing.T) {
	const marked = "You can't perform this operation on the secret because it was marked for deletion."
	w := newWorld(t)
	made := w.create("s", "v")
	id := made.ARN
	del := must(w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: aws.Int64(7)}))(t)
	if want := begin.Add(7 * 24 * time.Hour); !del.DeletionDate.Equal(want) {
		t.Errorf("deleted at %v, want %v", del.DeletionDate, want)
	}
	for what, call := range map[string]func() error{
		"get": func() error {
			_, err := w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: id})
			return err
		},
		"put": func() error {
			_, err := w.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: id, SecretString: aws.String("x")})
			return err
		},
		"update": func() error {
			_, err := w.UpdateSecret(t.Context(), &api.UpdateSecretInput{SecretId: id, Description: aws.String("x")})
			return err
		},
		"stage": func() error {
			_, err := w.UpdateSecretVersionStage(t.Context(), &api.UpdateSecretVersionStageInput{SecretId: id, VersionStage: aws.String("X"), MoveToVersionId: made.VersionId})
			return err
		},
		"versions": func() error {
			_, err := w.ListSecretVersionIds(t.Context(), &api.ListSecretVersionIdsInput{SecretId: id})
			return err
		},
		"rotate": func() error {
			_, err := w.RotateSecret(t.Context(), &api.RotateSecretInput{SecretId: id, RotationLambdaARN: aws.String(functionARN)})
			return err
		},
		"cancel": func() error {
			_, err := w.CancelRotateSecret(t.Context(), &api.CancelRotateSecretInput{SecretId: id})
			return err
		},
		"tag": func() error {
			_, err := w.TagResource(t.Context(), &api.TagResourceInput{SecretId: id, Tags: []types.Tag{}})
			return err
		},
		"untag": func() error {
			_, err := w.UntagResource(t.Context(), &api.UntagResourceInput{SecretId: id, TagKeys: []string{"x"}})
			return err
		},
		"delete": func() error { _, err := w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: id}); return err },
	} {
		t.Run(what, func(t *testing.T) { refused(t, call(), "InvalidRequestException", marked) })
	}
	_, err := w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s")})
	refused(t, err, "InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
	if list := must(w.ListSecrets(t.Context(), &api.ListSecretsInput{}))(t); len(list.SecretList) != 0 {
		t.Error("it is still listed")
	}
	if list := must(w.ListSecrets(t.Context(), &api.ListSecretsInput{IncludePlannedDeletion: aws.Bool(true)}))(t); len(list.SecretList) != 1 || list.SecretList[0].DeletedDate == nil {
		t.Error("it is not listed with the planned deletions")
	}
	for range 2 {
		must(w.RestoreSecret(t.Context(), &api.RestoreSecretInput{SecretId: id}))(t)
	}
	if w.value("s") != "v" || w.describe("s").DeletedDate != nil {
		t.Error("it was not restored whole")
	}
}

func TestDeletionHappens(t *testing.T) {
	w := newWorld(t)
	first := w.create("s", "v")
	must(w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: aws.String("s")}))(t)
	w.pass(30*24*time.Hour - time.Second)
	must(0, w.srv.RunDue(t.Context()))(t)
	w.describe("s")
	w.pass(time.Second)
	_, err := w.DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: aws.String("s")}) // even before RunDue
	refused(t, err, "ResourceNotFoundException", "")
	must(0, w.srv.RunDue(t.Context()))(t)
	_, err = w.RestoreSecret(t.Context(), &api.RestoreSecretInput{SecretId: aws.String("s")})
	refused(t, err, "ResourceNotFoundException", "")
	if again := w.create("s", "v"); *again.ARN == *first.ARN {
		t.Error("the new secret has the ARN of the old one")
	}
}

func TestForcedDeletion(t *testing.T) {
	w := newWorld(t)
	first := w.create("s", "v")
	force := &api.DeleteSecretInput{SecretId: aws.String("s"), ForceDeleteWithoutRecovery: aws.Bool(true)}
	must(w.DeleteSecret(t.Context(), force))(t)
	must(w.DeleteSecret(t.Context(), force))(t) // "the operation does not return ResourceNotFoundException"
	if second := w.create("s", "v2"); *second.ARN == *first.ARN {
		t.Error("the new secret has the ARN of the old one")
	}
	_, err := w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: aws.String("s"), ForceDeleteWithoutRecovery: aws.Bool(true), RecoveryWindowInDays: aws.Int64(7)})
	refused(t, err, "InvalidParameterException", "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	for _, days := range []int64{0, 6, 31} {
		_, err := w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: aws.String("s"), RecoveryWindowInDays: &days})
		refused(t, err, "InvalidParameterException", "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
}

func TestTags(t *testing.T) {
	w := newWorld(t)
	w.create("s", "v")
	set := func(kv ...string) error {
		in := &api.TagResourceInput{SecretId: aws.String("s")}
		for i := 0; i < len(kv); i += 2 {
			in.Tags = append(in.Tags, types.Tag{Key: &kv[i], Value: &kv[i+1]})
		}
		_, err := w.TagResource(t.Context(), in)
		return err
	}
	must(0, set("a", "1", "b", "2"))(t)
	must(0, set("a", "3"))(t)
	must(w.UntagResource(t.Context(), &api.UntagResourceInput{SecretId: aws.String("s"), TagKeys: []string{"b", "nosuch"}}))(t)
	if tags := w.describe("s").Tags; len(tags) != 1 || *tags[0].Value != "3" {
		t.Errorf("tags are %v", tags)
	}
	refused(t, set("AWS:x", "y"), "InvalidParameterException", "")
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprint("k", i), "")
	}
	refused(t, set(many...), "InvalidParameterException", "A secret can have no more than 50 tags.")
}
