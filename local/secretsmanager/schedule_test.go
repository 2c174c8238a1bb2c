package secretsmanager

import (
	"errors"
	"testing"
	"time"
)

// The examples of https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
// among them, seen from Wednesday 15 July 2026, 15:20:30.
func TestWindows(t *testing.T) {
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
		r := &rotationRules{ScheduleExpression: &c.expression}
		if c.duration != "" {
			r.Duration = &c.duration
		}
		sched, err := r.schedule()
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		const form = "2006-01-02 15"
		if w := sched.after(from); w.Start.Format(form) != c.start || w.End.Format(form) != c.end {
			t.Errorf("%s, %q: %v to %v, want %s to %s", c.expression, c.duration, w.Start, w.End, c.start, c.end)
		}
	}
}

func TestSchedulesThatAreRefused(t *testing.T) {
	s := func(s string) *string { return &s }
	n := func(n int64) *int64 { return &n }
	for _, c := range []rotationRules{
		{AutomaticallyAfterDays: n(0)},
		{AutomaticallyAfterDays: n(1001)},
		{AutomaticallyAfterDays: n(1), ScheduleExpression: s("rate(1 day)")},
		{},
		{Duration: s("3h")},
		{AutomaticallyAfterDays: n(1), Duration: s("25h")},
		{AutomaticallyAfterDays: n(1), Duration: s("0h")},
		{AutomaticallyAfterDays: n(1), Duration: s("3m")},
		{ScheduleExpression: s("rate(4 hours)"), Duration: s("5h")},
		{ScheduleExpression: s("cron(0 20 * * ? *)"), Duration: s("5h")},
		{ScheduleExpression: s("cron(0 */6 * * ? *)"), Duration: s("7h")},
	} {
		refusedRules(t, &c)
	}
	for _, expression := range []string{
		"", "daily", "rate(3 hours)", "rate(0 days)", "rate(1000 days)", "rate(5 minutes)", "rate(-1 days)", "rate(1 day", "rate( 1 day)",
		"cron(* * * * ? *)", "cron(0 8 * * ?)", "cron(0 8 * * * *)", "cron(0 8 ? * ? *)", "cron(0 8 1 * MON *)", "cron(0 8 * * ? 2027)", "cron(30 8 * * ? *)",
		"cron(0 24 * * ? *)", "cron(0 8 0 * ? *)", "cron(0 8 32 * ? *)", "cron(0 8 1 13 ? *)", "cron(0 8 1 FOO ? *)", "cron(0 8 ? * 8 *)", "cron(0 8 ? * MON#6 *)",
		"cron(0 8 ? * MON,TUE#1 *)", "cron(0 8 ? * #1 *)", "cron(0 8 10-5 * ? *)", "cron(0 8/0 * * ? *)", "cron(0 8, * * ? *)", "cron(0 8 30 2 ? *)",
		"cron(0 * * * ? *)", "cron(0 8,10 * * ? *)", "cron(0 0,22 * * ? *)", "cron(0 */3 * * ? *)", "cron(0 8 1W * ? *)",
	} {
		refusedRules(t, &rotationRules{ScheduleExpression: &expression})
	}
	// Hours that are close only over midnight are fine if no two days follow each other.
	if _, err := (&rotationRules{ScheduleExpression: s("cron(0 0,22 1,15 * ? *)")}).schedule(); err != nil {
		t.Error(err)
	}
}

func refusedRules(t *testing.T, r *rotationRules) {
	t.Helper()
	var e *apiError
	if sched, err := r.schedule(); !errors.As(err, &e) {
		t.Errorf("%v %v %v was taken as %+v", deref(r.AutomaticallyAfterDays), deref(r.ScheduleExpression), deref(r.Duration), sched)
	}
}

func FuzzSchedule(f *testing.F) {
	f.Add("rate(10 days)", "3h")
	f.Add("cron(0 */8 ? JAN-DEC/2 MON#3 *)", "1h")
	f.Fuzz(func(t *testing.T, expression, duration string) {
		r := &rotationRules{ScheduleExpression: &expression, Duration: &duration}
		sched, err := r.schedule()
		if err != nil {
			return
		}
		at := time.Date(2026, 7, 15, 15, 20, 30, 0, time.UTC)
		for range 5 {
			w := sched.after(at)
			if !w.Start.After(at) || !w.End.After(w.Start) || w.Start.Sub(w.Start.Truncate(time.Hour)) != 0 {
				t.Fatalf("%q, %q after %v: %+v", expression, duration, at, w)
			}
			at = w.Start
		}
	})
}
