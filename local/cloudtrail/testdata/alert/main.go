// Command alert is a function that writes the name of each event it gets, and the secret of
// it, to the file that ALERTS names.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

type event struct {
	ID         string
	DetailType string `json:"detail-type"`
	Detail     struct {
		EventName           string
		AdditionalEventData struct{ SecretID string }
	}
}

func handle(_ context.Context, e event) error {
	f, err := os.OpenFile(os.Getenv("ALERTS"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s|%s|%s\n", e.DetailType, e.Detail.EventName, e.Detail.AdditionalEventData.SecretID)
	if err != nil {
		return err
	}
	return f.Close()
}

func main() { lambda.Start(handle) }
