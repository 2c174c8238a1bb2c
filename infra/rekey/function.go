package rekey

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// FunctionProps are the properties that every function has.
type FunctionProps struct {
	// Name of the function. Locally it has the same: its folder's.
	Name        string
	Description string
	// RoleName of its role; empty: CloudFormation makes one up.
	RoleName string
	// Code is a folder with the executable "bootstrap", as [Build] makes it.
	Code        string
	Environment map[string]string
	// Layers by ARN.
	Layers []string
	// RecordsKeyARN encrypts logs, environment and dead letters.
	RecordsKeyARN string
	// Memory in MB, Timeout in seconds.
	Memory, Timeout int
	// ReservedConcurrency keeps other functions from starving this one, and this one from
	// overrunning the databases. 0 reserves none.
	ReservedConcurrency int
	// LogRetention in days, one of CloudWatch Logs' values.
	LogRetention int
	Tracing      bool
	// SigningProfile whose signature code must have, by the ARN of its version.
	SigningProfile string
	// Attachment to a VPC, or nil.
	Attachment *Attachment
	// Delete the logs when the function leaves the template.
	Delete bool
}

// Function is a Lambda function, its role, logs, dead letters, and the alias "live" that
// everything invokes: moving it back is a rollback.
type Function struct {
	Construct                    constructs.Construct
	Name, ARN, AliasARN, RoleARN string
	DeadLetters                  Queue
	LogGroup                     string
	// SecurityGroup of a function in a VPC, by id.
	SecurityGroup string

	role awsiam.CfnRole
}

// Queue is an SQS queue.
type Queue struct{ Name, ARN, URL string }

// aliasName is what callers invoke.
const aliasName = "live"

// NewFunction makes a function that may write its logs, and nothing more until [Function.May]
// says so.
func NewFunction(scope constructs.Construct, id string, p FunctionProps) *Function {
	f := &Function{Name: p.Name, LogGroup: "/aws/lambda/" + p.Name}
	f.Construct = constructs.NewConstruct(scope, &id)
	c := f.Construct
	f.DeadLetters = NewQueue(c, "DeadLetters", QueueProps{Name: p.Name + "-dead-letters", KeyARN: p.RecordsKeyARN})
	logs := logGroup(c, "Logs", f.LogGroup, p.RecordsKeyARN, p.LogRetention, p.Delete)
	// No condition: Lambda does not say for whom it assumes an execution role. Nobody of another
	// account can pass the role to it.
	f.role = role(c, "Role", p.RoleName, "Runs "+p.Name, Statement{Services: []string{"lambda.amazonaws.com"}}, namedPolicy{"Records", "Logs, traces and dead letters of " + p.Name, p.records(c, f)})
	f.RoleARN = *f.role.AttrArn()

	props := p.lambda(c, f)
	if p.Attachment != nil {
		f.SecurityGroup = p.Attachment.securityGroup(c, p.Name)
		props.VpcConfig = map[string]any{"subnetIds": p.Attachment.Subnets, "securityGroupIds": []string{f.SecurityGroup}}
	}
	fn := awslambda.NewCfnFunction(c, jsii.String("Function"), props)
	fn.AddResourceDependency(logs, nil)
	if p.ReservedConcurrency == 0 {
		accept(fn, "Reserving takes from what the account's other functions share, so the deployment decides (functions.reservedConcurrency). Secrets Manager and EventBridge invoke again what was throttled, and an alarm tells.", concurrencyRules...)
	}
	if p.Attachment == nil {
		accept(fn, "It speaks to services on the internet, or to databases with public addresses; the VPCs of rekey have no way there. It holds no inbound door, and verifies TLS.", insideVPCRules...)
	}
	if p.Attachment != nil {
		fn.AddResourceDependency(attach(c, "Role", f.role, namedPolicy{"Network", "Network interfaces of " + p.Name, interfaces(c, p.Name)}), nil)
	}
	f.ARN = *fn.AttrArn()
	f.AliasARN = *publish(c, fn, p).Ref()
	return f
}

// May attaches a policy to the function's role. A policy without statements is left out.
func (f *Function) May(name, description string, statements ...Statement) {
	if len(statements) > 0 {
		attach(f.Construct, "Role", f.role, namedPolicy{name, description, statements})
	}
}

