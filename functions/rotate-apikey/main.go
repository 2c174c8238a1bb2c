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
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/generated"
	"github.com/rekey-aws/rekey/shared/apikey/iamkey"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
	"github.com/rekey-aws/rekey/shared/asking"
	"github.com/rekey-aws/rekey/shared/retirement"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

func main() {
	secrets, badClient := secretstore.Client(os.LookupEnv)
	planner, retireAfter, badPlanner := retirement.FromEnvironment(os.LookupEnv, functionARN)
	asker, badAsker := asking.FromEnvironment(os.LookupEnv)
	idleFor, badIdle := apikey.IdleFrom(os.LookupEnv)
	client := outbound.New(outbound.Options{
		PrivateHosts: strings.FieldsFunc(os.Getenv("ALLOW_PRIVATE_HOSTS"), func(c rune) bool { return c == ',' || c == ' ' }),
		Proxy:        http.ProxyFromEnvironment,
	})
	builtin := generated.Providers(generated.Config{Client: client})
	users, badUsers := iamkey.New(os.LookupEnv, nil)
	builtin[iamkey.Name] = users
	folders, badFolder := providers.Folders(os.Getenv("PROVIDERS_DIR"))
	machine := &rotation.Machine{
		Store: secretstore.New(secrets),
		Engine: &apikey.Engine{
			Providers: apikey.Builtin{Providers: builtin, Others: declarative.NewDirectory(declarative.Config{Client: client}, folders...)},
			Grace:     retireAfter,
			IdleFor:   idleFor,
		},
		Planner:       planner,
		RetireAfter:   retireAfter,
		RetireFirst:   true,
		Asker:         asker,
		Log:           slog.New(slog.NewJSONHandler(os.Stdout, nil)),
		Function:      lambdacontext.FunctionName,
		RequestID:     requestID,
		ARN:           functionARN,
		Misconfigured: errors.Join(cmp.Or(badClient, badUsers, badPlanner, badAsker), badIdle, badFolder), // the clients read the same settings
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
