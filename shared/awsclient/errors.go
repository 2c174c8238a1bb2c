package awsclient

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

// Meaning is the kind of an error code of AWS and, if the kind's own advice does
// not do, what to do.
type Meaning struct {
	Kind error
	Hint string
}

// Errors tells what the errors of one service mean.
type Errors struct {
	// Codes are the service's own. Those that every service has need not be here,
	// and neither need those that are the service's own trouble.
	Codes map[string]Meaning
	// NoAnswer is what to do when the service is not reached.
	NoAnswer string
}

// The callers are functions, and programs that use package client.
const (
	notAccepted = "AWS does not accept the credentials: check the role that the call is made with, and in local use AWS_ACCESS_KEY_ID."
	notSigned   = "AWS does not accept the signature: check the role that the call is made with, and the clock."
	expired     = "The credentials have expired. Lambda renews them in a new instance; elsewhere sign in anew, or have them renewed."
)

// everywhere are the codes that services have in common.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
var everywhere = map[string]Meaning{
	"ValidationException":         {rotation.ErrConfig, ""},
	"UnrecognizedClientException": {rotation.ErrDenied, notAccepted},
	"InvalidClientTokenId":        {rotation.ErrDenied, notAccepted},
	"IncompleteSignature":         {rotation.ErrDenied, notAccepted},
	"InvalidSignatureException":   {rotation.ErrDenied, notSigned},
	"SignatureDoesNotMatch":       {rotation.ErrDenied, notSigned},
	"ExpiredTokenException":       {rotation.ErrDenied, expired},
	"ExpiredToken":                {rotation.ErrDenied, expired},
	"MissingAuthenticationToken":  {rotation.ErrDenied, "The call is made without credentials: check the role that it is made with."},
	"UnknownOperationException":   {rotation.ErrConfig, "The endpoint is another service's: check AWS_ENDPOINT_URL."},
	"InvalidAction":               {rotation.ErrConfig, "The endpoint is another service's: check AWS_ENDPOINT_URL."},
}

// Translate gives an error of the SDK its kind. Nothing of the original is
// wrapped; code, message and request id are told, which hold no secret.
func (e Errors) Translate(ctx context.Context, operation string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		said := fmt.Sprintf("%s: %s: %s", operation, api.ErrorCode(), api.ErrorMessage())
		if id := requestID(err); id != "" {
			said += " (request " + id + ")"
		}
		meaning := e.meaning(api.ErrorCode())
		err := fmt.Errorf("%s: %w", said, meaning.Kind)
		if meaning.Hint != "" {
			return rotation.WithHint(err, meaning.Hint)
		}
		return err
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
		return rotation.WithHint(fault, e.NoAnswer)
	}
	return fault
}

func (e Errors) meaning(code string) Meaning {
	if m, ok := e.Codes[code]; ok {
		return m
	}
	if m, ok := everywhere[code]; ok {
		return m
	}
	if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled {
		return Meaning{Kind: rotation.ErrThrottled}
	}
	return Meaning{Kind: rotation.ErrVendor}
}

func requestID(err error) string {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.ServiceRequestID()
	}
	return ""
}
