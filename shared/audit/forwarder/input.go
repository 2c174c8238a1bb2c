package forwarder

import (
	"encoding/json"
)

// input is what there may be in an invocation, to tell what it is.
type input struct {
	DetailType string `json:"detail-type"`
	Source     string `json:"source"`
	Records    []struct {
		MessageID string `json:"messageId"`
		Body      string `json:"body"`
		Source    string `json:"eventSource"`
	}
}

// parse is the zero input for what is not JSON, which the normaliser will say. A record of
// CloudTrail's files has Records too, but they are no messages.
func parse(payload []byte) (in input) {
	if json.Unmarshal(payload, &in) != nil {
		return input{}
	}
	for _, r := range in.Records {
		if r.Source != "aws:sqs" || r.MessageID == "" {
			in.Records = nil
			break
		}
	}
	return in
}

func (in *input) scheduled() bool {
	return in.DetailType == "Scheduled Event" && (in.Source == "aws.events" || in.Source == "aws.scheduler")
}

// batchAnswer is what Lambda takes for a batch of which some failed:
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
type batchAnswer struct {
	Failures []failure `json:"batchItemFailures"`
}

type failure struct {
	ID string `json:"itemIdentifier"`
}
