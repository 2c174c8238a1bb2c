package rekey

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
)

// RotationFunction is a function that Secrets Manager may invoke.
type RotationFunction struct {
	*Function
	// Permission of Secrets Manager, which a schedule depends on.
	Permission awscdk.CfnResource
}

// NewRotationFunction makes a function that rotates secrets of this account. Which ones, say
// [RotationFunction.MayRotate] and the secrets themselves.
func NewRotationFunction(scope constructs.Construct, id string, p FunctionProps) *RotationFunction {
	f := NewFunction(scope, id, p)
	return &RotationFunction{f, f.invokedBy("InvokedBySecretsManager", "secretsmanager.amazonaws.com", "")}
}
