// Command rotate-apikey is the Lambda function that rotates keys and tokens of
// vendors. Secrets Manager invokes it once for each of the four steps, and
// EventBridge Scheduler once more when the grace period of the old key is over.
//
// Its environment: see docs/engines/apikey.md, "Settings of the function".
package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/rekey-aws/rekey/shared/asking"
	"github.com/rekey-aws/rekey/shared/engines/apikey"
	"github.com/rekey-aws/rekey/shared/retirement"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

func main() {
	client, badClient := secretstore.Client(os.LookupEnv)
	planner, retireAfter, badPlanner := retirement.FromEnvironment(os.LookupEnv, functionARN)
	engine, badEngine, badSettings := apikey.Engine(os.LookupEnv, retireAfter)
	asker, badAsker := asking.FromEnvironment(os.LookupEnv)
	machine := &rotation.Machine{
		Store:         secretstore.New(client),
		Engine:        engine,
		Planner:       planner,
		RetireAfter:   retireAfter,
		RetireFirst:   true,
		Asker:         asker,
		Log:           slog.New(slog.NewJSONHandler(os.Stdout, nil)),
		Function:      lambdacontext.FunctionName,
		RequestID:     requestID,
		ARN:           functionARN,
		Misconfigured: errors.Join(cmp.Or(badClient, badEngine, badPlanner, badAsker), badSettings), // the clients read the same settings
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
