package account

import (
	"context"
	"time"

	"github.com/rekey-aws/rekey/shared/awsclient"
)

var cloudWatchLogs = awsclient.Service{Name: "logs", Variable: "CLOUDWATCH_LOGS", Version: "1.1", Target: "Logs_20140328.", GovCloud: true}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
type (
	filter struct {
		Group   string `json:"logGroupName"`
		Pattern string `json:"filterPattern"`
		From    int64  `json:"startTime"` // Unix milliseconds, as To
		To      int64  `json:"endTime"`
		Most    int32  `json:"limit"`
		Next    string `json:"nextToken,omitempty"`
	}
	filtered struct {
		Events []struct {
			Message string `json:"message"`
		} `json:"events"`
		Next string `json:"nextToken"`
	}
)

// Lines are log events of a group between two times that match a filter pattern, at most max
// of them, the oldest first.
func (a *Account) Lines(ctx context.Context, group, pattern string, from, to time.Time, most int32) ([]string, error) {
	ask := filter{Group: group, Pattern: pattern, From: from.UnixMilli(), To: to.UnixMilli(), Most: most}
	var lines []string
	for len(lines) < int(most) {
		var page filtered
		if err := a.aws.Call(ctx, cloudWatchLogs, "FilterLogEvents", ask, &page); err != nil {
			return nil, logsErrors.Translate(ctx, "reading "+group+": FilterLogEvents", err)
		}
		for _, e := range page.Events {
			lines = append(lines, e.Message)
		}
		if ask.Next = page.Next; ask.Next == "" {
			break
		}
	}
	return lines[:min(len(lines), int(most))], nil // each page may have as many
}

var queues = awsclient.Service{Name: "sqs", Variable: "SQS", Version: "1.0", Target: "AmazonSQS.", GovCloud: true}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
type message struct {
	QueueURL string `json:"QueueUrl"`
	Body     string `json:"MessageBody"`
}

// Bury sends a message to a queue.
func (a *Account) Bury(ctx context.Context, queue, text string) error {
	if err := a.aws.Call(ctx, queues, "SendMessage", message{queue, text}, &struct{}{}); err != nil {
		return queueErrors.Translate(ctx, "keeping a dead letter: SendMessage", err)
	}
	return nil
}
