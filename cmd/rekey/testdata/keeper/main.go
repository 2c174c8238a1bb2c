// Command keeper is a function for tests: it appends its events to the file that KEEP names,
// a line each, or fails if there is none.
package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, event json.RawMessage) error {
		file, err := os.OpenFile(os.Getenv("KEEP"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = file.Write(append(event, '\n'))
		if closed := file.Close(); err == nil {
			err = closed
		}
		return err
	})
}
