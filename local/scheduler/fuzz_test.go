package scheduler_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/scheduler"
)

type nobody struct{}

func (nobody) Invoke(context.Context, string, []byte) ([]byte, error) { return nil, nil }

// Whatever is asked, it is answered; and what was taken is carried out and told.
func FuzzRequests(f *testing.F) {
	f.Add("POST", "/schedules/a", `{"ScheduleExpression":"at(2026-01-31T12:00:30)","FlexibleTimeWindow":{"Mode":"OFF"},"Target":{"Arn":"`+function+`","RoleArn":"`+role+`"}}`)
	f.Add("PUT", "/schedules/a", `{"ScheduleExpression":"at(2026-01-31T12:00:30)","ScheduleExpressionTimezone":"Europe/Berlin"}`)
	f.Add("GET", "/schedules?MaxResults=2&NextToken=x", "")
	f.Add("POST", "/schedule-groups/g", `{"Tags":[{"Key":"a","Value":"b"}]}`)
	f.Add("DELETE", "/tags/arn%3Aaws%3Ascheduler?TagKeys=a", "")
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequest(method, "http://127.0.0.1"+target, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/") || r.URL.Path == "" {
			return
		}
		now := noon
		s, err := scheduler.New(scheduler.Options{Invoker: nobody{}, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s %s answers %d: %s", method, target, w.Code, w.Body)
		}
		now = now.Add(time.Hour)
		if err := s.Tick(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