func (p FunctionProps) lambda(c constructs.Construct, f *Function) *awslambda.CfnFunctionProps {
	asset := awss3assets.NewAsset(c, jsii.String("Code"), &awss3assets.AssetProps{Path: &p.Code})
	props := &awslambda.CfnFunctionProps{
		FunctionName: &p.Name, Description: &p.Description, Role: f.RoleARN,
		Runtime: jsii.String("provided.al2023"), Handler: jsii.String("bootstrap"), Architectures: texts("arm64"),
		Code:       &awslambda.CfnFunction_CodeProperty{S3Bucket: asset.S3BucketName(), S3Key: asset.S3ObjectKey()},
		MemorySize: jsii.Number(float64(p.Memory)), Timeout: jsii.Number(float64(p.Timeout)),
		KmsKeyArn:        p.RecordsKeyARN,
		LoggingConfig:    map[string]any{"logGroup": f.LogGroup, "logFormat": "Text"},
		DeadLetterConfig: map[string]any{"targetArn": f.DeadLetters.ARN},
	}
	if len(p.Environment) > 0 {
		props.Environment = map[string]any{"variables": p.Environment}
	}
	if len(p.Layers) > 0 {
		props.Layers = anys(p.Layers...)
	}
	if p.ReservedConcurrency > 0 {
		props.ReservedConcurrentExecutions = jsii.Number(float64(p.ReservedConcurrency))
	}
	if p.Tracing {
		props.TracingConfig = map[string]any{"mode": "Active"}
	}
	if p.SigningProfile != "" {
		signing := awslambda.NewCfnCodeSigningConfig(c, jsii.String("Signing"), &awslambda.CfnCodeSigningConfigProps{
			Description:         jsii.String("Code of " + p.Name),
			AllowedPublishers:   map[string]any{"signingProfileVersionArns": []string{p.SigningProfile}},
			CodeSigningPolicies: map[string]any{"untrustedArtifactOnDeployment": "Enforce"},
		})
		props.CodeSigningConfigArn = signing.Ref()
	}
	return props
}

// publish makes a version and the alias. A version's id is made of its code and settings: a
// change of them makes another version, and CloudFormation keeps the old ones for a rollback.
func publish(c constructs.Construct, fn awslambda.CfnFunction, p FunctionProps) awslambda.CfnAlias {
	version := awslambda.NewCfnVersion(c, jsii.String("Version"+fingerprint(c, p)), &awslambda.CfnVersionProps{
		FunctionName: fn.Ref(), Description: jsii.String("Deployed by rekey"),
	})
	retain(version, false)
	return awslambda.NewCfnAlias(c, jsii.String("Live"), &awslambda.CfnAliasProps{
		Name: jsii.String(aliasName), FunctionName: fn.Ref(), FunctionVersion: version.AttrVersion(),
		Description: jsii.String("What is invoked"),
	})
}

// records are what a function needs to be seen.
func (p FunctionProps) records(c constructs.Construct, f *Function) []Statement {
	all := []Statement{
		{
			Sid: "Logs", Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"},
			Resources: []string{arn(c, "logs", "log-group:"+f.LogGroup+":*")},
			Wide:      "Lambda names the streams of the function's own log group.",
		},
		{Sid: "DeadLetters", Actions: []string{"sqs:SendMessage"}, Resources: []string{f.DeadLetters.ARN}},
		{
			Sid: "Encrypt", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []string{p.RecordsKeyARN},
			Conditions: Conditions{"StringEquals": {"kms:ViaService": []string{endpointOf(c, "lambda"), endpointOf(c, "sqs")}}},
		},
	}
	if p.Tracing {
		all = append(all, Statement{
			Sid: "Traces", Actions: []string{"xray:PutTelemetryRecords", "xray:PutTraceSegments"}, Resources: []string{"*"}, Wide: noResourcesOfXRay,
		})
	}
	return all
}

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
const noResourcesOfXRay = "These actions of X-Ray have no resources."

// interfaces lets Lambda attach the function to a VPC. The function's own code may not use
// it: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
func interfaces(c constructs.Construct, name string) []Statement {
	actions := []string{
		"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
		"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
	}
	return []Statement{
		{
			Sid: "Attach", Actions: actions, Resources: []string{"*"},
			Wide: "Lambda asks for all network interfaces; the next statement keeps the function's own code from using it.",
		},
		{
			Sid: "NotFromTheCode", Deny: true, Actions: actions, Resources: []string{"*"},
			Conditions: Conditions{"ArnEquals": {"lambda:SourceFunctionArn": arn(c, "lambda", "function:"+name)}},
		},
	}
}

// invokedBy lets a service invoke the alias, for this account only.
func (f *Function) invokedBy(id, service, source string) awscdk.CfnResource {
	p := &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: f.AliasARN, Principal: service,
		SourceAccount: jsii.String(account(f.Construct)),
	}
	if source != "" {
		p.SourceArn = source
	}
	return awslambda.NewCfnPermission(f.Construct, &id, p)
}

// QueueProps are the properties of a queue.
type QueueProps struct {
	Name string
	// KeyARN encrypts it; empty: a key of SQS does.
	KeyARN string
	// Services that may send, and the ARN that they send for.
	Services []string
	Source   string
}

// NewQueue makes an encrypted queue that keeps messages for 14 days.
func NewQueue(scope constructs.Construct, id string, p QueueProps) Queue {
	props := &awssqs.CfnQueueProps{QueueName: &p.Name, MessageRetentionPeriod: jsii.Number(14 * 24 * 3600)}
	if p.KeyARN != "" {
		props.KmsMasterKeyId = p.KeyARN
	} else {
		props.SqsManagedSseEnabled = true
	}
	q := awssqs.NewCfnQueue(scope, &id, props)
	accept(q, "It is itself the queue of dead letters; an alarm watches it.", "AwsSolutions-SQS3")
	statements := []Statement{onlyWithTLS("sqs:*", *q.AttrArn())}
	if len(p.Services) > 0 {
		statements = append(statements, Statement{
			Sid: "Send", Services: p.Services, Actions: []string{"sqs:SendMessage"}, Resources: []string{*q.AttrArn()},
			Conditions: Conditions{"ArnLike": {"aws:SourceArn": p.Source}},
		})
	}
	awssqs.NewCfnQueuePolicy(scope, jsii.String(id+"Policy"), &awssqs.CfnQueuePolicyProps{
		Queues: &[]*string{q.Ref()}, PolicyDocument: document(statements...),
	})
	return Queue{Name: p.Name, ARN: *q.AttrArn(), URL: *q.Ref()}
}

