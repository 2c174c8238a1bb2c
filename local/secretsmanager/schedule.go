package secretsmanager

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// rotationRules are the rules of a schedule as the API gives and takes them.
type rotationRules struct {
	AutomaticallyAfterDays *int64  `json:",omitempty"`
	Duration               *string `json:",omitempty"`
	ScheduleExpression     *string `json:",omitempty"`
}

// schedule says when rotation windows open and close, in UTC:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
type schedule struct {
	days  int   // between windows, or
	hours int   // between windows, or
	cron  *cron // the windows' openings

	length time.Duration // of a window; zero: the default
}

// window is when a rotation may happen: from Start until before End.
type window struct {
	Start time.Time
	End   time.Time
}

// lastMoment is NextRotationDate: "the next rotation is scheduled to occur on or before this date".
func (w window) lastMoment() time.Time {
	if w.End.IsZero() {
		return w.End
	}
	return w.End.Add(-time.Second)
}

const (
	shortestInterval = 4   // hours
	longestInterval  = 999 // days
)

var (
	rateForm     = regexp.MustCompile(`^rate\(([0-9]{1,6}) (hour|day)s?\)$`)
	cronForm     = regexp.MustCompile(`^cron\((.*)\)$`)
	durationForm = regexp.MustCompile(`^([0-9]{1,2})h$`)
)

// schedule reads the rules, or says what is wrong with them.
func (r *rotationRules) schedule() (*schedule, error) {
	if err := first(number("RotationRules.AutomaticallyAfterDays", r.AutomaticallyAfterDays, 1, 1000),
		length("RotationRules.ScheduleExpression", r.ScheduleExpression, 1, 256),
		length("RotationRules.Duration", r.Duration, 2, 3)); err != nil {
		return nil, err
	}
	sched := &schedule{}
	switch {
	case r.AutomaticallyAfterDays != nil && r.ScheduleExpression != nil:
		return nil, invalidParameter("You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules.")
	case r.AutomaticallyAfterDays != nil:
		sched.days = int(*r.AutomaticallyAfterDays)
	case r.ScheduleExpression != nil:
		if err := sched.parse(*r.ScheduleExpression); err != nil {
			return nil, err
		}
	default:
		return nil, invalidParameter("You must specify either AutomaticallyAfterDays or ScheduleExpression in RotationRules.")
	}
	if r.Duration == nil {
		return sched, nil
	}
	m := durationForm.FindStringSubmatch(*r.Duration)
	if m == nil {
		return nil, invalidParameter("The Duration %q is invalid: use a number of hours, for example 3h.", *r.Duration)
	}
	hours, _ := strconv.Atoi(m[1])
	if most := sched.longestWindow(); hours < 1 || hours > most {
		return nil, invalidParameter("The Duration %q is invalid: the rotation window must not extend into the next rotation window or the next UTC day; use 1h to %dh.", *r.Duration, most)
	}
	sched.length = time.Duration(hours) * time.Hour
	return sched, nil
}

func (s *schedule) parse(expression string) error {
	wrong := func(why string) error {
		return invalidParameter("The ScheduleExpression %q is invalid: %s.", expression, why)
	}
	if m := rateForm.FindStringSubmatch(expression); m != nil {
		n, _ := strconv.Atoi(m[1])
		if m[2] == "day" {
			s.days = n
		} else {
			s.hours = n
		}
		if s.days == 0 && s.hours < shortestInterval {
			return wrong(fmt.Sprintf("a secret can be rotated every %d hours at most", shortestInterval))
		}
		if s.days > longestInterval || s.hours > longestInterval*24 {
			return wrong(fmt.Sprintf("the longest interval is %d days", longestInterval))
		}
		return nil
	}
	m := cronForm.FindStringSubmatch(expression)
	if m == nil {
		return wrong("use rate(VALUE hours|days) or cron(0 HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK *)")
	}
	c, err := parseCron(m[1])
	if err != nil {
		return wrong(err.Error())
	}
	s.cron = c
	return nil
}

// longestWindow is the largest Duration, in hours.
func (s *schedule) longestWindow() int {
	switch {
	case s.cron != nil:
		return min(s.cron.gap, 24-s.cron.lastHour())
	case s.hours > 0:
		return min(s.hours, 24)
	}
	return 24
}

// after is the first window that opens after t. Windows of rate(… days) open at midnight,
// of rate(… hours) on the hour. They are counted from t, the last rotation.
func (s *schedule) after(t time.Time) window {
	t = t.UTC()
	midnight := t.Truncate(24 * time.Hour)
	var w window
	inHours := false
	switch {
	case s.cron != nil:
		w.Start, inHours = s.cron.next(t), s.cron.severalHours()
	case s.hours > 0:
		w.Start, inHours = t.Truncate(time.Hour).Add(time.Duration(s.hours)*time.Hour), true
	default:
		w.Start = midnight.AddDate(0, 0, s.days)
	}
	switch {
	case s.length > 0:
		w.End = w.Start.Add(s.length)
	case inHours:
		w.End = w.Start.Add(time.Hour)
	default:
		w.End = w.Start.Truncate(24*time.Hour).AddDate(0, 0, 1)
	}
	return w
}
