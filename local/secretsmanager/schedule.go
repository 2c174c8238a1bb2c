package secretsmanager

import (
	"regexp"
	"strconv"

	"github.com/rekey-aws/rekey/shared/schedule"
)

// rotationRules are the rules of a schedule as the API gives and takes them.
type rotationRules struct {
	AutomaticallyAfterDays *int64  `json:",omitempty"`
	Duration               *string `json:",omitempty"`
	ScheduleExpression     *string `json:",omitempty"`
}

var durationForm = regexp.MustCompile(`^([0-9]{1,2})h$`)

// schedule reads the rules, or says what is wrong with them.
func (r *rotationRules) schedule() (schedule.Schedule, error) {
	var sched schedule.Schedule
	if err := first(number("RotationRules.AutomaticallyAfterDays", r.AutomaticallyAfterDays, 1, 1000),
		length("RotationRules.ScheduleExpression", r.ScheduleExpression, 1, 256),
		length("RotationRules.Duration", r.Duration, 2, 3)); err != nil {
		return sched, err
	}
	switch {
	case r.AutomaticallyAfterDays != nil && r.ScheduleExpression != nil:
		return sched, invalidParameter("You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules.")
	case r.AutomaticallyAfterDays != nil:
		sched = schedule.Days(int(*r.AutomaticallyAfterDays))
	case r.ScheduleExpression != nil:
		var err error
		if sched, err = schedule.Parse(*r.ScheduleExpression); err != nil {
			return sched, invalidParameter("The ScheduleExpression %q is invalid: %s.", *r.ScheduleExpression, err)
		}
	default:
		return sched, invalidParameter("You must specify either AutomaticallyAfterDays or ScheduleExpression in RotationRules.")
	}
	if r.Duration == nil {
		return sched, nil
	}
	m := durationForm.FindStringSubmatch(*r.Duration)
	if m == nil {
		return sched, invalidParameter("The Duration %q is invalid: use a number of hours, for example 3h.", *r.Duration)
	}
	hours, _ := strconv.Atoi(m[1])
	if most := sched.LongestWindow(); hours < 1 || hours > most {
		return sched, invalidParameter("The Duration %q is invalid: the rotation window must not extend into the next rotation window or the next UTC day; use 1h to %dh.", *r.Duration, most)
	}
	return sched.Open(hours), nil
}