func logGroup(scope constructs.Construct, id, name, key string, days int, remove bool) awslogs.CfnLogGroup {
	g := awslogs.NewCfnLogGroup(scope, &id, &awslogs.CfnLogGroupProps{
		LogGroupName: &name, KmsKeyId: key, RetentionInDays: jsii.Number(float64(days)),
	})
	retain(g, remove)
	return g
}

// Attachment is where in a VPC a function runs, and what it reaches there.
type Attachment struct {
	VPC     string
	Subnets []string
	// Endpoints: the security group of the interface endpoints, or empty.
	Endpoints string
	// HTTPS: may speak to any address on port 443, where the endpoints are the VPC's own.
	HTTPS   bool
	Targets []Target
}

// Target is a server that a function may reach: a security group, or addresses.
type Target struct {
	Name                string
	SecurityGroup, CIDR string
	Port                int
}

// securityGroup reaches the named targets and the endpoints, and nothing else; nothing
// reaches it.
func (a Attachment) securityGroup(c constructs.Construct, name string) string {
	group := awsec2.NewCfnSecurityGroup(c, jsii.String("SecurityGroup"), &awsec2.CfnSecurityGroupProps{
		VpcId: a.VPC, GroupDescription: jsii.String(name + ": out to its targets, nothing in"),
		// Without a rule of its own a new group may reach everything.
		SecurityGroupEgress: []any{map[string]any{
			"cidrIp": "127.0.0.1/32", "ipProtocol": "icmp", "fromPort": 252, "toPort": 86, "description": "Nothing by default",
		}},
	})
	id := *group.AttrGroupId()
	out := func(id string, p *awsec2.CfnSecurityGroupEgressProps, port int) {
		p.GroupId, p.IpProtocol = group.AttrGroupId(), jsii.String("tcp")
		p.FromPort, p.ToPort = jsii.Number(float64(port)), jsii.Number(float64(port))
		awsec2.NewCfnSecurityGroupEgress(c, &id, p)
	}
	if a.Endpoints != "" {
		out("ToEndpoints", &awsec2.CfnSecurityGroupEgressProps{DestinationSecurityGroupId: a.Endpoints, Description: jsii.String("Endpoints of AWS services")}, 443)
		awsec2.NewCfnSecurityGroupIngress(c, jsii.String("IntoEndpoints"), &awsec2.CfnSecurityGroupIngressProps{
			GroupId: a.Endpoints, SourceSecurityGroupId: id, IpProtocol: jsii.String("tcp"),
			FromPort: jsii.Number(443), ToPort: jsii.Number(443), Description: &name,
		})
	}
	if a.HTTPS {
		out("ToHTTPS", &awsec2.CfnSecurityGroupEgressProps{CidrIp: jsii.String("0.0.0.0/0"), Description: jsii.String("AWS services by the VPC's own way")}, 443)
	}
	for _, t := range a.Targets {
		t.open(c, id, out)
	}
	return id
}

// open lets the function out to the target, and into it if it is a group.
func (t Target) open(c constructs.Construct, from string, out func(string, *awsec2.CfnSecurityGroupEgressProps, int)) {
	id := t.key()
	if t.CIDR != "" {
		out("To"+id, &awsec2.CfnSecurityGroupEgressProps{CidrIp: &t.CIDR, Description: &t.Name}, t.Port)
		return
	}
	out("To"+id, &awsec2.CfnSecurityGroupEgressProps{DestinationSecurityGroupId: t.SecurityGroup, Description: &t.Name}, t.Port)
	awsec2.NewCfnSecurityGroupIngress(c, jsii.String("Into"+id), &awsec2.CfnSecurityGroupIngressProps{
		GroupId: t.SecurityGroup, SourceSecurityGroupId: from, IpProtocol: jsii.String("tcp"),
		FromPort: jsii.Number(float64(t.Port)), ToPort: jsii.Number(float64(t.Port)), Description: jsii.String("rekey rotates passwords"),
	})
}

// key tells targets apart: two databases may share a group and a port.
func (t Target) key() string { return fmt.Sprint(t.SecurityGroup, t.CIDR, ":", t.Port) }

// identifier makes an id for a template of a name of ours: letters and digits, each word
// capital. Different names of users could become the same: they go into ids as they are.
func identifier(name string) string {
	var b strings.Builder
	up := true
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z' && up:
			b.WriteRune(r - 'a' + 'A')
			up = false
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
			b.WriteRune(r)
			up = false
		default:
			up = true
		}
	}
	return b.String()
}
