package retirement

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Settings are how retirements are planned.
type Settings struct {
	// After is the grace period; 0: nothing is retired.
	After time.Duration
	// RoleARN is the role with which EventBridge Scheduler invokes the function;
	// "": nothing is planned, and retiring is left to the next rotation.
	RoleARN string
	// Group holds the schedules.
	Group string
	// DeadLetterARN is the queue for events that could not be handed over, or "".
	DeadLetterARN string
	// Window is how much later than planned the function may be invoked.
	Window time.Duration
}

// The defaults, and the bounds of what can be set. A window is in whole minutes.
//
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_FlexibleTimeWindow.html
const (
	defaultAfter  = 24 * time.Hour
	maxAfter      = 365 * 24 * time.Hour
	defaultWindow = 15 * time.Minute
	maxWindow     = 24 * time.Hour
)

// The forms of names. They are compiled when there is one to check: a function
// starts in a few milliseconds, and these would be a tenth of them.
const (
	roleForm  = `^arn:aws(-[a-z]+)*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$`
	queueForm = `^arn:aws(-[a-z]+)*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$`
	groupForm = `^[0-9a-zA-Z_.-]+$`
)

// SettingsFrom reads the function's settings; lookup is os.LookupEnv. Errors are
// ErrConfig.
//
//	RETIRE_AFTER            the grace period, such as 24h (the default); 0: old credentials are not retired
//	RETIRE_ROLE_ARN         the role of the schedules; not set: none are made
//	RETIRE_SCHEDULE_GROUP   the group of the schedules; default
//	RETIRE_DEAD_LETTER_ARN  an SQS queue; none
//	RETIRE_WINDOW           how much later it may be, such as 15m (the default); 0: to the minute
func SettingsFrom(lookup func(string) (string, bool)) (Settings, error) {
	get := func(name string) string { v, _ := lookup(name); return v }
	s := Settings{
		RoleARN: get("RETIRE_ROLE_ARN"), DeadLetterARN: get("RETIRE_DEAD_LETTER_ARN"),
		Group: cmp.Or(get("RETIRE_SCHEDULE_GROUP"), "default"),
	}
	var err error
	if s.After, err = duration("RETIRE_AFTER", get("RETIRE_AFTER"), defaultAfter, time.Second, maxAfter); err != nil {
		return Settings{}, err
	}
	if s.Window, err = duration("RETIRE_WINDOW", get("RETIRE_WINDOW"), defaultWindow, time.Minute, maxWindow); err != nil {
		return Settings{}, err
	}
	switch {
	case !has(s.RoleARN, roleForm, 1600):
		return Settings{}, badSetting("RETIRE_ROLE_ARN", "is not the ARN of a role", "Give one such as arn:aws:iam::123456789012:role/rekey-retire, or unset it.")
	case !has(s.DeadLetterARN, queueForm, 1600):
		return Settings{}, badSetting("RETIRE_DEAD_LETTER_ARN", "is not the ARN of an SQS queue", "Give one such as arn:aws:sqs:eu-central-1:123456789012:rekey, or unset it.")
	case s.Group != "default" && !has(s.Group, groupForm, 64):
		return Settings{}, badSetting("RETIRE_SCHEDULE_GROUP", "is not the name of a schedule group", "Give 1 to 64 letters, digits, - _ or .")
	}
	return s, nil
}

// has tells whether a text that may be absent has a form.
func has(text, form string, most int) bool {
	return text == "" || len(text) <= most && regexp.MustCompile(form).MatchString(text)
}

// duration reads a setting that is 0 or within bounds.
func duration(name, text string, otherwise, least, most time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d != 0 && (d < least || d > most) {
		return 0, badSetting(name, "is not a duration that it can be", fmt.Sprintf("Set it to 0, or to %v up to %v: 24h, 90m, 45s.", least, most))
	}
	return d, nil
}

func badSetting(name, wrong, remedy string) error {
	return rotation.WithHint(fmt.Errorf("reading the function's settings: %s %s: %w", name, wrong, rotation.ErrConfig), remedy)
}

func (s Settings) window() *types.FlexibleTimeWindow {
	if s.Window < time.Minute {
		return &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}
	}
	return &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible, MaximumWindowInMinutes: aws.Int32(int32(s.Window.Minutes()))}
}

// FromEnvironment makes the planner that the function's settings ask for, nil if
// they ask for none, and the grace period. lookup is os.LookupEnv; function is as
// in [New]. Nothing is called before the first use. Errors are ErrConfig.
func FromEnvironment(lookup func(string) (string, bool), function func(context.Context) string) (rotation.Planner, time.Duration, error) {
	s, err := SettingsFrom(lookup)
	if err != nil || s.RoleARN == "" || s.After == 0 {
		return nil, s.After, err
	}
	c, err := awsclient.Read(lookup)
	if err != nil {
		return nil, s.After, err
	}
	api := scheduler.New(scheduler.Options{
		Region: c.Region, Credentials: c.Credentials, HTTPClient: c.HTTPClient, Retryer: c.Retryer, AppID: awsclient.AppID,
		BaseEndpoint:    c.Endpoint("SCHEDULER"),
		EndpointOptions: scheduler.EndpointResolverOptions{UseFIPSEndpoint: c.FIPS, UseDualStackEndpoint: c.DualStack},
	})
	return New(api, s, function), s.After, nil
}

// withinDeadline ends the attempts of one call with its context.
func withinDeadline(ctx context.Context) func(*scheduler.Options) {
	return func(o *scheduler.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) }
}

// translate gives an error of the SDK its kind.
//
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
func translate(ctx context.Context, err error) error {
	return awsclient.Errors{
		Codes: map[string]awsclient.Meaning{
			"AccessDeniedException":         {Kind: rotation.ErrDenied, Hint: "Allow scheduler:CreateSchedule on the schedule group, and iam:PassRole on RETIRE_ROLE_ARN to scheduler.amazonaws.com, to the function's role."},
			"ResourceNotFoundException":     {Kind: rotation.ErrConfig, Hint: "The schedule group of RETIRE_SCHEDULE_GROUP must exist in the function's Region."},
			"ServiceQuotaExceededException": {Kind: rotation.ErrThrottled, Hint: "The account has as many schedules as it may: ask for a higher quota of EventBridge Scheduler, or remove what is not needed."},
			"ConflictException":             {Kind: rotation.ErrConflict},
		},
		NoAnswer: "EventBridge Scheduler did not answer: in a VPC the function needs an interface endpoint for it whose security group admits it, with private DNS. Without one unset RETIRE_ROLE_ARN.",
	}.Translate(ctx, "CreateSchedule", err)
}
