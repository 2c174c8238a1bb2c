package rekey

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// NewTopic makes an encrypted topic with recipients by email, and returns its ARN. Services,
// such as CloudWatch's alarms, may publish for this account.
func NewTopic(scope constructs.Construct, id, name, title, keyARN string, services []string, emails ...string) string {
	c := constructs.NewConstruct(scope, &id)
	topic := awssns.NewCfnTopic(c, jsii.String("Topic"), &awssns.CfnTopicProps{
		TopicName: &name, DisplayName: &title, KmsMasterKeyId: keyARN,
	})
	statements := []Statement{onlyWithTLS("sns:Publish", *topic.Ref())}
	if len(services) > 0 {
		statements = append(statements, Statement{
			Sid: "Publish", Services: services, Actions: []string{"sns:Publish"}, Resources: []string{*topic.Ref()},
			Conditions: Conditions{"StringEquals": {"aws:SourceAccount": account(scope)}},
		})
	}
	awssns.NewCfnTopicPolicy(c, jsii.String("Policy"), &awssns.CfnTopicPolicyProps{
		Topics: &[]*string{topic.Ref()}, PolicyDocument: document(statements...),
	})
	for i, email := range emails {
		awssns.NewCfnSubscription(c, jsii.String(fmt.Sprintf("Email%d", i+1)), &awssns.CfnSubscriptionProps{
			TopicArn: topic.Ref(), Protocol: jsii.String("email"), Endpoint: &email,
		})
	}
	return *topic.Ref()
}
