package client_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/client"
	local "github.com/rekey-aws/rekey/local/secretsmanager"
)

// Secrets Manager for the examples: in a program, cfg comes from config.LoadDefaultConfig.
func manager(ctx context.Context) (*secretsmanager.Client, func()) {
	stand, err := local.New(local.Options{Region: "us-east-1"})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(stand)
	api := secretsmanager.New(secretsmanager.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
	_, err = api.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("prod/api"), SecretString: aws.String(`{"url": "https://api.example.com", "key": "first"}`)})
	if err != nil {
		panic(err)
	}
	return api, func() { server.Close(); _ = stand.Close() }
}

func ExampleCache() {
	ctx := context.Background()
	api, stop := manager(ctx)
	defer stop()

	cache := client.New(client.FromAPI(api), client.Options{})
	defer cache.Close()

	secret, err := cache.Get(ctx, "prod/api")
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := secret.Field("key")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("printed:", key, "- revealed:", key.Reveal())
	// Output: printed: [redacted] - revealed: first
}

// A key that was refused may have been rotated since it was fetched.
func ExampleCache_Newer() {
	ctx := context.Background()
	api, stop := manager(ctx)
	defer stop()
	cache := client.New(client.FromAPI(api), client.Options{})
	defer cache.Close()

	secret, _ := cache.Get(ctx, "prod/api")
	_, _ = api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: aws.String("prod/api"), SecretString: aws.String(`{"key": "second"}`)})

	// The service has refused the key of that secret.
	newer, err := cache.Newer(ctx, "prod/api", secret.Version)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, _ := newer.Field("key")
	fmt.Println(newer.Version != secret.Version, key.Reveal())
	// Output: true second
}
