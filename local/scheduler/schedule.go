package scheduler

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

// schedule is one, as it was asked for. Its fields are the API's members.
type schedule struct {
	Name                       string
	GroupName                  string
	Description                string `json:",omitempty"`
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	State                      string
	ActionAfterCompletion      string
	FlexibleTimeWindow         window
	Target                     target
	ClientToken                string `json:",omitempty"`

	Created, Modified time.Time
	At                time.Time // by the expression
	Over              bool      // it was carried out, or could not be
}

type window struct {
	Mode                   string
	MaximumWindowInMinutes int `json:",omitempty"`
}

type target struct {
	Arn              string
	RoleArn          string
	Input            string       `json:",omitempty"`
	RetryPolicy      *retryPolicy `json:",omitempty"`
	DeadLetterConfig *deadLetters `json:",omitempty"`
}

type retryPolicy struct {
	MaximumEventAgeInSeconds *int `json:",omitempty"`
	MaximumRetryAttempts     *int `json:",omitempty"`
}

type deadLetters struct{ Arn string }

// request is the body of CreateSchedule and UpdateSchedule.
type request struct {
	ActionAfterCompletion      string
	ClientToken                string
	Description                string
	FlexibleTimeWindow         *window
	GroupName                  string
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	State                      string
	Target                     *target
}

// The forms and bounds of members.
//
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
var (
	nameForm     = regexp.MustCompile(`^[0-9a-zA-Z_.-]{1,64}$`)
	tokenForm    = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	roleForm     = regexp.MustCompile(`^arn:aws(-[a-z]+)*:iam::\d{12}:role/[\w+=,.@/-]+$`)
	functionForm = regexp.MustCompile(`^arn:aws(-[a-z]+)*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_$-]+)?$`)
	queueForm    = regexp.MustCompile(`^arn:aws(-[a-z]+)*:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,80}$`)
	atForm       = regexp.MustCompile(`^at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)$`)
)

const (
	maxInput       = 256 << 10
	maxDescription = 512
)

// read checks a request and makes the schedule of it.
func (s *Server) read(name string, in *input) (*schedule, error) {
	var r request
	if err := in.decode(&r); err != nil {
		return nil, err
	}
	sch := &schedule{
		Name: name, GroupName: cmp.Or(r.GroupName, defaultGroup), Description: r.Description, ClientToken: r.ClientToken,
		ScheduleExpression: r.ScheduleExpression, ScheduleExpressionTimezone: cmp.Or(r.ScheduleExpressionTimezone, "UTC"),
		State: cmp.Or(r.State, "ENABLED"), ActionAfterCompletion: cmp.Or(r.ActionAfterCompletion, "NONE"),
	}
	if r.FlexibleTimeWindow == nil || r.Target == nil {
		return nil, invalid("FlexibleTimeWindow and Target are required.")
	}
	sch.FlexibleTimeWindow, sch.Target = *r.FlexibleTimeWindow, *r.Target
	switch {
	case !nameForm.MatchString(name):
		return nil, invalid("Name must be 1 to 64 letters, digits, hyphens, underscores and full stops.")
	case !nameForm.MatchString(sch.GroupName):
		return nil, invalid("GroupName must be 1 to 64 letters, digits, hyphens, underscores and full stops.")
	case r.ClientToken != "" && !tokenForm.MatchString(r.ClientToken):
		return nil, invalid("ClientToken must be 1 to 64 letters, digits, hyphens and underscores.")
	case len(r.Description) > maxDescription:
		return nil, invalid("Description may have %d characters.", maxDescription)
	case sch.State != "ENABLED" && sch.State != "DISABLED":
		return nil, invalid("State must be ENABLED or DISABLED.")
	case sch.ActionAfterCompletion != "NONE" && sch.ActionAfterCompletion != "DELETE":
		return nil, invalid("ActionAfterCompletion must be NONE or DELETE.")
	}
	if err := sch.FlexibleTimeWindow.check(); err != nil {
		return nil, err
	}
	if err := sch.Target.check(); err != nil {
		return nil, err
	}
	return sch, sch.time(s.opt.Now())
}

// time reads the expression. AWS refuses a time that is past.
func (s *schedule) time(now time.Time) error {
	if strings.HasPrefix(s.ScheduleExpression, "rate(") || strings.HasPrefix(s.ScheduleExpression, "cron(") {
		return invalid("The local scheduler knows one-time schedules only: at(yyyy-mm-ddThh:mm:ss).")
	}
	zone, err := time.LoadLocation(s.ScheduleExpressionTimezone)
	if err != nil || s.ScheduleExpressionTimezone == "Local" {
		return invalid("There is no time zone %.64q.", s.ScheduleExpressionTimezone)
	}
	parts := atForm.FindStringSubmatch(s.ScheduleExpression)
	if parts == nil {
		return invalid("Invalid Schedule Expression %.256s.", s.ScheduleExpression)
	}
	if s.At, err = time.ParseInLocation("2006-01-02T15:04:05", parts[1], zone); err != nil {
		return invalid("Invalid Schedule Expression %.256s.", s.ScheduleExpression)
	}
	if s.At.Before(now.Truncate(time.Second)) {
		return invalid("Invalid Schedule Expression %.256s: the time is in the past.", s.ScheduleExpression)
	}
	return nil
}

func (w window) check() error {
	switch {
	case w.Mode == "OFF" && w.MaximumWindowInMinutes == 0:
		return nil
	case w.Mode == "FLEXIBLE" && w.MaximumWindowInMinutes >= 1 && w.MaximumWindowInMinutes <= 1440:
		return nil
	}
	return invalid("FlexibleTimeWindow must be OFF, or FLEXIBLE with MaximumWindowInMinutes of 1 to 1440.")
}

func (t *target) check() error {
	age, attempts := t.limits()
	switch {
	case !roleForm.MatchString(t.RoleArn):
		return invalid("Target.RoleArn must be the ARN of a role.")
	case !functionForm.MatchString(t.Arn):
		return invalid("Target.Arn must be a function's: the local scheduler knows no other targets.")
	case t.Input != "" && (len(t.Input) > maxInput || !json.Valid([]byte(t.Input))):
		return invalid("Target.Input must be JSON for a function, of at most %d bytes.", maxInput)
	case age < time.Minute || age > 24*time.Hour:
		return invalid("MaximumEventAgeInSeconds must be 60 to 86400.")
	case attempts < 0 || attempts > 185:
		return invalid("MaximumRetryAttempts must be 0 to 185.")
	case t.DeadLetterConfig != nil && !queueForm.MatchString(t.DeadLetterConfig.Arn):
		return invalid("DeadLetterConfig.Arn must be an SQS queue's.")
	}
	return nil
}

// limits are how long, and how often again, handing an event over is tried.
func (t *target) limits() (age time.Duration, attempts int) {
	age, attempts = 24*time.Hour, 185
	if p := t.RetryPolicy; p != nil && p.MaximumEventAgeInSeconds != nil {
		age = time.Duration(*p.MaximumEventAgeInSeconds) * time.Second
	}
	if p := t.RetryPolicy; p != nil && p.MaximumRetryAttempts != nil {
		attempts = *p.MaximumRetryAttempts
	}
	return age, attempts
}
