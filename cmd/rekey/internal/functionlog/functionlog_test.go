package functionlog

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/rekey-aws/rekey/local/awsjson"
	"github.com/rekey-aws/rekey/local/cloudwatchlogs"
	"github.com/rekey-aws/rekey/shared/rotation"
)

const (
	function = "arn:aws:lambda:eu-west-1:123456789012:function:rotate-rds:live"
	version  = "11111111-2222-4333-8444-555555555555"
)

var begin = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// logs are the stand-in, by a clock of the test's, and a reader of it.
func logs(t *testing.T) (write func(after time.Duration, version, step, outcome string), r *Reader, fault *atomic.Pointer[awsjson.Error]) {
	t.Helper()
	now := begin
	fault = &atomic.Pointer[awsjson.Error]{}
	stand := cloudwatchlogs.New(cloudwatchlogs.Options{Now: func() time.Time { return now }, Fault: func(string) *awsjson.Error { return fault.Load() }})
	web := httptest.NewServer(stand)
	t.Cleanup(web.Close)
	group := stand.Group("/aws/lambda/rotate-rds")
	n := 0
	write = func(after time.Duration, version, step, outcome string) {
		t.Helper()
		now = begin.Add(after)
		n++
		if _, err := fmt.Fprintf(group, `{"time":%q,"msg":"rotation step","version":%q,"step":%q,"outcome":%q,"kind":"k","error":"e%d","request_id":"r%d"}`+"\n",
			now.Format(time.RFC3339Nano), version, step, outcome, n, n); err != nil {
			t.Fatal(err)
		}
	}
	client := sdk.New(sdk.Options{
		Region: "eu-west-1", BaseEndpoint: &web.URL, Credentials: credentials.NewStaticCredentialsProvider("k", "example", ""), Retryer: aws.NopRetryer{},
	})
	return write, New(client, time.Millisecond), fault
}

func TestStory(t *testing.T) {
	t.Parallel()
	write, r, _ := logs(t)
	look := func() Story {
		t.Helper()
		r.read(t.Context(), "/aws/lambda/rotate-rds")
		s, err := r.Story(function, version)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	write(-time.Minute, version, "setSecret", "failed") // of an earlier try
	past := r.Past(t.Context(), function, version, begin)
	stop := r.Follow(function, version, begin, past)
	if s := look(); s != (Story{}) || len(past.requests) != 1 {
		t.Errorf("of an earlier try: %+v, %v", s, past)
	}
	write(time.Second, "another-version", "setSecret", "failed")
	write(2*time.Second, version, "createSecret", "done")
	if s := look(); s.Last.Step != "createSecret" || s.Failures != 0 {
		t.Errorf("after createSecret: %+v", s)
	}
	write(3*time.Second, version, "setSecret", "failed")
	for range 2 { // what is read again counts once
		if s := look(); s.Last.Outcome != Failed || s.Failures != 1 || s.Failure.Error != "e4" {
			t.Errorf("after a failure: %+v", s)
		}
	}
	write(4*time.Second, version, "createSecret", "already done")
	write(5*time.Second, version, "setSecret", "failed")
	if s := look(); s.Failures != 2 || s.Failure.Error != "e6" {
		t.Errorf("after another: %+v", s)
	}
	stop()
	if s, err := r.Story(function, version); err != nil || s != (Story{}) || len(r.due()) != 0 {
		t.Errorf("after the end: %+v, %v, %v", s, err, r.due())
	}
}

// Lines of minutes before are read, as this machine's clock may be ahead; old ones are not.
func TestClock(t *testing.T) {
	t.Parallel()
	write, r, _ := logs(t)
	write(-time.Hour, version, "createSecret", "done")
	write(-4*time.Minute, version, "setSecret", "done")
	defer r.Follow(function, version, begin, Past{})()
	r.read(t.Context(), "/aws/lambda/rotate-rds")
	if s, _ := r.Story(function, version); s.Last.Step != "setSecret" {
		t.Errorf("%+v", s)
	}
}

// A log that may not be read is asked for once; one that is not there yet is asked for again.
func TestUnread(t *testing.T) {
	t.Parallel()
	write, r, fault := logs(t)
	fault.Store(awsjson.Refuse("ResourceNotFoundException", "The specified log group does not exist."))
	defer r.Follow(function, version, begin, Past{})()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { r.Run(ctx); close(ended) }()
	until := func(what string, is func(Story, error) bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !is(r.Story(function, version)); {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not told", what)
			}
			time.Sleep(time.Millisecond)
		}
	}
	until("that there is none", func(_ Story, err error) bool { return errors.Is(err, rotation.ErrNotFound) })
	fault.Store(nil)
	write(time.Second, version, "createSecret", "done")
	until("the line", func(s Story, err error) bool { return err == nil && s.Last.Step == "createSecret" })
	fault.Store(awsjson.Refuse("AccessDeniedException", "no"))
	until("the denial", func(_ Story, err error) bool { return errors.Is(err, rotation.ErrDenied) })
	if len(r.due()) != 0 {
		t.Error("it is asked for again")
	}
	cancel()
	<-ended
}

// pages is a log of which CloudWatch Logs looks through a part at a time: all but the last page
// are empty.
type pages struct {
	n    int
	line string
	from map[int64]bool // what was asked for
}

func (p *pages) FilterLogEvents(_ context.Context, in *sdk.FilterLogEventsInput, _ ...func(*sdk.Options)) (*sdk.FilterLogEventsOutput, error) {
	p.from[*in.StartTime] = true
	at := 0
	if in.NextToken != nil {
		at, _ = strconv.Atoi(*in.NextToken)
	}
	if at < p.n {
		return &sdk.FilterLogEventsOutput{NextToken: aws.String(strconv.Itoa(at + 1))}, nil
	}
	return &sdk.FilterLogEventsOutput{Events: []types.FilteredLogEvent{{Message: &p.line, Timestamp: aws.Int64(begin.UnixMilli())}}}, nil
}

// A log that is long to look through is read to its end, however many readings that takes; and
// while it is not known which failures are of an earlier try, their time tells.
func TestLongLog(t *testing.T) {
	t.Parallel()
	line := func(at time.Time) string {
		return fmt.Sprintf(`{"time":%q,"msg":"rotation step","version":%q,"step":"setSecret","outcome":"failed","request_id":"r"}`, at.Format(time.RFC3339Nano), version)
	}
	for at, failures := range map[time.Time]int{begin.Add(-time.Second): 0, begin.Add(time.Second): 1} {
		p := &pages{n: 3 * mostPages, line: line(at), from: map[int64]bool{}}
		r := New(p, time.Millisecond)
		past := r.Past(t.Context(), function, version, begin)
		defer r.Follow(function, version, begin, past)()
		clear(p.from)
		for range 5 {
			r.read(t.Context(), "/aws/lambda/rotate-rds")
		}
		if s, err := r.Story(function, version); err != nil || s.Failures != failures || failures > 0 && s.Last.Step == "" {
			t.Errorf("of %s: %+v, %v", at, s, err)
		}
		if len(p.from) > 2 {
			t.Errorf("read from %v: a token is of one beginning", p.from)
		}
	}
}

// A secret without a function has no log, and what is no version goes into no pattern.
func TestNoFunction(t *testing.T) {
	t.Parallel()
	_, r, _ := logs(t)
	r.Follow("", version, begin, Past{})()
	if s, err := r.Story("", version); err != nil || s != (Story{}) || len(r.due()) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if past := r.Past(t.Context(), function, `x" || "`, begin); len(past.requests) != 0 {
		t.Errorf("%v", past)
	}
}
