package rekey

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Retirement is what ends old credentials after their grace period: a group of one-shot
// schedules, and the role with which they invoke the functions.
type Retirement struct {
	Construct      constructs.Construct
	Group, RoleARN string

	role awsiam.CfnRole
}

// NewRetirement makes the group and the role. Functions are let in by [Retirement.Invokes].
func NewRetirement(scope constructs.Construct, id, name string) *Retirement {
	r := &Retirement{Group: name}
	r.Construct = constructs.NewConstruct(scope, &id)
	awsscheduler.NewCfnScheduleGroup(r.Construct, jsii.String("Group"), &awsscheduler.CfnScheduleGroupProps{Name: &name})
	r.role = role(r.Construct, "Role", "", "Schedules that end old credentials", Statement{
		Services: []string{"scheduler.amazonaws.com"},
		Conditions: Conditions{"StringEquals": {
			"aws:SourceAccount": account(r.Construct), "aws:SourceArn": arn(r.Construct, "scheduler", "schedule-group/"+name),
		}},
	})
	r.RoleARN = *r.role.AttrArn()
	return r
}

// Invokes lets the schedules invoke a function, and leave what they could not hand over in
// its dead letters.
func (r *Retirement) Invokes(f *Function, recordsKeyARN string) {
	attach(r.Construct, "Role", r.role, namedPolicy{identifier(f.Name), "Invokes " + f.Name, []Statement{
		{Sid: "Invoke", Actions: []string{"lambda:InvokeFunction"}, Resources: []string{f.AliasARN}},
		{Sid: "DeadLetters", Actions: []string{"sqs:SendMessage"}, Resources: []string{f.DeadLetters.ARN}},
		{
			Sid: "Encrypt", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []string{recordsKeyARN},
			Conditions: Conditions{"StringEquals": {"kms:ViaService": endpointOf(r.Construct, "sqs")}},
		},
	}})
}
