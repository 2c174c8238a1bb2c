package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// CallError is a call of AWS that failed, or what was made of its answer. Its text is one line with the remedy; errors.Is tells
// its kind, one of those of [rotation], unless the call was interrupted.
type CallError struct {
	cause  error
	Remedy string
}

// Error is what happened and what to do.
func (p CallError) Error() string {
	if p.Remedy == "" {
		return p.cause.Error()
	}
	return strings.TrimSuffix(p.cause.Error(), ".") + ". " + strings.TrimSuffix(p.Remedy, ".")
}

// Unwrap is what happened.
func (p CallError) Unwrap() error { return p.cause }

// Explain makes a [CallError] of an error of one of the SDK's clients; of nil, nil. The SDK's
// error is not wrapped: ask it for its code before.
func Explain(ctx context.Context, operation string, err error) error {
	if err == nil {
		return nil
	}
	var answered smithy.APIError
	if errors.Is(ctx.Err(), context.Canceled) && !errors.As(err, &answered) {
		return CallError{cause: fmt.Errorf("%s: interrupted", operation)} // by Ctrl-C, and nothing is wrong
	}
	return WithRemedy(people.Translate(ctx, operation, err))
}

// WithRemedy has an error of rekey's own packages say what to do.
func WithRemedy(err error) error { return CallError{cause: err, Remedy: rotation.Hint(err)} }

// Passing says of an error of [Explain] whether the same call may go better a moment later.
func Passing(err error) bool {
	return errors.Is(err, rotation.ErrUnreachable) || errors.Is(err, rotation.ErrThrottled) || errors.Is(err, rotation.ErrVendor)
}

const (
	notAccepted = "The credentials are not accepted: check the profile (aws sts get-caller-identity), and this machine's clock."
	expired     = "The credentials have expired: get new ones, for example with aws sso login."
	kmsDenied   = "Allow kms:Decrypt on the secret's key to the caller (kms:GenerateDataKey too, to store a value), and check that the key is enabled."
)

// people is what the errors of AWS mean to a person at a command line, where the same in a
// function would be about its role and its network.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
// https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html
var people = awsclient.Errors{
	Codes: map[string]awsclient.Meaning{
		"ResourceNotFoundException": {Kind: rotation.ErrNotFound, Hint: "Check the name, the Region (--region) and the account (--profile)."},
		"ResourceExistsException":   {Kind: rotation.ErrConflict, Hint: "Somebody else changed it meanwhile: look again, then repeat the command."},
		"AccessDeniedException":     {Kind: rotation.ErrDenied, Hint: "Allow the action to the caller (aws sts get-caller-identity) on this secret, and check the secret's resource policy, the VPC endpoint's policy and the organisation's."},
		"DecryptionFailure":         {Kind: rotation.ErrDenied, Hint: kmsDenied},
		"EncryptionFailure":         {Kind: rotation.ErrDenied, Hint: kmsDenied},
		"KMSAccessDeniedException":  {Kind: rotation.ErrDenied, Hint: kmsDenied},
		"InvalidRequestException":   {Kind: rotation.ErrConfig, Hint: "The secret's state does not allow this: check that it is not marked for deletion and not managed by another service."},
		"InvalidParameterException": {Kind: rotation.ErrConfig, Hint: "Correct what the message names."},
		"LimitExceededException":    {Kind: rotation.ErrConfig, Hint: "The secret has as many versions or labels as it may: remove labels that nothing uses."},

		"UnrecognizedClientException": {Kind: rotation.ErrDenied, Hint: notAccepted},
		"InvalidClientTokenId":        {Kind: rotation.ErrDenied, Hint: notAccepted},
		"IncompleteSignature":         {Kind: rotation.ErrDenied, Hint: notAccepted},
		"InvalidSignatureException":   {Kind: rotation.ErrDenied, Hint: notAccepted},
		"SignatureDoesNotMatch":       {Kind: rotation.ErrDenied, Hint: notAccepted},
		"ExpiredTokenException":       {Kind: rotation.ErrDenied, Hint: expired},
		"ExpiredToken":                {Kind: rotation.ErrDenied, Hint: expired},
		"UnauthorizedException":       {Kind: rotation.ErrDenied, Hint: expired},
		"AccessDenied":                {Kind: rotation.ErrDenied, Hint: "Check the profile's role: its trust policy, and the caller's permission to assume it."},
		"MissingAuthenticationToken":  {Kind: rotation.ErrDenied, Hint: notAccepted},
		"UnknownOperationException":   {Kind: rotation.ErrConfig, Hint: "The endpoint is another service's: check AWS_ENDPOINT_URL."},
		"InvalidAction":               {Kind: rotation.ErrConfig, Hint: "The endpoint is another service's: check AWS_ENDPOINT_URL."},
	},
	NoAnswer: "AWS did not answer: check the network, the Region's name (--region), and AWS_ENDPOINT_URL and HTTPS_PROXY if they are set.",
}
