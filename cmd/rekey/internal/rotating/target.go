package rotating

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// API is what is asked of Secrets Manager.
type API interface {
	fleet.API
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	RotateSecret(context.Context, *secretsmanager.RotateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.RotateSecretOutput, error)
}

// describe is a secret as it is now.
func describe(ctx context.Context, api API, region, id string, now time.Time) (*fleet.Secret, *secretsmanager.DescribeSecretOutput, error) {
	out, err := api.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", id, account.Explain(ctx, "DescribeSecret", err))
	}
	return fleet.Described(out, region, now, fleet.DefaultLimits), out, nil
}

// mayRotate says why a secret is not to be rotated by this command; nil: it may be. Secrets
// Manager would take RotateSecret of a secret whose rotation is off for turning it on.
func mayRotate(s *fleet.Secret) error {
	switch {
	case s.Health == fleet.Deleting:
		return fmt.Errorf("%s is marked for deletion: %w. Restore it first (aws secretsmanager restore-secret --secret-id %s)", s.Name, rotation.ErrConfig, s.ARN)
	case s.Health == fleet.Replica:
		return fmt.Errorf("%s is a replica in %s: %w. Rotate its primary: say --region %s", s.Name, s.Region, rotation.ErrConfig, s.Primary)
	case !s.Enabled && s.FunctionARN != "":
		same := ""
		if s.Pending != "" { // while one is not complete, no other is taken
			same = " --client-request-token " + s.Pending
		}
		return fmt.Errorf("rotation of %s is off: %w. Turn it on again: aws secretsmanager rotate-secret --secret-id %s --rotation-lambda-arn %s%s, which also rotates it", s.Name, rotation.ErrConfig, s.ARN, s.FunctionARN, same)
	case !s.Enabled:
		return fmt.Errorf("rotation of %s is off, and it has no rotation function: %w. Give it one: aws secretsmanager rotate-secret --secret-id %s --rotation-lambda-arn ARN --rotation-rules AutomaticallyAfterDays=30", s.Name, rotation.ErrConfig, s.ARN)
	}
	return nil
}

// mayRehearse is mayRotate for a trial: testSecret on the current value.
func mayRehearse(s *fleet.Secret) error {
	switch {
	case mayRotate(s) != nil:
		return mayRotate(s)
	case s.FunctionARN == "":
		return fmt.Errorf("%s is rotated by %s, which has no rehearsal: %w", s.Name, s.Owner, rotation.ErrConfig)
	case s.Pending != "":
		return fmt.Errorf("%s has a rotation that is not complete (version %s has %s), so Secrets Manager takes no rehearsal: %w. "+
			"If it is under way, wait for it (rekey rotate %s follows it); if it is stuck, rekey unstick %s", s.Name, s.Pending, rotation.Pending, rotation.ErrBusy, s.Name, s.Name)
	}
	return nil
}

// chosen are the secrets to rotate, and those of a choice that cannot be. A secret that was
// named and cannot be is an error, before anything is begun.
type chosen struct {
	rotate []*fleet.Secret
	skip   []skipped
}

type skipped struct {
	secret *fleet.Secret
	reason error
}

// choose looks at what was named or chosen. It changes nothing.
func (r *run) choose(ctx context.Context) (chosen, error) {
	if len(r.command.Secret) == 0 {
		return r.list(ctx)
	}
	var all chosen
	var problems []error
	seen := map[string]bool{}
	for _, id := range r.command.Secret {
		s, _, err := describe(ctx, r.api, r.region, id, r.now())
		if err == nil {
			err = mayRotate(s)
		}
		switch {
		case ctx.Err() != nil:
			return chosen{}, errors.New("interrupted: nothing was begun")
		case err != nil:
			problems = append(problems, err)
		case !seen[s.ARN]:
			seen[s.ARN] = true
			all.rotate = append(all.rotate, s)
		}
	}
	if len(problems) > 0 && len(r.command.Secret) > 1 {
		problems = append(problems, errors.New("nothing was begun"))
	}
	return all, errors.Join(problems...)
}

func (r *run) list(ctx context.Context) (chosen, error) {
	f := &fleet.Fleet{Regions: map[string]fleet.API{r.region: r.api}, Choice: r.command.Choice, Limits: fleet.DefaultLimits, Now: r.now}
	var all chosen
	seen := 0
	err := f.Each(ctx, func(page fleet.Page) error {
		for _, s := range page.Secrets {
			s.Tags, s.Labels = nil, nil // what is kept until the end shall be little
			if why := mayRotate(s); why != nil {
				all.skip = append(all.skip, skipped{s, why})
			} else {
				all.rotate = append(all.rotate, s)
			}
		}
		if seen++; seen%10 == 0 {
			r.aside.Begin(fmt.Sprintf("looking for %s: %d found", &r.command.Choice, len(all.rotate)))
		}
		return nil
	})
	r.aside.Stop()
	switch {
	case ctx.Err() != nil:
		return chosen{}, errors.New("interrupted: nothing was begun")
	case err != nil:
		return chosen{}, err
	case len(all.rotate) == 0 && len(all.skip) == 1:
		return all, all.skip[0].reason
	case len(all.rotate) == 0:
		return all, fmt.Errorf("no secret of %s can be rotated: %d are there, without rotation: %w. See rekey status", &r.command.Choice, len(all.skip), rotation.ErrNotFound)
	}
	if len(all.skip) > 0 && !r.command.Plan {
		r.aside.Println(count(len(all.skip), "secret is", "secrets are") + " left out: --plan says why")
	}
	return all, nil
}
