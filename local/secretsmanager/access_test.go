package secretsmanager_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

const (
	admin    = "arn:aws:iam::123456789012:role/admin"
	app      = "arn:aws:sts::123456789012:assumed-role/app/i-0"
	stranger = "arn:aws:iam::210987654321:user/other"
)

func people(o *secretsmanager.Options) {
	o.Callers = map[string]secretsmanager.Caller{
		"ADMIN": {Principal: admin, SecureTransport: true},
		"APP":   {Principal: app, SourceVPCE: "vpce-1", OrgID: "o-1"},
		"OTHER": {Account: "210987654321", Principal: stranger},
		"ROOT2": {Account: "210987654321"},
	}
}

// as is a client of someone.
func (w *world) as(key string, edit ...func(*api.Options)) *api.Client {
	return w.client("us-east-1", append([]func(*api.Options){func(o *api.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(key, "key", "")
	}}, edit...)...)
}

func get(t *testing.T, c *api.Client, in api.GetSecretValueInput) error {
	_, err := c.GetSecretValue(t.Context(), &in)
	return err
}

func (w *world) policy(c *api.Client, id, document string) error {
	_, err := c.PutResourcePolicy(w.t.Context(), &api.PutResourcePolicyInput{SecretId: &id, ResourcePolicy: &document})
	return err
}

func allow(effect, principal, action, condition string) string {
	if condition == "" {
		condition = "{}"
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Principal":{"AWS":%q},"Action":"secretsmanager:%s","Resource":"*","Condition":%s}}`, effect, principal, action, condition)
}

func TestPoliciesDenyInTheirOwnAccount(t *testing.T) {
	w := newWorld(t, people)
	must(w.CreateSecret(t.Context(), &api.CreateSecretInput{
		Name: aws.String("s"), SecretString: aws.String("v"), ClientRequestToken: aws.String(token(1)),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
	}))(t)
	in := api.GetSecretValueInput{SecretId: aws.String("s")}
	const denial = "User: " + app + " is not authorized to perform: secretsmanager:GetSecretValue on resource: s with an explicit deny in a resource-based policy"
	for condition, denied := range map[string]bool{
		"": true,
		`{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`:                                            true,
		`{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}`:                                         false,
		`{"Bool":{"aws:SecureTransport":"false"}}`:                                                true, // the test is over HTTP
		`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/app"}}`:                 true, // the session's role
		`{"StringNotEquals":{"aws:PrincipalAccount":"123456789012"}}`:                             false,
		`{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}}`:                                false,
		`{"StringEquals":{"secretsmanager:ResourceTag/team":"a"}}`:                                true,
		`{"StringEquals":{"aws:ResourceTag/team":"b"}}`:                                           false,
		`{"StringEquals":{"secretsmanager:SecretId":"s"}}`:                                        true,
		`{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`:                                    true,
		`{"Null":{"secretsmanager:VersionStage":"true"}}`:                                         true, // not given, so not there: https://github.com/boto/boto3/issues/2957
		`{"ForAnyValue:StringEquals":{"secretsmanager:VersionStage":"AWSCURRENT"}}`:               false,
		`{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`:                                            true,
		`{"StringLike":{"aws:UserAgent":"*"},"StringEquals":{"secretsmanager:VersionId":"nope"}}`: false,
	} {
		must(0, w.policy(w.as("ADMIN"), "s", allow("Deny", "arn:aws:iam::123456789012:role/app", "GetSecretValue", condition)))(t)
		err := get(t, w.as("APP"), in)
		if denied {
			refused(t, err, "AccessDeniedException", denial)
		} else if err != nil {
			t.Errorf("%s: %v", condition, err)
		}
		must(0, get(t, w.as("ADMIN"), in))(t)  // another principal
		must(0, get(t, w.as("NOBODY"), in))(t) // one whom no policy knows
	}
	in.VersionStage = aws.String("AWSCURRENT")
	must(0, w.policy(w.as("ADMIN"), "s", allow("Deny", "*", "GetSecretValue", `{"StringNotLike":{"secretsmanager:VersionStage":"AWSPREVIOUS"}}`)))(t)
	refused(t, get(t, w.as("APP"), in), "AccessDeniedException", "")
	out := must(w.as("APP").BatchGetSecretValue(t.Context(), &api.BatchGetSecretValueInput{SecretIdList: []string{"s"}}))(t)
	if len(out.SecretValues) != 0 || len(out.Errors) != 1 || *out.Errors[0].ErrorCode != "AccessDeniedException" {
		t.Errorf("a batch reads %+v, %+v", out.SecretValues, out.Errors)
	}
}

// Recorded: https://github.com/localstack/localstack, test_cross_account_access and …_non_default_key.
func TestAnotherAccount(t *testing.T) {
	w := newWorld(t, people)
	arn := *w.create("s", "v").ARN
	key := must(w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("k"), SecretString: aws.String("v"), KmsKeyId: aws.String("alias/shared")}))(t)
	other := w.as("OTHER")
	describe := func(id string) error {
		_, err := other.DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: &id})
		return err
	}
	why := func(id string) string {
		return "User: " + stranger + " is not authorized to perform: secretsmanager:DescribeSecret on resource: " + id + " because no resource-based policy allows the secretsmanager:DescribeSecret action"
	}
	nosuch := strings.Replace(arn, ":s-", ":nosuch-", 1)
	for _, id := range []string{arn, nosuch, arn[:len(arn)-7]} {
		refused(t, describe(id), "AccessDeniedException", why(id))
	}
	refused(t, describe("s"), "ResourceNotFoundException", "") // a name is of one's own account
	for _, id := range []string{"s", *key.ARN} {
		must(0, w.policy(w.as("ADMIN"), id, allow("Allow", stranger, "*", "")))(t)
	}
	must(0, describe(arn))(t)
	const default_ = "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key."
	refused(t, get(t, other, api.GetSecretValueInput{SecretId: &arn}), "InvalidRequestException", default_)
	_, err := other.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: &arn, SecretString: aws.String("x")})
	refused(t, err, "InvalidRequestException", default_)
	must(0, get(t, other, api.GetSecretValueInput{SecretId: key.ARN}))(t)
	must(other.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: key.ARN, SecretString: aws.String("new")}))(t)
	must(other.TagResource(t.Context(), &api.TagResourceInput{SecretId: &arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))(t)
	if list := must(other.ListSecrets(t.Context(), &api.ListSecretsInput{}))(t); len(list.SecretList) != 0 {
		t.Error("another account's secrets are listed")
	}
	refused(t, get(t, w.as("ROOT2"), api.GetSecretValueInput{SecretId: key.ARN}), "AccessDeniedException", "") // it is the user who was allowed
	mine := must(other.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("theirs")}))(t)
	if !strings.Contains(*mine.ARN, ":210987654321:") || w.value("s") != "v" {
		t.Errorf("the same name in another account: %s", *mine.ARN)
	}
}

