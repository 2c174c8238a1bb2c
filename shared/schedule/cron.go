package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// cron is a schedule expression in AWS's form of six fields, with ?, L and #, which the
// common libraries do not read; in Secrets Manager the minute is 0 and the year *:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
type cron struct {
	hours, months uint64 // sets, one bit a value

	// One of these says which days. Days of the week count from 1, Sunday.
	monthDays uint64
	lastDay   bool // of the month
	weekDays  uint64
	nth       int  // of the weekDays' one day in the month; 5 may not exist
	last      bool // the last such day of the month

	gap int // the fewest hours between two occurrences
}

var (
	monthNames   = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	weekDayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

func parseCron(expression string) (*cron, error) {
	f := strings.Fields(expression)
	switch {
	case len(f) != 6:
		return nil, errors.New("cron has six fields: minutes, hours, day of month, month, day of week, year")
	case f[0] != "0":
		return nil, errors.New("the minutes must be 0, rotation windows open on the hour")
	case f[5] != "*":
		return nil, errors.New("the year must be *")
	case (f[2] == "?") == (f[4] == "?"):
		return nil, errors.New("one of day of month and day of week must be ?, and one only")
	}
	c := &cron{}
	var err error
	if c.hours, err = parseSet(f[1], 0, 23, nil); err != nil {
		return nil, fmt.Errorf("the hours %w", err)
	}
	if c.months, err = parseSet(f[3], 1, 12, monthNames); err != nil {
		return nil, fmt.Errorf("the months %w", err)
	}
	if err := c.parseDays(f[2], f[4]); err != nil {
		return nil, err
	}
	return c, c.measure()
}

func (c *cron) parseDays(ofMonth, ofWeek string) (err error) {
	switch {
	case ofMonth == "L":
		c.lastDay = true
		return nil
	case ofMonth != "?":
		if c.monthDays, err = parseSet(ofMonth, 1, 31, nil); err != nil {
			return fmt.Errorf("the days of the month %w", err)
		}
		return nil
	case ofWeek == "L":
		c.weekDays = 1 << 7 // alone, it is the last day of the week
		return nil
	}
	if day, nth, found := strings.Cut(ofWeek, "#"); found {
		ofWeek = day
		if c.nth, err = strconv.Atoi(nth); err != nil || c.nth < 1 || c.nth > 5 {
			return errors.New("the day of week has # with a number other than 1 to 5")
		}
	} else if day, found := strings.CutSuffix(ofWeek, "L"); found {
		ofWeek, c.last = day, true
	}
	if c.weekDays, err = parseSet(ofWeek, 1, 7, weekDayNames); err != nil {
		return fmt.Errorf("the days of the week %w", err)
	}
	if (c.nth > 0 || c.last) && bits.OnesCount64(c.weekDays) != 1 {
		return errors.New("the day of week has # or L with more than one day")
	}
	return nil
}

// parseSet reads a list of values, ranges and steps.
func parseSet(field string, least, most int, names []string) (uint64, error) {
	var set uint64
	for _, item := range strings.Split(field, ",") {
		span, stepText, stepped := strings.Cut(item, "/")
		step := 1
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 || n > most {
				return 0, fmt.Errorf("have a step %q that is no number from 1 to %d", stepText, most)
			}
			step = n
		}
		from, to := least, most
		if span != "*" {
			first, last, isRange := strings.Cut(span, "-")
			var err error
			if from, err = parseValue(first, least, most, names); err != nil {
				return 0, err
			}
			switch {
			case isRange:
				if to, err = parseValue(last, least, most, names); err != nil {
					return 0, err
				}
			case !stepped:
				to = from
			}
		}
		if to < from {
			return 0, fmt.Errorf("have a range %q that ends before it begins", span)
		}
		for v := from; v <= to; v += step {
			set |= 1 << v
		}
	}
	return set, nil
}

func parseValue(s string, least, most int, names []string) (int, error) {
	for i, name := range names {
		if strings.EqualFold(s, name) {
			return i + 1, nil
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("have %q, which is not from %d to %d", s, least, most)
	}
	return n, nil
}

// on says whether a day (UTC, at midnight) has occurrences.
func (c *cron) on(day time.Time) bool {
	if c.months&(1<<int(day.Month())) == 0 {
		return false
	}
	if c.lastDay {
		return day.AddDate(0, 0, 1).Day() == 1
	}
	if c.monthDays != 0 {
		return c.monthDays&(1<<day.Day()) != 0
	}
	if c.weekDays&(1<<(int(day.Weekday())+1)) == 0 {
		return false
	}
	switch {
	case c.nth > 0:
		return (day.Day()+6)/7 == c.nth
	case c.last:
		return day.AddDate(0, 0, 7).Month() != day.Month()
	}
	return true
}

// next is the first occurrence after t. Every cron that was parsed has one within eight
// years: that is how far apart 29 February can be.
func (c *cron) next(t time.Time) time.Time {
	day := t.UTC().Truncate(24 * time.Hour)
	for range 8*366 + 1 {
		if c.on(day) {
			for h := range 24 {
				at := day.Add(time.Duration(h) * time.Hour)
				if c.hours&(1<<h) != 0 && at.After(t) {
					return at
				}
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}
}

// measure finds the shortest interval between occurrences, over two leap cycles, and refuses
// one that is too short, or that never comes.
func (c *cron) measure() error {
	begin := time.Date(2023, 12, 31, 23, 0, 0, 0, time.UTC)
	end := begin.AddDate(8, 0, 0)
	before := c.next(begin)
	if before.IsZero() {
		return errors.New("no day matches it")
	}
	c.gap = 24
	for before.Before(end) && c.gap >= shortestHours {
		at := c.next(before)
		if at.IsZero() {
			break
		}
		c.gap = min(c.gap, int(at.Sub(before).Hours()))
		before = at
	}
	if c.gap < shortestHours {
		return errTooOften
	}
	return nil
}

func (c *cron) severalHours() bool { return bits.OnesCount64(c.hours) > 1 }

func (c *cron) lastHour() int { return bits.Len64(c.hours) - 1 }
