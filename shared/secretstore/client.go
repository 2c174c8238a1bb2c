package secretstore

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/shared/awsclient"
)

// Client makes a Secrets Manager client from the function's settings, see
// [awsclient.Read]; lookup is os.LookupEnv. SECRETS_MANAGER_ENDPOINT is the
// endpoint as the official rotation templates call it. Nothing is called before
// the first use. Errors are ErrConfig.
func Client(lookup func(string) (string, bool)) (*secretsmanager.Client, error) {
	s, err := awsclient.Read(lookup)
	if err != nil {
		return nil, err
	}
	options := secretsmanager.Options{
		Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID,
		BaseEndpoint:    s.Endpoint("SECRETS_MANAGER"),
		EndpointOptions: secretsmanager.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
	}
	if own, _ := lookup("SECRETS_MANAGER_ENDPOINT"); own != "" {
		options.BaseEndpoint = aws.String(own)
	}
	return secretsmanager.New(options), nil
}

// withinDeadline ends the attempts of one call with its context.
func withinDeadline(ctx context.Context) func(*secretsmanager.Options) {
	return func(o *secretsmanager.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) }
}
