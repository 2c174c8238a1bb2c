package iamkey

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// within ends the attempts of one call with its context.
func within(ctx context.Context) func(*iam.Options) {
	return func(o *iam.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) }
}

// code is the error code of AWS, or "".
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// answered tells an error that IAM answered with, and so carried nothing out, from
// one that leaves that open: its own failure, or no answer.
func answered(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorFault() != smithy.FaultServer && api.ErrorCode() != "ServiceFailure" && api.ErrorCode() != "InternalFailure"
}

// gone is the error of ending a key: that it is not there is none.
func gone(ctx context.Context, operation string, err error) error {
	var none *types.NoSuchEntityException
	if err == nil || errors.As(err, &none) {
		return nil
	}
	return translate(ctx, operation, err)
}

// translate gives an error of the SDK its kind.
//
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
func translate(ctx context.Context, operation string, err error) error {
	denied := awsclient.Meaning{Kind: rotation.ErrDenied, Hint: "Allow iam:" + operation + " on the user to the function's role, and check the organisation's policies."}
	if operation == "GetCallerIdentity" {
		denied.Hint = "A policy of the organisation denies the user's key everything: it cannot be tried."
	}
	return awsclient.Errors{
		Codes: map[string]awsclient.Meaning{
			"AccessDenied": denied, "AccessDeniedException": denied,
			"NoSuchEntity":                  {Kind: rotation.ErrConfig, Hint: `"userName" must be an IAM user of the function's account.`},
			"EntityTemporarilyUnmodifiable": {Kind: rotation.ErrUnreachable, Hint: "The user is being changed: run the rotation again."},
			"ValidationError":               {Kind: rotation.ErrConfig},
		},
		NoAnswer: "IAM or STS did not answer: in a VPC the function needs a route to the internet for IAM, and an interface endpoint for STS or that route too.",
	}.Translate(ctx, operation, err)
}
