package unstick

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
	"github.com/rekey-aws/rekey/cmd/rekey/internal/functionlog"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// carryOut makes a plan's steps, in their order. A step that AWS refuses ends it; but that a
// rotation cannot be run again, or does not end well, is no error: the next plan does without.
func (r *repair) carryOut(ctx context.Context, p plan) error {
	for _, s := range p.steps {
		var (
			flaw string // why the step is not done
			err  error
		)
		switch s.act {
		case rotate:
			flaw, err = r.rotate(ctx, s.version)
		case move:
			err = r.label(ctx, rotation.Current, s.from, &s.version)
		case discard:
			err = r.label(ctx, rotation.Pending, s.from, nil)
		}
		if call := (account.CallError{}); errors.As(err, &call) && ctx.Err() != nil {
			err = fmt.Errorf("interrupted while it was to %s. Whether it has is told by rekey doctor %s", s.said(), r.report.Name)
		}
		if err != nil {
			return err
		}
		r.outcome.Steps = append(r.outcome.Steps, written([]step{s}, flaw == "")...)
		if flaw != "" {
			r.screen.Println("  " + r.screen.Verdict("fail") + "  " + s.said() + ": " + terminal.Tame(flaw))
			continue
		}
		r.screen.Println("  " + r.screen.Verdict("ok") + "  " + s.said())
	}
	return nil
}

// label moves a label, or takes it away where there is no version to get it. Both are refused
// by Secrets Manager if the label is not where the diagnosis saw it; also to one whose first try
// was carried out, and the answer lost.
func (r *repair) label(ctx context.Context, label, from string, to *string) error {
	_, err := r.api.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &r.report.Secret, VersionStage: &label, RemoveFromVersionId: &from, MoveToVersionId: to,
	})
	if err == nil {
		return nil
	}
	if out, e := r.api.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &r.report.Secret}); e == nil {
		holder := "" // none
		for version, stages := range out.VersionIdsToStages {
			if slices.Contains(stages, label) {
				holder = version
			}
		}
		if holder == aws.ToString(to) {
			return nil
		}
	}
	return account.Explain(ctx, "moving "+label+": UpdateSecretVersionStage", err)
}

// rotate runs a rotation, and waits for its good end. A flaw is why there was none.
func (r *repair) rotate(ctx context.Context, version string) (flaw string, err error) {
	end := time.After(r.command.Timeout)
	begun, past := time.Now(), functionlog.Past{}
	if version != "" {
		past = r.logs.Past(ctx, r.report.Function, version, begun)
	}
	r.tried, r.renewed = version, r.renewed || version == ""
	version, flaw, err = r.begin(ctx, version, end)
	if flaw != "" || err != nil {
		return flaw, err
	}
	r.tried = version
	defer r.logs.Follow(r.report.Function, version, begun, past)()
	return r.await(ctx, version, end)
}

// begin starts a rotation, a new one if no version is given, and says which version it is to.
func (r *repair) begin(ctx context.Context, version string, end <-chan time.Time) (begun, flaw string, err error) {
	in := &secretsmanager.RotateSecretInput{SecretId: &r.report.Secret}
	if version != "" {
		in.ClientRequestToken = &version
	}
	for {
		out, err := r.api.RotateSecret(ctx, in)
		var invalid *types.InvalidRequestException
		reattempted := errors.As(err, &invalid) && strings.Contains(invalid.ErrorMessage(), "reattempted")
		switch {
		case err == nil:
			return aws.ToString(out.VersionId), "", nil
		case smithyCode(err, "AccessDeniedException") && strings.Contains(err.Error(), "cannot invoke"):
			// The function is gone, or may not be invoked: labels are what is left.
			return "", "Secrets Manager cannot invoke the function", nil
		case invalid != nil && !reattempted && in.ClientRequestToken == &version:
			in.ClientRequestToken = nil // should AWS not take a token twice, this reattempts what is pending; the SDK makes one
			continue
		case !reattempted:
			return "", "", account.Explain(ctx, "running the rotation: RotateSecret", err)
		case version != "":
			return version, "", nil // Secrets Manager runs it again by itself, and says so
		}
		// It is not done with the rotation whose label was taken away.
		select {
		case <-time.After(pollEvery):
		case <-end:
			return "", "Secrets Manager still tries the former one", nil
		case <-ctx.Done():
			return "", "", errors.New("interrupted before the new rotation was begun: begin it with rekey rotate " + r.report.Name)
		}
	}
}

// pollEvery is how often is asked whether a rotation has ended.
const pollEvery = 500 * time.Millisecond

func (r *repair) await(ctx context.Context, version string, end <-chan time.Time) (flaw string, err error) {
	r.screen.Begin("the rotation runs, to version " + version)
	defer r.screen.Stop()
	outage := r.situation().current.refused()
	for {
		out, err := r.api.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &r.report.Secret})
		err = account.Explain(ctx, "the rotation runs; asking how it goes: DescribeSecret", err)
		switch {
		case ctx.Err() != nil, account.Passing(err): // it says nothing of the rotation
		case err != nil:
			return "", err
		case slices.Contains(out.VersionIdsToStages[version], rotation.Current):
			return "", nil
		}
		story, _ := r.logs.Story(r.report.Function, version) // without the log, the end of the wait tells
		if story.Last.Outcome == functionlog.Waiting || story.Failures >= functionlog.Enough || outage && story.Stays() {
			// Without an outage nobody is in a hurry, and Secrets Manager may try again.
			return because(story), nil
		}
		select {
		case <-time.After(pollEvery):
		case <-end:
			if text := because(story); text != "" {
				return text, nil
			}
			return "it has not ended well within " + r.command.Timeout.String(), nil
		case <-ctx.Done():
			return "", errors.New("interrupted: the rotation goes on by itself")
		}
	}
}

// because is what the function logged of a rotation that does not end; "" if nothing.
func because(story functionlog.Story) string {
	l := story.Failure
	if story.Last.Outcome == functionlog.Waiting {
		l = story.Last
	}
	if l.Step == "" {
		return ""
	}
	return l.Step + " " + l.Outcome + " (" + l.Kind + "): " + l.Error
}
