// Package asking has the [rotation.Asker]s: an event on an EventBridge bus, a
// message to an SNS topic.
package asking

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// What the event is called. Rules match it:
//
//	{"source": ["rekey"], "detail-type": ["Secret Needs A Person"]}
const (
	Source     = "rekey"
	DetailType = "Secret Needs A Person"
)

// Detail is the event's detail, and the message to a topic. It holds no secret.
type Detail struct {
	Secret  string `json:"secret"`  // ARN
	Version string `json:"version"` // the pending one, to be given a value
	Reason  string `json:"reason"`
	ToDo    string `json:"whatToDo"`
}

// asker tells those that the settings name.
type asker struct {
	bus    string
	topic  string
	aws    awsclient.Settings
	topics *sns.Client
}

// The forms of the settings. They are compiled when there is one to check.
const (
	busForm   = `^(arn:aws(-[a-z]+)*:events:[a-z0-9-]+:[0-9]{12}:event-bus/)?[.\-_A-Za-z0-9/]{1,256}$`
	topicForm = `^arn:aws(-[a-z]+)*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`
)

// FromEnvironment makes the asker that the function's settings ask for, nil if they
// ask for none. lookup is os.LookupEnv. Nothing is called before the first use.
// Errors are ErrConfig.
//
//	ASK_EVENT_BUS   name or ARN of an event bus
//	ASK_TOPIC_ARN   an SNS topic
func FromEnvironment(lookup func(string) (string, bool)) (rotation.Asker, error) {
	a := &asker{}
	a.bus, _ = lookup("ASK_EVENT_BUS")
	a.topic, _ = lookup("ASK_TOPIC_ARN")
	switch {
	case a.bus == "" && a.topic == "":
		return nil, nil
	case a.bus != "" && !regexp.MustCompile(busForm).MatchString(a.bus):
		return nil, badSetting("ASK_EVENT_BUS", "is not an event bus", "Give its name or its ARN, or unset it.")
	case a.topic != "" && !regexp.MustCompile(topicForm).MatchString(a.topic):
		return nil, badSetting("ASK_TOPIC_ARN", "is not the ARN of a topic", "Give one such as arn:aws:sns:eu-central-1:123456789012:rotations, or unset it.")
	}
	s, err := awsclient.Read(lookup)
	if err != nil {
		return nil, err
	}
	a.aws = s
	a.topics = sns.New(sns.Options{
		Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID,
		BaseEndpoint:    s.Endpoint("SNS"),
		EndpointOptions: sns.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
	})
	return a, nil
}

func badSetting(name, wrong, remedy string) error {
	return rotation.WithHint(fmt.Errorf("reading the function's settings: %s %s: %w", name, wrong, rotation.ErrConfig), remedy)
}

// Ask implements [rotation.Asker]. Both are told; one that cannot be is an error.
func (a *asker) Ask(ctx context.Context, q rotation.Question) error {
	detail, err := json.Marshal(Detail{Secret: q.SecretID, Version: q.Token, Reason: q.Reason, ToDo: q.Remedy}) //nolint:gosec // G117: the ARN of the secret, not its value
	if err != nil {
		return fmt.Errorf("writing the question: %w", rotation.ErrInternal)
	}
	return errors.Join(a.put(ctx, q, string(detail)), a.publish(ctx, string(detail)))
}

var eventBridge = awsclient.Service{Name: "events", Variable: "EVENTBRIDGE", Version: "1.1", Target: "AWSEvents.", GovCloud: true, GovCloudDual: true}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
type (
	entries struct{ Entries []entry }
	entry   struct {
		EventBusName, Source, DetailType, Detail string
		Resources                                []string
	}
	taken struct {
		Entries []struct{ ErrorCode, ErrorMessage string }
	}
)

func (a *asker) put(ctx context.Context, q rotation.Question, detail string) error {
	if a.bus == "" {
		return nil
	}
	one := entry{a.bus, Source, DetailType, detail, []string{q.SecretID}}
	var out taken
	if err := a.aws.Call(ctx, eventBridge, "PutEvents", entries{[]entry{one}}, &out); err != nil {
		return translate(ctx, "PutEvents", "events:PutEvents on the bus of ASK_EVENT_BUS", err)
	}
	for _, e := range out.Entries { // the call succeeds though an entry fails
		if e.ErrorCode != "" {
			return rotation.WithHint(fmt.Errorf("PutEvents: %s: %s: %w", e.ErrorCode, e.ErrorMessage, rotation.ErrVendor), "Check the bus of ASK_EVENT_BUS.")
		}
	}
	return nil
}

// subject is at most 100 characters long, SNS's limit.
const subject = "A secret needs a new credential from a person"

func (a *asker) publish(ctx context.Context, detail string) error {
	if a.topic == "" {
		return nil
	}
	_, err := a.topics.Publish(ctx, &sns.PublishInput{TopicArn: &a.topic, Subject: aws.String(subject), Message: &detail},
		func(o *sns.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) })
	if err != nil {
		return translate(ctx, "Publish", "sns:Publish on ASK_TOPIC_ARN", err)
	}
	return nil
}

// translate gives an error of the SDK its kind.
func translate(ctx context.Context, operation, permission string, err error) error {
	denied := awsclient.Meaning{Kind: rotation.ErrDenied, Hint: "Allow " + permission + " to the function's role."}
	absent := awsclient.Meaning{Kind: rotation.ErrConfig, Hint: "The bus of ASK_EVENT_BUS and the topic of ASK_TOPIC_ARN must exist in the function's Region."}
	return awsclient.Errors{
		Codes: map[string]awsclient.Meaning{
			"AccessDeniedException": denied, "AccessDenied": denied, "AuthorizationError": denied,
			"ResourceNotFoundException": absent, "NotFound": absent, "NotFoundException": absent,
		},
		NoAnswer: "EventBridge or SNS did not answer: in a VPC the function needs an interface endpoint for it, with private DNS.",
	}.Translate(ctx, operation, err)
}
