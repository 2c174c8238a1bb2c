package secretsmanagertest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/secretsmanager/secretsmanagertest"
)

func TestReadsItsSecret(t *testing.T) {
	client := secretsmanager.NewFromConfig(secretsmanagertest.New(t).Config())

	_, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("prod/db"), SecretString: aws.String(`{"password": "example"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")})
	if err != nil || *got.SecretString != `{"password": "example"}` {
		t.Errorf("got %v, %v", got, err)
	}
}
