package submit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// errNotPromoted is that the rotation has not ended well in the time there was.
var errNotPromoted = errors.New("the key is stored, and has not become AWSCURRENT")

// tell waits for the end, and says what came of it.
func (s *submission) tell(ctx context.Context, stdout io.Writer) error {
	r := report{Secret: s.arn, Version: s.version, Provider: s.provider}
	s.screen.Begin("stored in version " + s.version + "; the rotation goes on")
	promoted, err := s.await(ctx)
	r.Promoted = promoted
	s.screen.Stop()
	if err != nil {
		return err
	}
	if s.command.JSON {
		if err := json.NewEncoder(stdout).Encode(r); err != nil { //nolint:gosec // G117: the ARN of the secret, not its value
			return fmt.Errorf("writing the output: %w", err)
		}
	}
	switch {
	case promoted:
		s.screen.Println(s.screen.Mark(true) + " " + s.command.Secret + ": the new key works and is " + rotation.Current + " (version " + s.version + ")")
	case s.command.Wait:
		return fmt.Errorf("%w within %s: the function's log says why; AWSCURRENT is as it was", errNotPromoted, s.command.Timeout)
	default:
		s.screen.Println(s.command.Secret + ": stored in version " + s.version + "; the rotation goes on")
	}
	return s.screen.Err()
}

// pollEvery is how often is asked whether the rotation has ended.
const pollEvery = time.Second

func (s *submission) await(ctx context.Context) (promoted bool, err error) {
	if !s.command.Wait {
		return false, nil
	}
	end := time.After(s.command.Timeout)
	for {
		out, err := s.api.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &s.arn})
		if err != nil && ctx.Err() == nil {
			return false, fmt.Errorf("the value is stored; asking what became of the rotation failed: %w", account.Explain(ctx, "DescribeSecret", err))
		}
		if err == nil && slices.Contains(out.VersionIdsToStages[s.version], rotation.Current) {
			return true, nil
		}
		select {
		case <-time.After(pollEvery):
		case <-end:
			return false, nil
		case <-ctx.Done():
			return false, errors.New("interrupted: the value is stored, and the rotation goes on")
		}
	}
}