func TestNoOneLocksThemselvesOut(t *testing.T) {
	w := newWorld(t, people)
	must(w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("v"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}}))(t)
	const text = "Your requested changes will not allow you to manage this secret in the future."
	for _, c := range []*api.Client{w.as("ADMIN"), w.Client} {
		refused(t, w.policy(c, "s", allow("Deny", "*", "*", "")), "MalformedPolicyDocumentException", text)
	}
	out := must(w.as("ADMIN").ValidateResourcePolicy(t.Context(), &api.ValidateResourcePolicyInput{SecretId: aws.String("s"), ResourcePolicy: aws.String(allow("Deny", admin, "PutResourcePolicy", ""))}))(t)
	if out.PolicyValidationPassed || *out.ValidationErrors[0].ErrorMessage != text {
		t.Errorf("validated as %+v", out.ValidationErrors)
	}
	out = must(w.as("ADMIN").ValidateResourcePolicy(t.Context(), &api.ValidateResourcePolicyInput{SecretId: aws.String("s"), ResourcePolicy: aws.String(allow("Deny", app, "*", ""))}))(t)
	if !out.PolicyValidationPassed {
		t.Errorf("validated as %+v", out.ValidationErrors)
	}
	// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_TagResource.html
	must(0, w.policy(w.as("ADMIN"), "s", allow("Deny", admin, "*", `{"StringNotEquals":{"secretsmanager:ResourceTag/team":"a"}}`)))(t)
	_, err := w.as("ADMIN").UntagResource(t.Context(), &api.UntagResourceInput{SecretId: aws.String("s"), TagKeys: []string{"team"}})
	refused(t, err, "AccessDeniedException", "")
	must(0, get(t, w.as("ADMIN"), api.GetSecretValueInput{SecretId: aws.String("s")}))(t)
}

