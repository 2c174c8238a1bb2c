package secretstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/shared/netfault"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// exceptions of Secrets Manager and of AWS in general, with their kind. What is
// not here is the service's own trouble.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
var exceptions = map[string]struct {
	kind error
	hint string
}{
	"ResourceNotFoundException": {rotation.ErrNotFound, ""},
	"ResourceExistsException":   {rotation.ErrConflict, ""},
	"AccessDeniedException":     {rotation.ErrDenied, "Allow the action to the function's role on this secret, and check the secret's resource policy, the VPC endpoint's policy and the organisation's."},
	"DecryptionFailure":         {rotation.ErrDenied, "Allow kms:Decrypt on the secret's key to the function's role, and check that the key is enabled."},
	"EncryptionFailure":         {rotation.ErrDenied, "Allow kms:GenerateDataKey and kms:Decrypt on the secret's key to the function's role, and check that the key is enabled."},
	"KMSAccessDeniedException":  {rotation.ErrDenied, "Allow kms:Decrypt and kms:GenerateDataKey on the secret's key to the function's role."},
	"InvalidRequestException":   {rotation.ErrConfig, "The secret's state does not allow this: check that it is not marked for deletion and not managed by another service."},
	"InvalidParameterException": {rotation.ErrConfig, ""},
	"ValidationException":       {rotation.ErrConfig, ""},
	"LimitExceededException":    {rotation.ErrConfig, "The secret has as many versions or labels as it may: remove labels that nothing uses."},
	"UnrecognizedClientException": {
		rotation.ErrDenied,
		"The credentials of the function are not accepted: check its role, and in local use AWS_ACCESS_KEY_ID.",
	},
	"InvalidSignatureException":  {rotation.ErrDenied, "The credentials of the function are not accepted: check its role, and the clock."},
	"ExpiredTokenException":      {rotation.ErrDenied, "The credentials of the function have expired: Lambda renews them in a new instance."},
	"MissingAuthenticationToken": {rotation.ErrDenied, "The function has no credentials: check its role."},
	"IncompleteSignature":        {rotation.ErrDenied, "The credentials of the function are not accepted: check its role."},
	"InvalidClientTokenId":       {rotation.ErrDenied, "The credentials of the function are not accepted: check its role."},
	"UnknownOperationException":  {rotation.ErrConfig, "The endpoint is not Secrets Manager: check AWS_ENDPOINT_URL."},
}

// translate gives an error of the SDK its kind. Nothing of the original is
// wrapped; code, message and request id are told, which hold no secret.
func translate(ctx context.Context, operation string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		said := fmt.Sprintf("%s: %s: %s", operation, api.ErrorCode(), api.ErrorMessage())
		if id := requestID(err); id != "" {
			said += " (request " + id + ")"
		}
		if known, ok := exceptions[api.ErrorCode()]; ok {
			err := fmt.Errorf("%s: %w", said, known.kind)
			if known.hint != "" {
				return rotation.WithHint(err, known.hint)
			}
			return err
		}
		if _, throttled := retry.DefaultThrottleErrorCodes[api.ErrorCode()]; throttled {
			return fmt.Errorf("%s: %w", said, rotation.ErrThrottled)
		}
		return fmt.Errorf("%s: %w", said, rotation.ErrVendor)
	}
	if errors.Is(err, errNoCredentials) {
		return rotation.WithHint(fmt.Errorf("%s: the function has no credentials: %w", operation, rotation.ErrDenied),
			"Lambda provides them from the function's role. Elsewhere set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
	}
	fault, known := netfault.Classify(ctx, err)
	if !known {
		fault = fmt.Errorf("the call failed in an unknown way (%T): %w", err, rotation.ErrVendor)
	}
	fault = fmt.Errorf("%s: %w", operation, fault)
	switch {
	case errors.Is(fault, rotation.ErrTLS):
		return rotation.WithHint(fault, "Check AWS_ENDPOINT_URL, and AWS_CA_BUNDLE if a private authority signs the endpoint's certificate.")
	case errors.Is(fault, rotation.ErrUnreachable):
		return rotation.WithHint(fault, noAnswer)
	}
	return fault
}

const noAnswer = "Secrets Manager did not answer: in a VPC the function needs a Secrets Manager interface endpoint whose security group admits it, with private DNS."

func requestID(err error) string {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.ServiceRequestID()
	}
	return ""
}
