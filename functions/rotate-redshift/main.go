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

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/rekey-aws/rekey/shared/engines/redshift"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

func main() {
	client, badClient := secretstore.Client(os.LookupEnv)
	engine, badEngine, badPolicy := redshift.Engine(os.LookupEnv)
	machine := &rotation.Machine{
		Store:         secretstore.New(client),
		Engine:        engine,
		Log:           slog.New(slog.NewJSONHandler(os.Stdout, nil)),
		Function:      lambdacontext.FunctionName,
		RequestID:     requestID,
		ARN:           functionARN,
		Misconfigured: errors.Join(cmp.Or(badClient, badEngine), badPolicy), // the two clients read the same settings
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
