package rotating

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/functionlog"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// begin starts the rotation of a secret, or takes up the one that is pending, and says which
// version is to become current.
func (r *run) begin(ctx context.Context, s *fleet.Secret) (version string, err error) {
	in := &secretsmanager.RotateSecretInput{SecretId: &s.ARN}
	if s.Pending != "" {
		in.ClientRequestToken = &s.Pending // the same rotation
	}
	out, err := r.api.RotateSecret(ctx, in)
	if refused, reattempted := invalid(err); refused && !reattempted && s.Pending != "" {
		in.ClientRequestToken = nil // should AWS not take a token twice, this reattempts what is pending
		out, err = r.api.RotateSecret(ctx, in)
	}
	if err == nil {
		return aws.ToString(out.VersionId), nil
	}
	// The one that is reattempted is the one to follow, whoever began it.
	if _, reattempted := invalid(err); reattempted {
		if again, _, e := describe(ctx, r.api, r.region, s.ARN, r.now()); e == nil && again.Pending != "" {
			return again.Pending, nil
		}
	}
	return "", refusal(ctx, s, err)
}

// invalid says whether the secret's state does not allow a rotation, and whether that is for
// another one: "A previous rotation isn't complete. That rotation will be reattempted."
func invalid(err error) (refused, reattempted bool) {
	var wrong *types.InvalidRequestException
	if !errors.As(err, &wrong) {
		return false, false
	}
	return true, strings.Contains(wrong.ErrorMessage(), "reattempted")
}

// refusal is why Secrets Manager does not begin.
func refusal(ctx context.Context, s *fleet.Secret, err error) error {
	if err != nil && strings.Contains(err.Error(), "cannot invoke the specified Lambda function") {
		return fmt.Errorf("Secrets Manager may not invoke %s: %w. Its policy must let secretsmanager.amazonaws.com; see rekey doctor %s", //nolint:staticcheck // ST1005: the service's name
			s.FunctionARN, rotation.ErrDenied, s.Name)
	}
	return account.Explain(ctx, "RotateSecret", err)
}

// follow waits for the end of a rotation: until the version is current, its function has said
// why it cannot be, someone ended it, or time is up.
func (r *run) follow(ctx context.Context, s *fleet.Secret, version string, past functionlog.Past, begun time.Time) result {
	res := r.result(s)
	res.Version, res.Outcome = version, UnderWay
	stop := r.logs.Follow(s.FunctionARN, version, begun, past)
	defer stop()
	timeout := r.after(r.command.Timeout)
	for n := 0; ; n++ {
		labels, err := r.look(ctx, s)
		story, unread := r.logs.Story(s.FunctionARN, version)
		switch {
		case ctx.Err() != nil:
			return res
		case account.Passing(err): // it says nothing of the rotation
		case err != nil:
			return res.failed(fmt.Errorf("the rotation was begun; looking after it failed: %w", err))
		case slices.Contains(labels.of[version], rotation.Current), slices.Contains(labels.of[version], rotation.Previous): // a further one has ended since
			res.Outcome, res.Step, res.Kind, res.Error, res.Hint = Rotated, "", "", "", ""
			return res
		case !slices.Contains(labels.of[version], rotation.Pending) && n > 3: // a list may lag
			return res.failed(fmt.Errorf("%s was taken from version %s before it became current, as storing a value by hand does: %w. "+
				"Rotate again: it finds the credential that works", rotation.Pending, version, rotation.ErrNotPending))
		case !labels.enabled:
			return res.failed(fmt.Errorf("rotation was turned off meanwhile: %w. See who did: aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=CancelRotateSecret", rotation.ErrConfig))
		}
		res = res.with(story)
		r.told.step(s, story.Last)
		if res.Outcome != UnderWay {
			return res
		}
		select {
		case <-ctx.Done():
			return res
		case <-timeout:
			return res.late(r.command.Timeout, err, unread, s.Pending != "")
		case <-r.after(pause(n)):
		}
	}
}

// pause before the next look: shorter at first, when most rotations end.
func pause(n int) time.Duration {
	return min(500*time.Millisecond+time.Duration(n)*100*time.Millisecond, 5*time.Second)
}

// labelling is what tells how far a rotation is.
type labelling struct {
	of      map[string][]string
	enabled bool
}

func (r *run) look(ctx context.Context, s *fleet.Secret) (labelling, error) {
	out, err := r.api.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &s.ARN})
	if err != nil {
		return labelling{}, account.Explain(ctx, "DescribeSecret", err)
	}
	return labelling{out.VersionIdsToStages, aws.ToBool(out.RotationEnabled)}, nil
}

// with is what the function's log adds: how far it is, or that it came to an end. What the
// last failure was is known on while a further try runs.
func (res result) with(story functionlog.Story) result {
	res.Step, res.Kind, res.Error, res.Hint = story.Last.Step, "", "", ""
	told := story.Failure
	if story.Last.Outcome == functionlog.Waiting {
		told, res.Outcome = story.Last, Waits
	}
	if told.Step == "" {
		return res
	}
	res.Step, res.Kind, res.Error, res.Hint = told.Step, told.Kind, told.Error, told.Hint
	if res.Outcome != Waits && story.Stays() {
		res.Outcome = Failed
	}
	return res
}

// late is a rotation that has not ended in the time that was given; unseen and unread are why it
// or the log could not be looked at in the end.
func (res result) late(timeout time.Duration, unseen, unread error, takenUp bool) result {
	res.Outcome = Failed
	switch {
	case res.Error != "": // the function said why
	case unseen != nil:
		res.Error = fmt.Sprintf("it has not ended in %s, as far as was seen; looking after it failed: %v", timeout, unseen)
	case unread != nil:
		res.Error = fmt.Sprintf("it has not ended in %s, and the function's log could not be read: %v", timeout, unread)
	case res.LogGroup == "":
		res.Error = fmt.Sprintf("it has not ended in %s", timeout)
	default:
		res.Error = fmt.Sprintf("it has not ended in %s, and the function has logged no failure", timeout)
	}
	switch {
	case res.Hint != "":
	case takenUp:
		res.Hint = "Secrets Manager tries it again at its own time. Which side holds which credential, and how it ends: rekey unstick " + res.Secret
	default:
		res.Hint = "See whether the function is invoked at all: rekey doctor " + res.Secret
	}
	return res
}

func (res result) failed(err error) result {
	res.Outcome, res.Kind, res.Error = Failed, rotation.KindName(err), err.Error()
	return res
}
