// Package schedule reads the schedules of Secrets Manager's rotations and says when their
// windows open and close, in UTC:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
//
// It knows nothing else of ours. The stand-in runs by it; a deployment is refused by it
// before AWS would refuse it.
package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Schedule is when rotation windows open. Make one with Parse or Days. It is a value that
// several goroutines may use.
type Schedule struct {
	days  int   // between windows, or
	hours int   // between windows, or
	cron  *cron // the windows' openings

	length time.Duration // of a window; zero: the default
}

// Window is when a rotation may happen: from Start until before End.
type Window struct {
	Start time.Time
	End   time.Time
}

// LastMoment is NextRotationDate: "the next rotation is scheduled to occur on or before this date".
func (w Window) LastMoment() time.Time {
	if w.End.IsZero() {
		return w.End
	}
	return w.End.Add(-time.Second)
}

const (
	shortestHours = 4   // between rotations
	longestDays   = 999 // of a rate
)

var (
	rateForm = regexp.MustCompile(`^rate\(([0-9]{1,6}) (hour|day)s?\)$`)
	cronForm = regexp.MustCompile(`^cron\((.*)\)$`)
)

// Days is AutomaticallyAfterDays: a window every so many days.
func Days(n int) Schedule { return Schedule{days: n} }

// Parse reads rate(VALUE hours|days) or cron(0 HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK *). Its
// error is the reason alone: the caller says what of.
func Parse(expression string) (Schedule, error) {
	if m := rateForm.FindStringSubmatch(expression); m != nil {
		var s Schedule
		n, _ := strconv.Atoi(m[1])
		if m[2] == "day" {
			s.days = n
		} else {
			s.hours = n
		}
		if s.days == 0 && s.hours < shortestHours {
			return s, errTooOften
		}
		if s.days > longestDays || s.hours > longestDays*24 {
			return s, fmt.Errorf("the longest interval is %d days", longestDays)
		}
		return s, nil
	}
	m := cronForm.FindStringSubmatch(expression)
	if m == nil {
		return Schedule{}, errors.New("use rate(VALUE hours|days) or cron(0 HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK *)")
	}
	c, err := parseCron(m[1])
	return Schedule{cron: c}, err
}

var errTooOften = fmt.Errorf("a secret can be rotated every %d hours at most", shortestHours)

// LongestWindow is the largest window in hours that reaches neither the next window nor the
// next UTC day.
func (s Schedule) LongestWindow() int {
	switch {
	case s.cron != nil:
		return min(s.cron.gap, 24-s.cron.lastHour())
	case s.hours > 0:
		return min(s.hours, 24)
	}
	return 24
}

// Open is the schedule with windows of so many hours, 1 to LongestWindow.
func (s Schedule) Open(hours int) Schedule {
	s.length = time.Duration(hours) * time.Hour
	return s
}

// After is the first window that opens after t. Windows of rate(… days) open at midnight,
// of rate(… hours) on the hour. They are counted from t, the last rotation.
func (s Schedule) After(t time.Time) Window {
	t = t.UTC()
	midnight := t.Truncate(24 * time.Hour)
	var w Window
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
