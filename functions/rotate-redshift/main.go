// Command rotate-redshift is the Lambda function that rotates the passwords of
// users of Amazon Redshift, provisioned and serverless. Secrets Manager invokes it
// once for each of the four steps.
//
// Its environment: see docs/engines/redshift.md and "Settings of the function".
package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/redshift"
	"github.com/rekey-aws/rekey/shared/redshiftapi"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

func main() {
	client, badClient := secretstore.Client(os.LookupEnv)
	directory, badDirectory := redshiftapi.New(os.LookupEnv)
	policy, badPolicy := dbuser.PolicyFrom(os.LookupEnv)
	sha256, badHash := redshift.SHA256From(os.LookupEnv)
	machine := &rotation.Machine{
		Store: secretstore.New(client),
		Engine: &dbuser.Engine{
			Drivers:        map[string]dbuser.Driver{"redshift": redshift.Driver{API: directory, SHA256: sha256}},
			Policy:         policy,
			RDS:            directory,
			PlaintextHosts: strings.FieldsFunc(os.Getenv("ALLOW_PLAINTEXT_HOSTS"), func(c rune) bool { return c == ',' || c == ' ' }),
		},
		Log:           slog.New(slog.NewJSONHandler(os.Stdout, nil)),
		Function:      lambdacontext.FunctionName,
		RequestID:     requestID,
		ARN:           functionARN,
		Misconfigured: errors.Join(cmp.Or(badClient, badDirectory), badPolicy, badHash), // the two clients read the same settings
	}
	lambda.Start(machine.Serve)
}

func requestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}

func functionARN(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.InvokedFunctionArn
	}
	return ""
}
