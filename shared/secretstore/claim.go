package secretstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Claim implements [rotation.Claimer]. PutSecretValue refuses another value for a
// version that has one: "If you use the same ClientRequestToken with a different
// secret value, the operation fails", which makes it a compare-and-set. With a
// label of its own the version moves none of AWS's.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func (s *Store) Claim(ctx context.Context, r rotation.Rotation, id string, note rotation.Value) error {
	in := &secretsmanager.PutSecretValueInput{
		SecretId:           &r.SecretID,
		ClientRequestToken: &id,
		VersionStages:      []string{rotation.ClaimLabel},
		SecretString:       aws.String(note.Reveal()),
	}
	if r.RotationToken != "" {
		in.RotationToken = aws.String(r.RotationToken.Reveal())
	}
	_, err := s.api.PutSecretValue(ctx, in, withinDeadline(ctx))
	if err == nil {
		return nil
	}
	err = translate(ctx, "PutSecretValue", err)
	if errors.Is(err, rotation.ErrConflict) {
		return fmt.Errorf("claiming %s: %w", id, rotation.ErrConflict)
	}
	return err
}
