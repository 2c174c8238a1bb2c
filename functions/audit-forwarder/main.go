// Command audit-forwarder is the Lambda function that turns what AWS records of secrets into
// alerts: EventBridge hands it events, at once or through SQS, and a schedule lets it look for
// rotations that are overdue.
//
// Its environment: see docs/alerts.md.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/rekey-aws/rekey/shared/audit/forwarder"
)

func main() {
	forward := forwarder.New(os.LookupEnv, slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	lambda.Start(forward.Handle)
}
