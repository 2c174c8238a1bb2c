// Package retirement has the [rotation.Planner] on Amazon EventBridge Scheduler:
// one schedule for each retirement, which invokes the function once and deletes
// itself.
package retirement

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// API is what the planner calls. *scheduler.Client has it.
type API interface {
	CreateSchedule(context.Context, *scheduler.CreateScheduleInput, ...func(*scheduler.Options)) (*scheduler.CreateScheduleOutput, error)
}

// Planner is a [rotation.Planner]. It is safe for several goroutines, and makes
// one call for each plan.
type Planner struct {
	api      API
	settings Settings
	function func(context.Context) string
}

// New makes a planner whose schedules invoke a function; function tells its ARN,
// which an invocation knows of itself.
func New(api API, s Settings, function func(context.Context) string) *Planner {
	return &Planner{api: api, settings: s, function: function}
}

// Lambda is invoked asynchronously: what the schedule tries again is handing the
// event over. An error of the function is Lambda's to repeat (twice), and the
// machine's, which plans another try.
const (
	maxEventAge = 6 * time.Hour
	maxAttempts = 100
)

// Plan implements [rotation.Planner].
func (p *Planner) Plan(ctx context.Context, r rotation.Retirement) error {
	function := p.function(ctx)
	if function == "" {
		return fmt.Errorf("planning a retirement: the function does not know its ARN: %w", rotation.ErrInternal)
	}
	event, err := json.Marshal(r.Event())
	if err != nil {
		return fmt.Errorf("planning a retirement: %w", rotation.ErrInternal)
	}
	target := &types.Target{
		Arn: &function, RoleArn: &p.settings.RoleARN, Input: aws.String(string(event)),
		RetryPolicy: &types.RetryPolicy{
			MaximumEventAgeInSeconds: aws.Int32(int32(maxEventAge.Seconds())), MaximumRetryAttempts: aws.Int32(maxAttempts),
		},
	}
	if p.settings.DeadLetterARN != "" {
		target.DeadLetterConfig = &types.DeadLetterConfig{Arn: &p.settings.DeadLetterARN}
	}
	_, err = p.api.CreateSchedule(ctx, &scheduler.CreateScheduleInput{
		Name:                  aws.String(Name(r)),
		GroupName:             &p.settings.Group,
		Description:           aws.String("rekey: ends the credential before version " + r.Token + " of " + r.SecretID),
		ScheduleExpression:    aws.String("at(" + r.At.UTC().Add(time.Second-1).Format("2006-01-02T15:04:05") + ")"),
		FlexibleTimeWindow:    p.settings.window(),
		ActionAfterCompletion: types.ActionAfterCompletionDelete,
		Target:                target,
	}, withinDeadline(ctx))
	var there *types.ConflictException
	if err == nil || errors.As(err, &there) { // planned already
		return nil
	}
	return translate(ctx, err)
}

// Name is what the schedule of a retirement is called: the same for the same
// secret, version and try.
func Name(r rotation.Retirement) string {
	sum := sha256.Sum256([]byte(r.SecretID + "\n" + r.Token))
	return "rekey-" + hex.EncodeToString(sum[:20]) + "-" + strconv.Itoa(r.Try)
}