func TestWhatPoliciesMayNotSay(t *testing.T) {
	w := newWorld(t)
	w.create("s", "v")
	for condition, message := range map[string]string{
		`{"StringEquals":{"kms:ViaService":"x"}}`:    `The local Secrets Manager of rekey does not support the condition key "kms:ViaService" in resource policies; nothing was done.`,
		`{"NumericLessThan":{"aws:SourceVpce":"1"}}`: `The local Secrets Manager of rekey does not support the condition operator "NumericLessThan" in resource policies; nothing was done.`,
	} {
		refused(t, w.policy(w.Client, "s", allow("Deny", "*", "GetSecretValue", condition)), "UnsupportedOperationException", message)
	}
	err := w.policy(w.Client, "s", allow("Allow", "app", "GetSecretValue", ""))
	refused(t, err, "MalformedPolicyDocumentException", `This resource policy contains an unsupported principal. (unsupported principal: "app")`)
	refused(t, w.policy(w.Client, "s", strings.Repeat(" ", 20481)), "ValidationException", "")
	if out := must(w.GetResourcePolicy(t.Context(), &api.GetResourcePolicyInput{SecretId: aws.String("s")}))(t); out.ResourcePolicy != nil {
		t.Errorf("a refused policy was kept: %s", *out.ResourcePolicy)
	}
	block := &api.PutResourcePolicyInput{SecretId: aws.String("s"), BlockPublicPolicy: aws.Bool(true), ResourcePolicy: aws.String(allow("Allow", admin, "GetSecretValue", ""))}
	must(w.PutResourcePolicy(t.Context(), block))(t)
}

func TestKMSKeys(t *testing.T) {
	const id, arn = "1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	w := newWorld(t, func(o *secretsmanager.Options) { o.Keys = []string{arn, "alias/app"} })
	const wrong = "The operation failed because of an invalid KMS key: "
	for key, message := range map[string]string{
		id: "", arn: "", "alias/app": "", "alias/aws/secretsmanager": "", "arn:aws:kms:us-east-1:123456789012:alias/app": "",
		"alias/other": wrong + "Alias alias/other is not found.",
		"arn:aws:kms:us-east-1:123456789012:key/other":    wrong + "Key 'arn:aws:kms:us-east-1:123456789012:key/other' does not exist",
		strings.Replace(arn, "us-east-1", "eu-west-1", 1): wrong + "Invalid arn eu-west-1",
		"app": wrong + "Invalid keyId", "key/" + id: wrong + "Invalid keyId", "arn:aws:kms:us-east-1:123456789012:" + id: wrong + "Invalid keyId",
	} {
		name := aws.String(fmt.Sprint("s", len(key)))
		_, err := w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: name, KmsKeyId: &key})
		if message != "" {
			refused(t, err, "InvalidParameterException", message)
			continue
		}
		must(0, err)(t)
		if got := w.describe(*name).KmsKeyId; got == nil || *got != key {
			t.Errorf("%s is kept as %v", key, got)
		}
	}
	w.create("s", "v0") // with the default key
	must(w.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("v1"), ClientRequestToken: aws.String(token(1)), VersionStages: []string{"MINE"}}))(t)
	must(w.UpdateSecret(t.Context(), &api.UpdateSecretInput{SecretId: aws.String("s"), KmsKeyId: aws.String("alias/app")}))(t)
	keys := map[string]string{}
	for _, v := range must(w.ListSecretVersionIds(t.Context(), &api.ListSecretVersionIdsInput{SecretId: aws.String("s")}))(t).Versions {
		keys[v.VersionStages[0]] = v.KmsKeyIds[0]
	}
	// "re-encrypts … AWSCURRENT, AWSPENDING, AWSPREVIOUS": API_UpdateSecret
	if keys["AWSCURRENT"] != "alias/app" || keys["MINE"] != "DefaultEncryptionKey" {
		t.Errorf("the versions' keys are %v", keys)
	}
}
