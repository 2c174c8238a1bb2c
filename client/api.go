package client

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// API is what [FromAPI] calls: *secretsmanager.Client has it.
type API interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// FromAPI reads secrets from Secrets Manager. It needs secretsmanager:GetSecretValue, and
// kms:Decrypt where the key is not aws/secretsmanager.
func FromAPI(api API) Source { return manager{api} }

type manager struct{ api API }

func (m manager) Fetch(ctx context.Context, id string, _ bool) (*Secret, error) {
	out, err := m.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id},
		func(o *secretsmanager.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) })
	switch {
	case err != nil && strings.Contains(err.Error(), "get identity: "): // the SDK has no type for it
		return nil, rotation.WithHint(awsclient.Errors{}.Translate(ctx, "getting the credentials of AWS", err), identify)
	case err != nil:
		return nil, meanings.Translate(ctx, "GetSecretValue", err)
	}
	value := rotation.BinaryValue(out.SecretBinary)
	if out.SecretString != nil {
		value = rotation.TextValue(*out.SecretString)
	}
	return NewSecret(aws.ToString(out.ARN), aws.ToString(out.VersionId), value, time.Now()), nil
}

const noSuchSecret = "Check the secret's name or ARN, the Region and the account, and that it has a value labelled AWSCURRENT."

// meanings of the errors of GetSecretValue:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
var meanings = awsclient.Errors{
	Codes: map[string]awsclient.Meaning{
		"ResourceNotFoundException": {Kind: rotation.ErrNotFound, Hint: noSuchSecret},
		"AccessDeniedException":     {Kind: rotation.ErrDenied, Hint: notAllowed},
		"DecryptionFailure":         {Kind: rotation.ErrDenied, Hint: "Check that the secret's KMS key is enabled, and allow kms:Decrypt on it."},
		"InvalidRequestException":   {Kind: rotation.ErrConfig, Hint: "The secret may be marked for deletion: restore it, or use another."},
		"InvalidParameterException": {Kind: rotation.ErrConfig, Hint: "Check the secret's name or ARN."},
	},
	NoAnswer: "Check the route to Secrets Manager: a NAT gateway, or an interface endpoint in the VPC; and AWS_ENDPOINT_URL.",
}

const identify = "Give this program credentials of AWS: the role of its instance, container or function, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Those of a single sign-on may have expired."

const notAllowed = "Allow secretsmanager:GetSecretValue on the secret, in the caller's policy and in the secret's own."
