package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// SNS publishes to a topic, as text for people. The attributes severity and detection serve
// filter policies. To a FIFO topic a finding goes once in five minutes, however often it is
// sent: its key is the deduplication id.
type SNS struct {
	name, topic, playbooks string
	api                    publisher
}

type publisher interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// NewSNS makes the sink of a topic, which is given by its ARN.
func NewSNS(name, topic string, s awsclient.Settings, o Options) *SNS {
	return &SNS{name: name, topic: topic, playbooks: o.Playbooks, api: sns.New(sns.Options{
		Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID,
		BaseEndpoint:    s.Endpoint("SNS"),
		EndpointOptions: sns.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
	})}
}

// Name is as in [audit.Sink].
func (s *SNS) Name() string { return s.name }

// longestSubject is SNS's: fewer than 100 characters of ASCII.
const longestSubject = 99

// Deliver publishes a message for each finding, and stops at the first that is not accepted.
func (s *SNS) Deliver(ctx context.Context, findings []audit.Finding) error {
	for _, f := range findings {
		m := Describe(f, s.playbooks)
		in := &sns.PublishInput{
			TopicArn: &s.topic, Message: aws.String(m.Text()), Subject: aws.String(subject(m)),
			MessageAttributes: map[string]types.MessageAttributeValue{
				"severity":  attribute(m.Severity.String()),
				"detection": attribute(f.Detection.ID),
			},
		}
		if strings.HasSuffix(s.topic, ".fifo") {
			in.MessageGroupId, in.MessageDeduplicationId = aws.String(hash(f.Incident)), aws.String(hash(f.Key))
		}
		_, err := s.api.Publish(ctx, in, func(o *sns.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) })
		if err != nil {
			return snsErrors.Translate(ctx, "telling "+s.name+": Publish", err)
		}
	}
	return nil
}

func attribute(text string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &text}
}

func subject(m Message) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, "["+m.label()+"] "+m.Title)
	return text[:min(len(text), longestSubject)]
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors
var snsErrors = awsclient.Errors{
	Codes: map[string]awsclient.Meaning{
		"AuthorizationError": {Kind: rotation.ErrDenied, Hint: "Allow sns:Publish on the topic to the function's role, in the topic's policy too if it is of another account."},
		"NotFound":           {Kind: rotation.ErrConfig, Hint: "The topic is not there: correct the sink's topic."},
		"InvalidParameter":   {Kind: rotation.ErrConfig},
		"KMSAccessDenied":    {Kind: rotation.ErrDenied, Hint: "Allow kms:GenerateDataKey and kms:Decrypt on the topic's key to the function's role."},
		"KMSDisabled":        {Kind: rotation.ErrConfig, Hint: "Enable the topic's KMS key."},
		"EndpointDisabled":   {Kind: rotation.ErrConfig},
	},
	NoAnswer: "SNS did not answer: in a VPC the function needs an interface endpoint for SNS, with private DNS.",
}
