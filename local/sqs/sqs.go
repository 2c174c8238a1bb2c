// Package sqs is Amazon SQS on one machine, as far as this project writes to it: SendMessage.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
package sqs

import (
	"context"
	"crypto/md5" //nolint:gosec // G501: the protocol's checksum
	"crypto/rand"
	"encoding/hex"
	"slices"
	"sync"

	"github.com/rekey-aws/rekey/local/awsjson"
)

// Queues serves the API. It is safe for concurrent use. Make it with New.
type Queues struct {
	awsjson.Service

	mu       sync.Mutex
	messages map[string][]string // by the queue's URL
}

// New makes the queues of these URLs.
func New(urls ...string) *Queues {
	q := &Queues{messages: map[string][]string{}}
	for _, url := range urls {
		q.messages[url] = nil
	}
	q.Service = awsjson.Service{
		Name: "sqs", Version: "1.0", Target: "AmazonSQS.",
		Operations: map[string]awsjson.Operation{"SendMessage": awsjson.Handle(q.send)},
	}
	return q
}

// Messages are the bodies that a queue has got.
func (q *Queues) Messages(url string) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.messages[url])
}

type request struct {
	QueueURL    string `json:"QueueUrl"`
	MessageBody string
}

type answer struct {
	MessageID        string `json:"MessageId"`
	MD5OfMessageBody string
}

// maxMessage is the size of the largest message:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const maxMessage = 1 << 20

func (q *Queues) send(_ context.Context, r request) (*answer, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, known := q.messages[r.QueueURL]; !known {
		return nil, awsjson.Refuse("QueueDoesNotExist", "The specified queue does not exist.")
	}
	if r.MessageBody == "" || len(r.MessageBody) > maxMessage {
		return nil, awsjson.Refuse("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must have 1 to %d bytes.", maxMessage)
	}
	q.messages[r.QueueURL] = append(q.messages[r.QueueURL], r.MessageBody)
	sum := md5.Sum([]byte(r.MessageBody)) //nolint:gosec // G401: the protocol's checksum
	return &answer{rand.Text(), hex.EncodeToString(sum[:])}, nil
}
