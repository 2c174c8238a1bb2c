package serve

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/onemachine"
)

// sampleSecret is the secret of the throw-away database's user. Its tag tells it from one of
// the same name that someone made for themselves.
const (
	sampleSecret = "local/app"
	sampleTag    = "rekey:throw-away"
)

// ownName is by what this command's own calls are told from others', and not printed.
const ownName = onemachine.Self

// storeSample makes the secret. One that an earlier run left in the state directory speaks of
// a database that is gone: it is replaced.
func (s *service) storeSample(ctx context.Context) error {
	client := s.machine.Client(ownName)
	if err := s.clearSample(ctx, client); err != nil {
		return err
	}
	document, err := s.database.Document(s.database.Port)
	if err != nil {
		return err
	}
	_, err = client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(sampleSecret), SecretString: aws.String(document),
		Description: aws.String("The user of a throw-away database, which ends with rekey local."),
		Tags:        []types.Tag{{Key: aws.String(sampleTag), Value: aws.String("true")}},
	})
	if err != nil {
		return fmt.Errorf("creating the secret %s: %w", sampleSecret, err)
	}
	return nil
}

func (s *service) clearSample(ctx context.Context, client *secretsmanager.Client) error {
	found, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(sampleSecret)})
	if missing := (*types.ResourceNotFoundException)(nil); errors.As(err, &missing) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for the secret %s: %w", sampleSecret, err)
	}
	for _, tag := range found.Tags {
		if aws.ToString(tag.Key) == sampleTag {
			_, err := client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{
				SecretId: found.ARN, ForceDeleteWithoutRecovery: aws.Bool(true),
			})
			return err
		}
	}
	return fmt.Errorf("making the secret %s for the throw-away database: you have one of that name: delete it, or use another --state", sampleSecret)
}

// removeSample takes the secret away before its database ends, so that a state directory does
// not keep it. Failing to is no harm: the next run replaces it.
func (s *service) removeSample() {
	if s.database != nil {
		_ = s.clearSample(context.Background(), s.machine.Client(ownName))
	}
}
