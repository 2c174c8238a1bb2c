package secretstore

import (
	"context"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// service is what the errors of Secrets Manager mean.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
var service = awsclient.Errors{
	Codes: map[string]awsclient.Meaning{
		"ResourceNotFoundException": {Kind: rotation.ErrNotFound},
		"ResourceExistsException":   {Kind: rotation.ErrConflict},
		"AccessDeniedException":     {Kind: rotation.ErrDenied, Hint: "Allow the action to the function's role on this secret, and check the secret's resource policy, the VPC endpoint's policy and the organisation's."},
		"DecryptionFailure":         {Kind: rotation.ErrDenied, Hint: "Allow kms:Decrypt on the secret's key to the function's role, and check that the key is enabled."},
		"EncryptionFailure":         {Kind: rotation.ErrDenied, Hint: "Allow kms:GenerateDataKey and kms:Decrypt on the secret's key to the function's role, and check that the key is enabled."},
		"KMSAccessDeniedException":  {Kind: rotation.ErrDenied, Hint: "Allow kms:Decrypt and kms:GenerateDataKey on the secret's key to the function's role."},
		"InvalidRequestException":   {Kind: rotation.ErrConfig, Hint: "The secret's state does not allow this: check that it is not marked for deletion and not managed by another service."},
		"InvalidParameterException": {Kind: rotation.ErrConfig},
		"LimitExceededException":    {Kind: rotation.ErrConfig, Hint: "The secret has as many versions or labels as it may: remove labels that nothing uses."},
		"UnknownOperationException": {Kind: rotation.ErrConfig, Hint: "The endpoint is not Secrets Manager: check AWS_ENDPOINT_URL."},
	},
	NoAnswer: "Secrets Manager did not answer: in a VPC the function needs a Secrets Manager interface endpoint whose security group admits it, with private DNS.",
}

// translate gives an error of the SDK its kind.
func translate(ctx context.Context, operation string, err error) error {
	return service.Translate(ctx, operation, err)
}
