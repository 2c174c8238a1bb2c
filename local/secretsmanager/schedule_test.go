package secretsmanager

import (
	"errors"
	"testing"
	"time"
)

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
			w := sched.After(at)
			if !w.Start.After(at) || !w.End.After(w.Start) || w.Start.Sub(w.Start.Truncate(time.Hour)) != 0 {
				t.Fatalf("%q, %q after %v: %+v", expression, duration, at, w)
			}
			at = w.Start
		}
	})
}
