package rekey_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/rekey-aws/rekey/infra/rekey"
)

// An app that exists already takes a function and a secret, without rekey.yaml.
func ExampleNewRotatedSecret() {
	code, err := os.MkdirTemp("", "rotate-rds")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(code) }()
	// In an app: folders, err := rekey.Build(ctx, "cdk.out/.functions", "rotate-rds")
	if err := os.WriteFile(filepath.Join(code, "bootstrap"), []byte("compiled"), 0o600); err != nil {
		panic(err)
	}

	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-central-1")},
	})
	key := rekey.NewSecretsKey(stack, "Key", rekey.SecretsKeyProps{Alias: "shop", Secrets: []string{"shop/*"}})
	records := rekey.NewRecordsKey(stack, "RecordsKey", rekey.RecordsKeyProps{Alias: "shop-records"})
	function := rekey.NewRotationFunction(stack, "RotateRDS", rekey.FunctionProps{
		Name: "rotate-rds", Code: code, RecordsKeyARN: *records.AttrArn(), Memory: 256, Timeout: 60, LogRetention: 365,
	})
	secret := rekey.NewRotatedSecret(stack, "Orders", rekey.RotatedSecretProps{
		Name: "shop/orders", KeyARN: *key.AttrArn(),
		Access: rekey.Access{
			Readers:  rekey.Principals{ARNs: []string{"arn:aws:iam::123456789012:role/shop-api"}},
			Rotators: []string{function.RoleARN},
		},
		Rotation: rekey.Rotation{FunctionARN: function.AliasARN, Expression: "rate(30 days)", Permission: function.Permission},
	})
	function.MayRotate(*key.AttrArn(), []string{secret.ARN}, nil)

	template := assertions.Template_FromStack(stack, nil)
	template.ResourceCountIs(jsii.String("AWS::SecretsManager::RotationSchedule"), jsii.Number(1))
	fmt.Println("the secret rotates every 30 days")
	// Output: the secret rotates every 30 days
}
