package rotating

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/functionlog"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/output"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// RehearseCommand is the command line of rekey rehearse.
type RehearseCommand struct {
	Secret string `arg:"" help:"The secret: its name or ARN." placeholder:"SECRET"`

	Account account.Flags `embed:""`
	Form    output.Flags  `embed:""`

	Timeout time.Duration `help:"How long to follow it; ${default} if not given." default:"2m" placeholder:"D"`
}

// Help is the text below the usage of rekey rehearse --help.
func (RehearseCommand) Help() string {
	return `Secrets Manager invokes the function's testSecret, as before a rotation: it reads the current value and logs in with it, from where the function runs; with an administrator it also checks all that a rotation needs. No value and no label changes in the end, and the function and the rules are passed as they are. Secrets Manager counts the next rotation of a secret that rotates every so many days or hours from now on; that is told.

Only the function's log has the result. It needs secretsmanager:DescribeSecret and RotateSecret on the secret, lambda:InvokeFunction on the function, and logs:FilterLogEvents on its log group.`
}

// Validate checks what can be before anything is called.
func (c *RehearseCommand) Validate() error {
	if c.Timeout < time.Second {
		return usage.Errorf("--timeout: %s is too short: give a second or more", c.Timeout)
	}
	return nil
}

// Run rehearses.
func (c *RehearseCommand) Run(ctx context.Context, stdout io.Writer, screen *terminal.Terminal, aside terminal.Aside) error {
	r, err := newRun(ctx, &Command{Account: c.Account, Form: c.Form, Timeout: c.Timeout}, stdout, screen, aside)
	if err != nil {
		return err
	}
	defer r.aside.Stop()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go r.logs.Run(watching)
	return r.rehearse(ctx, c.Secret)
}

func (r *run) rehearse(ctx context.Context, id string) error {
	s, before, err := describe(ctx, r.api, r.region, id, r.now())
	if err == nil {
		err = mayRehearse(s)
	}
	if err != nil {
		return err
	}
	begun := r.now()
	out, err := r.api.RotateSecret(ctx, &secretsmanager.RotateSecretInput{
		SecretId: &s.ARN, RotateImmediately: aws.Bool(false), RotationLambdaARN: before.RotationLambdaARN, RotationRules: same(before.RotationRules),
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return refusal(ctx, s, err)
	}
	r.told.expect(1)
	r.told.began(s)
	res, after := r.watchRehearsal(ctx, s, aws.ToString(out.VersionId), begun)
	res.Seconds = r.now().Sub(begun).Seconds()
	r.told.ended(s, res)
	if _, err := r.told.close(); err != nil {
		return err
	}
	r.compare(before, after)
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case res.Outcome == Failed:
		return errors.New("the rehearsal failed: the next rotation would too")
	case res.Outcome == Unknown:
		return errors.New("the rehearsal has ended, and its result is not known")
	}
	return nil
}

var errInterrupted = errors.New("interrupted: the rehearsal goes on in AWS if it was begun, and changes nothing")

// same are the rules to pass so that they stay. A description has the days that follow from an
// expression beside it, and a request may have one of both:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
func same(rules *types.RotationRulesType) *types.RotationRulesType {
	if rules == nil || rules.ScheduleExpression == nil {
		return rules
	}
	return &types.RotationRulesType{ScheduleExpression: rules.ScheduleExpression, Duration: rules.Duration}
}

// logPatience is how long a line may take to appear when the rehearsal has ended.
const logPatience = 20 * time.Second

// watchRehearsal waits for the line of testSecret. Its version is there as long as it runs, and
// is removed whether it passed or not. The secret is returned as it was seen last.
func (r *run) watchRehearsal(ctx context.Context, s *fleet.Secret, version string, begun time.Time) (result, *secretsmanager.DescribeSecretOutput) {
	res := r.result(s)
	res.Version, res.Outcome = version, UnderWay
	stop := r.logs.Follow(s.FunctionARN, version, begun, functionlog.Past{})
	defer stop()
	timeout := r.after(r.command.Timeout)
	var over <-chan time.Time // no line comes any more
	for n := 0; ; n++ {
		_, now, err := describe(ctx, r.api, r.region, s.ARN, r.now())
		story, unread := r.logs.Story(s.FunctionARN, version)
		_, there := map[string][]string{}, false
		if now != nil {
			_, there = now.VersionIdsToStages[version]
		}
		if there {
			over = nil // a list may lag
		}
		switch last := story.Last; {
		case ctx.Err() != nil:
			return res, nil
		case account.Passing(err): // it says nothing of the rehearsal
		case err != nil:
			return res.failed(fmt.Errorf("the rehearsal was begun; %w", err)), nil
		case last.Outcome == functionlog.Failed && (!there || story.Failures >= functionlog.Enough):
			res.Outcome, res.Step, res.Kind, res.Error, res.Hint = Failed, last.Step, last.Kind, last.Error, last.Hint
			return res, now
		case last.Outcome != "" && last.Outcome != functionlog.Failed && !there:
			res.Outcome, res.Step = Passed, last.Step
			return res, now
		case !there && unread != nil && errors.Is(unread, rotation.ErrDenied):
			return res.unknown(unread), now
		case !there && over == nil:
			over = r.after(logPatience)
		}
		select {
		case <-ctx.Done():
		case <-over:
			return res.unknown(unread), now
		case <-timeout:
			return res.late(r.command.Timeout, err, unread, false), now
		case <-r.after(pause(n)):
		}
	}
}

func (res result) unknown(unread error) result {
	res.Outcome, res.Error = Unknown, "no line about it is in the function's log"
	if unread != nil {
		res.Error = unread.Error()
	}
	res.Hint = "CloudTrail has it within minutes: aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=TestRotationFailed, or TestRotationSucceeded"
	return res
}

// compare tells what is not as it was before the rehearsal.
func (r *run) compare(before, after *secretsmanager.DescribeSecretOutput) {
	if after == nil || r.told.format != output.Table {
		return
	}
	if a, b := aws.ToTime(before.NextRotationDate), aws.ToTime(after.NextRotationDate); !a.Equal(b) {
		r.screen.Println(fmt.Sprintf("     The next rotation is due by %s; before it was %s.", day(b), day(a)))
	}
	if aws.ToString(before.RotationLambdaARN) != aws.ToString(after.RotationLambdaARN) || !reflect.DeepEqual(same(before.RotationRules), same(after.RotationRules)) {
		r.screen.Println("     The function or the rules of the rotation are others than before: someone changed them at the same time.")
	}
}

func day(t time.Time) string {
	if t.IsZero() {
		return "not planned"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}
