package rekey

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// RotatedSecretProps are the properties of a secret that rotates.
type RotatedSecretProps struct {
	// Name in Secrets Manager. It cannot change later: that would be another secret.
	Name string
	// Existing secret to take over, by its full ARN. Its value, key, replicas and policy stay
	// as they are; it gets the schedule.
	Existing    string
	Description string
	// KeyARN of the key that encrypts it.
	KeyARN string
	// Replicas by Region, with the ARN of the key there.
	Replicas []Replica
	Tags     map[string]string
	// Delete has Secrets Manager delete the secret, after its recovery window, when it
	// leaves the template.
	Delete bool

	// Access to a secret that is made.
	Access   Access
	Rotation Rotation
}

// Replica is a Region that has a copy of a secret, and the key that encrypts it there.
type Replica struct{ Region, KeyARN string }

// Access is who may touch a secret. Nobody else may, whatever policies of theirs say; who
// manages the account can change this policy, and that is detected.
type Access struct {
	Readers, Writers Principals
	// Rotators by ARN: the role that rotates the secret, and those that read it to rotate others.
	Rotators []string
	// Organization whose principals alone may use it, o-….
	Organization string
	// Endpoints of VPCs that values are read through, and no other way. Rotators and writers
	// are free to come from elsewhere.
	Endpoints []string
}

// Principals by ARN, and those of the account that have all of some tags.
type Principals struct {
	ARNs   []string
	Tagged map[string]string
}

// Rotation is how and when a secret rotates.
type Rotation struct {
	// FunctionARN is the alias of a [RotationFunction].
	FunctionARN string
	// Expression: rate(n hours), rate(n days) or cron(…), as Secrets Manager takes it.
	Expression string
	// Window: whole hours within which it begins; 0 leaves that to Secrets Manager.
	Window int
	// Immediately rotates when the schedule is deployed or changed. Otherwise the current
	// value is tested.
	Immediately bool
	// Permission that Secrets Manager needs to invoke the function, so that it is there first.
	Permission awscdk.CfnResource
}

// RotatedSecret is a secret, its resource policy, and its schedule.
type RotatedSecret struct {
	Construct constructs.Construct
	Name      string
	// ARN of the secret.
	ARN string
}

// NewRotatedSecret makes a secret without a value, or takes over one that exists, and has it
// rotated. The value is put once, by a writer; see docs/deploy.md.
func NewRotatedSecret(scope constructs.Construct, id string, p RotatedSecretProps) *RotatedSecret {
	s := &RotatedSecret{Name: p.Name, ARN: p.Existing}
	s.Construct = constructs.NewConstruct(scope, &id)
	var policy awscdk.CfnResource
	if p.Existing == "" {
		s.ARN = *newSecret(s.Construct, p).Ref()
		policy = awssecretsmanager.NewCfnResourcePolicy(s.Construct, jsii.String("Policy"), &awssecretsmanager.CfnResourcePolicyProps{
			SecretId: s.ARN, BlockPublicPolicy: true, ResourcePolicy: document(p.Access.statements(s.Construct, p.Rotation.FunctionARN)...),
		})
	}
	rules := &awssecretsmanager.CfnRotationSchedule_RotationRulesProperty{ScheduleExpression: &p.Rotation.Expression}
	if p.Rotation.Window > 0 {
		rules.Duration = jsii.String(fmt.Sprintf("%dh", p.Rotation.Window))
	}
	schedule := awssecretsmanager.NewCfnRotationSchedule(s.Construct, jsii.String("Schedule"), &awssecretsmanager.CfnRotationScheduleProps{
		SecretId: &s.ARN, RotationLambdaArn: &p.Rotation.FunctionARN, RotationRules: rules,
		RotateImmediatelyOnUpdate: p.Rotation.Immediately,
	})
	if policy != nil {
		schedule.AddResourceDependency(policy, nil)
	}
	if p.Rotation.Permission != nil {
		schedule.AddResourceDependency(p.Rotation.Permission, nil)
	}
	return s
}

func newSecret(c constructs.Construct, p RotatedSecretProps) awssecretsmanager.CfnSecret {
	var replicas []any
	for _, r := range p.Replicas {
		replicas = append(replicas, &awssecretsmanager.CfnSecret_ReplicaRegionProperty{Region: &r.Region, KmsKeyId: &r.KeyARN})
	}
	props := &awssecretsmanager.CfnSecretProps{Name: &p.Name, KmsKeyId: &p.KeyARN}
	if p.Description != "" {
		props.Description = &p.Description
	}
	if len(replicas) > 0 {
		props.ReplicaRegions = &replicas
	}
	secret := awssecretsmanager.NewCfnSecret(c, jsii.String("Secret"), props)
	for key, value := range sorted(p.Tags) {
		awscdk.Tags_Of(secret).Add(&key, &value, nil)
	}
	retain(secret, p.Delete)
	return secret
}
