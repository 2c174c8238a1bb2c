// Package account gives commands their way to AWS: credentials, Region and endpoint as the AWS
// CLI finds them, and errors that say what to do.
package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Flags choose an account and a Region. What they leave open is read as the AWS CLI reads it:
// variables (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL, …), then ~/.aws/config and
// ~/.aws/credentials with their single sign-on sessions and roles, then the container or the
// machine.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
type Flags struct {
	Profile string `help:"Profile of the AWS configuration." placeholder:"NAME" group:"AWS"`
	Region  string `help:"Region of the secrets; the profile's if not given." placeholder:"REGION" group:"AWS"`
}

// patience is how long credentials may take. Mostly it is a second or two, and five where there
// are none and the machine's metadata service is asked last; but a credential_process may ask a
// person. The SDK gives it as long.
const patience = processcreds.DefaultTimeout

// Config reads the configuration and makes sure of credentials and a Region, so that nothing
// is begun without them.
func (f Flags) Config(ctx context.Context) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithSharedConfigProfile(f.Profile), config.WithRegion(f.Region), config.WithAppID(awsclient.AppID),
		config.WithLogger(logging.Nop{})) // what it would say comes as an error too
	if err != nil {
		return aws.Config{}, f.unreadable(err)
	}
	cfg.RetryMaxAttempts = max(cfg.RetryMaxAttempts, 0) // else there would be no end
	attempts, mode := cfg.RetryMaxAttempts, cfg.RetryMode
	cfg.Retryer = func() aws.Retryer { return newRetryer(attempts, mode) }
	if cfg.Region == "" {
		return aws.Config{}, fmt.Errorf("no Region: %w. Say --region, set AWS_REGION, or give the profile one (aws configure)", rotation.ErrConfig)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return aws.Config{}, f.noCredentials(ctx, err)
	}
	return cfg, nil
}

// unreadable says what is wrong with the files. The SDK's own words may quote them.
func (f Flags) unreadable(err error) error {
	var (
		absent  config.SharedConfigProfileNotExistError
		loading config.SharedConfigLoadError
		role    config.SharedConfigAssumeRoleError
		chained config.AssumeRoleTokenProviderNotSetError
	)
	switch {
	case errors.As(err, &role):
		return fmt.Errorf("the role %s of profile %q has no credentials to be assumed with: %w. Check source_profile or credential_source", role.RoleARN, role.Profile, rotation.ErrConfig)
	case errors.As(err, &absent):
		return fmt.Errorf("the profile %q is in no AWS configuration file: %w. See aws configure list-profiles", absent.Profile, rotation.ErrConfig)
	case errors.As(err, &loading):
		return fmt.Errorf("%s cannot be read: %w. Check it with aws configure list", loading.Filename, rotation.ErrConfig)
	case errors.As(err, &chained):
		return fmt.Errorf("the profile's role asks for a one-time code: %w. %s", rotation.ErrConfig, exported)
	}
	switch text := strings.ToLower(err.Error()); {
	case strings.Contains(text, "retry_mode"):
		return fmt.Errorf("AWS_RETRY_MODE, or retry_mode of the profile, cannot be used: %w. It is standard or adaptive; legacy is known to the AWS CLI only", rotation.ErrConfig)
	case strings.Contains(text, "max_attempts"):
		return fmt.Errorf("AWS_MAX_ATTEMPTS, or max_attempts of the profile, cannot be used: %w. It is a number", rotation.ErrConfig)
	}
	return fmt.Errorf("the AWS configuration cannot be used: %w. Check it with aws configure list", rotation.ErrConfig)
}

// exported is how credentials that only the AWS CLI can get come here.
const exported = `Have the AWS CLI get the credentials: eval "$(aws configure export-credentials --format env)"`

// metadata is the service of the machine, which is asked last: most machines have none.
const metadata = "ec2imds"

func (f Flags) noCredentials(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errors.New("interrupted: nothing was begun")
	}
	login := "aws sso login"
	if f.Profile != "" {
		login += " --profile " + f.Profile
	}
	var expired *ssocreds.InvalidTokenError
	if errors.As(err, &expired) {
		return fmt.Errorf("the single sign-on has expired: %w. Run %s", rotation.ErrDenied, login)
	}
	var process *processcreds.ProviderError
	if errors.As(err, &process) {
		return fmt.Errorf("the profile's credential_process gave no credentials: %w. Try it by itself; it may take a minute", rotation.ErrDenied)
	}
	var call *smithy.OperationError
	if errors.As(err, &call) && call.Service() != metadata { // such as STS, and it is told why not
		return Explain(ctx, fmt.Sprintf("credentials by %s of %s", call.Operation(), call.Service()), err)
	}
	if said := Explain(ctx, "credentials", err); !errors.Is(said, rotation.ErrVendor) && !errors.Is(said, rotation.ErrUnreachable) {
		return said
	}
	return fmt.Errorf("no credentials of AWS were found: %w. Set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run %s", rotation.ErrDenied, login)
}

// SecretsManager is a client of Secrets Manager.
func SecretsManager(cfg aws.Config) *secretsmanager.Client { return secretsmanager.NewFromConfig(cfg) }

// Lambda is a client of Lambda.
func Lambda(cfg aws.Config) *lambda.Client { return lambda.NewFromConfig(cfg) }

// Logs is a client of CloudWatch Logs.
func Logs(cfg aws.Config) *cloudwatchlogs.Client { return cloudwatchlogs.NewFromConfig(cfg) }

// KMS is a client of KMS.
func KMS(cfg aws.Config) *kms.Client { return kms.NewFromConfig(cfg) }
