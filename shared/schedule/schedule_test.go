package schedule_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/schedule"
)

// The examples of https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
// among them, seen from Wednesday 15 July 2026, 15:20:30.
func TestWindows(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 7, 15, 15, 20, 30, 0, time.UTC)
	for _, c := range []struct {
		expression, duration string
		start, end           string
	}{
		{"rate(4 hours)", "", "2026-07-15 19", "2026-07-15 20"},
		{"rate(12 hours)", "3h", "2026-07-16 03", "2026-07-16 06"},
		{"rate(1 day)", "", "2026-07-16 00", "2026-07-17 00"},
		{"rate(10 days)", "", "2026-07-25 00", "2026-07-26 00"},
		{"rate(10 days)", "6h", "2026-07-25 00", "2026-07-25 06"},
		{"rate(999 days)", "24h", "2029-04-09 00", "2029-04-10 00"},
		{"cron(0 8 * * ? *)", "", "2026-07-16 08", "2026-07-17 00"},
		{"cron(0 8 * * ? *)", "16h", "2026-07-16 08", "2026-07-17 00"},
		{"cron(0 16 * * ? *)", "1h", "2026-07-15 16", "2026-07-15 17"},
		{"cron(0 8 1 * ? *)", "", "2026-08-01 08", "2026-08-02 00"},
		{"cron(0 0 ? * SUN *)", "", "2026-07-19 00", "2026-07-20 00"},
		{"cron(0 0 ? * 2-6 *)", "", "2026-07-16 00", "2026-07-17 00"},
		{"cron(0 17 ? * MON-FRI *)", "", "2026-07-15 17", "2026-07-16 00"},
		{"cron(0 16 ? * 5L *)", "", "2026-07-30 16", "2026-07-31 00"},
		{"cron(0 16 ? * THUL *)", "", "2026-07-30 16", "2026-07-31 00"},
		{"cron(0 1 ? JAN,APR,JUL,OCT SUN#1 *)", "", "2026-10-04 01", "2026-10-05 00"},
		{"cron(0 8 ? * MON#5 *)", "", "2026-08-31 08", "2026-09-01 00"},
		{"cron(0 8 ? * L *)", "", "2026-07-18 08", "2026-07-19 00"},
		{"cron(0 8 L * ? *)", "", "2026-07-31 08", "2026-08-01 00"},
		{"cron(0 8 L 2 ? *)", "", "2027-02-28 08", "2027-03-01 00"},
		{"cron(0 8 29 FEB ? *)", "", "2028-02-29 08", "2028-03-01 00"},
		{"cron(0 8 15 1/3 ? *)", "", "2026-10-15 08", "2026-10-16 00"},
		{"cron(0 */8 * * ? *)", "", "2026-07-15 16", "2026-07-15 17"},
		{"cron(0 8/12 * * ? *)", "4h", "2026-07-15 20", "2026-07-16 00"},
		{"cron(0 0,8,16 1,15 * ? *)", "", "2026-07-15 16", "2026-07-15 17"},
	} {
		sched, err := schedule.Parse(c.expression)
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		if hours, _ := strconv.Atoi(strings.TrimSuffix(c.duration, "h")); hours > 0 {
			sched = sched.Open(hours)
		}
		const form = "2006-01-02 15"
		if w := sched.After(from); w.Start.Format(form) != c.start || w.End.Format(form) != c.end {
			t.Errorf("%s, %q: %v to %v, want %s to %s", c.expression, c.duration, w.Start, w.End, c.start, c.end)
		}
	}
}

func TestLongestWindow(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]int{
		"rate(4 hours)": 4, "rate(30 hours)": 24, "rate(1 day)": 24,
		"cron(0 20 * * ? *)": 4, "cron(0 */6 * * ? *)": 6, "cron(0 0,22 1,15 * ? *)": 2,
	} {
		s, err := schedule.Parse(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
		} else if got := s.LongestWindow(); got != want {
			t.Errorf("%s: %d hours, want %d", expression, got, want)
		}
	}
}
