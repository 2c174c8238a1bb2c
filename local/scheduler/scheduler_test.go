package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/scheduler"
)

const (
	function = "arn:aws:lambda:us-east-1:123456789012:function:rotate-rds"
	role     = "arn:aws:iam::123456789012:role/retire"
	queue    = "arn:aws:sqs:us-east-1:123456789012:letters"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// world is a scheduler with a clock, and a function that fails as it is told.
type world struct {
	*testing.T
	options scheduler.Options
	server  *scheduler.Server
	client  *sdk.Client
	url     string

	mu      sync.Mutex
	now     time.Time
	fails   []error // of the invocations to come
	invoked []string
	letters []scheduler.DeadLetter
}

func newWorld(t *testing.T, change ...func(*scheduler.Options)) *world {
	w := &world{T: t, now: noon}
	w.options = scheduler.Options{
		Invoker: w, Now: w.clock,
		OnDeadLetter: func(l scheduler.DeadLetter) { w.letters = append(w.letters, l) },
	}
	for _, c := range change {
		c(&w.options)
	}
	w.start()
	return w
}

func (w *world) start() {
	w.Helper()
	var err error
	if w.server, err = scheduler.New(w.options); err != nil {
		w.Fatal(err)
	}
	web := httptest.NewServer(w.server)
	w.Cleanup(web.Close)
	w.url = web.URL
	w.client = sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &web.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", ""),
	})
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) Invoke(_ context.Context, function string, payload []byte) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.invoked = append(w.invoked, w.now.Format("15:04:05 ")+string(payload))
	if len(w.fails) > 0 {
		err := w.fails[0]
		w.fails = w.fails[1:]
		return nil, err
	}
	return []byte("null"), nil
}

// advance lets time pass, second by second as far as something is due.
func (w *world) advance(d time.Duration) {
	w.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		w.mu.Lock()
		w.now = w.now.Add(time.Second)
		w.mu.Unlock()
		if err := w.server.Tick(w.Context()); err != nil {
			w.Fatal(err)
		}
	}
}

func at(t time.Time) *string {
	return aws.String("at(" + t.UTC().Format("2006-01-02T15:04:05") + ")")
}

func once(name string, after time.Duration) *sdk.CreateScheduleInput {
	return &sdk.CreateScheduleInput{
		Name: &name, ScheduleExpression: at(noon.Add(after)), ActionAfterCompletion: types.ActionAfterCompletionDelete,
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target:             &types.Target{Arn: aws.String(function), RoleArn: aws.String(role), Input: aws.String(`{"n":"` + name + `"}`)},
	}
}

func (w *world) create(in *sdk.CreateScheduleInput) error {
	_, err := w.client.CreateSchedule(w.Context(), in)
	return err
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestAScheduleIsCarriedOutAndGone(t *testing.T) {
	w := newWorld(t)
	w.must(w.create(once("b", 2*time.Minute)))
	w.must(w.create(once("a", time.Minute)))
	stays := once("stays", 3*time.Minute)
	stays.ActionAfterCompletion = types.ActionAfterCompletionNone
	w.must(w.create(stays))
	disabled := once("disabled", time.Minute)
	disabled.State = types.ScheduleStateDisabled
	w.must(w.create(disabled))
	w.advance(time.Hour)
	want := []string{`12:01:00 {"n":"a"}`, `12:02:00 {"n":"b"}`, `12:03:00 {"n":"stays"}`}
	if d := cmp.Diff(want, w.invoked); d != "" {
		t.Error(d)
	}
	list, err := w.client.ListSchedules(t.Context(), &sdk.ListSchedulesInput{})
	w.must(err)
	var left []string
	for _, s := range list.Schedules {
		left = append(left, *s.Name)
	}
	if d := cmp.Diff([]string{"disabled", "stays"}, left); d != "" {
		t.Error(d)
	}
}

func TestFunctionFails(t *testing.T) {
	w := newWorld(t)
	failure := &lambda.FunctionError{Type: "errorString", Message: "no"}
	w.fails = []error{failure, failure, failure, failure}
	w.must(w.create(once("f", time.Minute)))
	w.advance(time.Hour)
	want := []string{`12:01:00 {"n":"f"}`, `12:02:00 {"n":"f"}`, `12:04:00 {"n":"f"}`}
	if d := cmp.Diff(want, w.invoked); d != "" {
		t.Error(d)
	}
	if len(w.letters) != 1 || !w.letters[0].HandedOver || w.letters[0].Attempts != 3 {
		t.Errorf("dead letters: %v", w.letters)
	}
}

func TestHandingOverFails(t *testing.T) {
	throttled := &lambda.ServiceError{Code: "TooManyRequestsException"}
	for name, c := range map[string]struct {
		policy *types.RetryPolicy
		fails  []error
		tries  int
		letter bool
	}{
		"at last it succeeds": {nil, []error{throttled, throttled, throttled}, 4, false},
		"attempts":            {&types.RetryPolicy{MaximumRetryAttempts: aws.Int32(2)}, []error{throttled, throttled, throttled, throttled}, 3, true},
		"age":                 {&types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(60)}, []error{throttled, throttled, throttled, throttled, throttled, throttled, throttled}, 5, true},
		"no such function":    {nil, []error{&lambda.ServiceError{Code: "ResourceNotFoundException"}}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fails = c.fails
			in := once("s", time.Minute)
			in.Target.RetryPolicy = c.policy
			in.Target.DeadLetterConfig = &types.DeadLetterConfig{Arn: aws.String(queue)}
			w.must(w.create(in))
			w.advance(time.Hour)
			if len(w.invoked) != c.tries {
				t.Errorf("%d tries, want %d: %v", len(w.invoked), c.tries, w.invoked)
			}
			if (len(w.letters) == 1) != c.letter || c.letter && (w.letters[0].Queue != queue || w.letters[0].HandedOver) {
				t.Errorf("dead letters: %v", w.letters)
			}
		})
	}
}

func TestSchedules(t *testing.T) {
	w := newWorld(t)
	in := once("one", time.Hour)
	in.Description, in.ClientToken = aws.String("d"), aws.String("token")
	in.FlexibleTimeWindow = &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible, MaximumWindowInMinutes: aws.Int32(15)}
	made, err := w.client.CreateSchedule(t.Context(), in)
	w.must(err)
	if *made.ScheduleArn != "arn:aws:scheduler:us-east-1:123456789012:schedule/default/one" {
		t.Errorf("ARN %s", *made.ScheduleArn)
	}
	w.must(w.create(in)) // sent twice
	in.ClientToken = aws.String("other")
	if err := w.create(in); code(err) != "ConflictException" {
		t.Errorf("a second one of the name: %v", err)
	}
	got, err := w.client.GetSchedule(t.Context(), &sdk.GetScheduleInput{Name: aws.String("one")})
	w.must(err)
	if *got.ScheduleExpression != *in.ScheduleExpression || *got.Target.Input != *in.Target.Input || *got.FlexibleTimeWindow.MaximumWindowInMinutes != 15 ||
		!got.CreationDate.Equal(noon) || got.State != types.ScheduleStateEnabled || *got.ScheduleExpressionTimezone != "UTC" || *got.GroupName != "default" {
		t.Errorf("got %+v", got)
	}
	_, err = w.client.UpdateSchedule(t.Context(), &sdk.UpdateScheduleInput{
		Name: in.Name, ScheduleExpression: at(noon.Add(time.Minute)), FlexibleTimeWindow: in.FlexibleTimeWindow, Target: in.Target,
	})
	w.must(err)
	w.advance(2 * time.Minute)
	if len(w.invoked) != 1 {
		t.Errorf("invoked %v", w.invoked)
	}
	_, err = w.client.DeleteSchedule(t.Context(), &sdk.DeleteScheduleInput{Name: in.Name})
	w.must(err)
	for _, err := range []error{
		second(w.client.DeleteSchedule(t.Context(), &sdk.DeleteScheduleInput{Name: in.Name})),
		second(w.client.GetSchedule(t.Context(), &sdk.GetScheduleInput{Name: in.Name})),
		second(w.client.UpdateSchedule(t.Context(), &sdk.UpdateScheduleInput{
			Name: in.Name, ScheduleExpression: at(noon.Add(time.Hour)), FlexibleTimeWindow: in.FlexibleTimeWindow, Target: in.Target,
		})),
	} {
		if code(err) != "ResourceNotFoundException" {
			t.Errorf("a schedule that is gone: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestRefused(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*sdk.CreateScheduleInput){
		"past":             func(in *sdk.CreateScheduleInput) { in.ScheduleExpression = at(noon.Add(-time.Second)) },
		"rate":             func(in *sdk.CreateScheduleInput) { in.ScheduleExpression = aws.String("rate(1 hour)") },
		"no such day":      func(in *sdk.CreateScheduleInput) { in.ScheduleExpression = aws.String("at(2026-02-31T12:00:00)") },
		"zone in the time": func(in *sdk.CreateScheduleInput) { in.ScheduleExpression = aws.String("at(2026-03-01T12:00:00Z)") },
		"zone":             func(in *sdk.CreateScheduleInput) { in.ScheduleExpressionTimezone = aws.String("Mars/Base") },
		"name":             func(in *sdk.CreateScheduleInput) { in.Name = aws.String("a b") },
		"long name":        func(in *sdk.CreateScheduleInput) { in.Name = aws.String(strings.Repeat("x", 65)) },
		"window":           func(in *sdk.CreateScheduleInput) { in.FlexibleTimeWindow.Mode = types.FlexibleTimeWindowModeFlexible },
		"role":             func(in *sdk.CreateScheduleInput) { in.Target.RoleArn = aws.String("retire") },
		"target":           func(in *sdk.CreateScheduleInput) { in.Target.Arn = aws.String(queue) },
		"input":            func(in *sdk.CreateScheduleInput) { in.Target.Input = aws.String("{") },
		"attempts": func(in *sdk.CreateScheduleInput) {
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(186)}
		},
		"age": func(in *sdk.CreateScheduleInput) {
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(59)}
		},
		"dead letters": func(in *sdk.CreateScheduleInput) {
			in.Target.DeadLetterConfig = &types.DeadLetterConfig{Arn: aws.String(role)}
		},
		"key": func(in *sdk.CreateScheduleInput) {
			in.KmsKeyArn = aws.String("arn:aws:kms:us-east-1:123456789012:key/k")
		},
		"unknown member": func(in *sdk.CreateScheduleInput) {
			in.Target.SqsParameters = &types.SqsParameters{MessageGroupId: aws.String("g")}
		},
	} {
		in := once("refused", time.Hour)
		change(in)
		if err := w.create(in); code(err) != "ValidationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	elsewhere := once("elsewhere", time.Hour)
	elsewhere.GroupName = aws.String("nowhere")
	if err := w.create(elsewhere); code(err) != "ResourceNotFoundException" {
		t.Errorf("no such group: %v", err)
	}
	list, err := w.client.ListSchedules(t.Context(), &sdk.ListSchedulesInput{})
	w.must(err)
	if len(list.Schedules) != 0 {
		t.Errorf("%d schedules were made", len(list.Schedules))
	}
}

func TestGroupsListsAndTags(t *testing.T) {
	w := newWorld(t)
	made, err := w.client.CreateScheduleGroup(t.Context(), &sdk.CreateScheduleGroupInput{
		Name: aws.String("rekey"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("payments")}},
	})
	w.must(err)
	if _, err := w.client.CreateScheduleGroup(t.Context(), &sdk.CreateScheduleGroupInput{Name: aws.String("rekey")}); code(err) != "ConflictException" {
		t.Errorf("a second one of the name: %v", err)
	}
	for n := range 5 {
		in := once(fmt.Sprintf("s%d", n), time.Hour)
		in.GroupName = aws.String("rekey")
		w.must(w.create(in))
	}
	w.must(w.create(once("s9", time.Hour))) // in the default group
	var names []string
	pages := sdk.NewListSchedulesPaginator(w.client, &sdk.ListSchedulesInput{GroupName: aws.String("rekey"), NamePrefix: aws.String("s"), MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		w.must(err)
		for _, s := range page.Schedules {
			names = append(names, *s.Name)
		}
	}
	if d := cmp.Diff([]string{"s0", "s1", "s2", "s3", "s4"}, names); d != "" {
		t.Error(d)
	}
	_, err = w.client.TagResource(t.Context(), &sdk.TagResourceInput{ResourceArn: made.ScheduleGroupArn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
	w.must(err)
	_, err = w.client.UntagResource(t.Context(), &sdk.UntagResourceInput{ResourceArn: made.ScheduleGroupArn, TagKeys: []string{"team"}})
	w.must(err)
	tags, err := w.client.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceArn: made.ScheduleGroupArn})
	w.must(err)
	if len(tags.Tags) != 1 || *tags.Tags[0].Key != "a" {
		t.Errorf("tags %v", tags.Tags)
	}
	groups, err := w.client.ListScheduleGroups(t.Context(), &sdk.ListScheduleGroupsInput{})
	w.must(err)
	if len(groups.ScheduleGroups) != 2 {
		t.Errorf("%d groups", len(groups.ScheduleGroups))
	}
	_, err = w.client.DeleteScheduleGroup(t.Context(), &sdk.DeleteScheduleGroupInput{Name: aws.String("rekey")})
	w.must(err)
	if _, err := w.client.GetScheduleGroup(t.Context(), &sdk.GetScheduleGroupInput{Name: aws.String("rekey")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("a group that is gone: %v", err)
	}
	if _, err := w.client.DeleteScheduleGroup(t.Context(), &sdk.DeleteScheduleGroupInput{Name: aws.String("default")}); code(err) != "ValidationException" {
		t.Errorf("the default group: %v", err)
	}
	w.advance(2 * time.Hour)
	if d := cmp.Diff([]string{`13:00:00 {"n":"s9"}`}, w.invoked); d != "" {
		t.Error(d)
	}
}

func TestSchedulesAreKept(t *testing.T) {
	w := newWorld(t, func(o *scheduler.Options) { o.File = filepath.Join(t.TempDir(), "schedules.json") })
	w.must(w.create(once("soon", time.Minute)))
	w.must(w.create(once("later", time.Hour)))
	w.advance(2 * time.Minute)
	w.start() // another server on the same file
	w.advance(2 * time.Hour)
	if d := cmp.Diff([]string{`12:01:00 {"n":"soon"}`, `13:00:00 {"n":"later"}`}, w.invoked); d != "" {
		t.Error(d)
	}
}

// An event that is tried again, or was being tried, when a server ends is the next server's.
func TestWhatWasBegunIsKept(t *testing.T) {
	w := newWorld(t, func(o *scheduler.Options) { o.File = filepath.Join(t.TempDir(), "schedules.json") })
	failure := &lambda.FunctionError{Type: "errorString", Message: "no"}
	w.fails = []error{failure, errors.New("the server ends")}
	w.must(w.create(once("f", time.Minute)))
	w.advance(time.Minute)
	w.start() // between two tries
	ended, end := context.WithCancel(t.Context())
	end()
	w.now = w.now.Add(time.Minute)
	w.must(w.server.Tick(ended)) // in the midst of one
	w.start()
	w.advance(time.Hour)
	want := []string{`12:01:00 {"n":"f"}`, `12:02:00 {"n":"f"}`, `12:02:01 {"n":"f"}`}
	if d := cmp.Diff(want, w.invoked); d != "" {
		t.Error(d)
	}
	w.start()
	w.advance(time.Hour)
	if len(w.invoked) != 3 || len(w.letters) != 0 {
		t.Errorf("invoked %v, dead letters %v", w.invoked, w.letters)
	}
}

func TestRun(t *testing.T) {
	invoked := make(chan scheduler.Invocation, 1)
	w := newWorld(t, func(o *scheduler.Options) {
		o.OnInvocation = func(i scheduler.Invocation) { invoked <- i }
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.server.Run(ctx) }()
	w.must(w.create(once("now", 0))) // wakes it
	if i := <-invoked; i.Function != function || i.Attempt != 1 || i.Err != nil {
		t.Errorf("%+v", i)
	}
	stop()
	w.must(<-ended)
}

// The AWS CLI cannot tell.
func TestCLI(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the AWS CLI")
	}
	t.Parallel()
	w := newWorld(t)
	call := func(arguments ...string) map[string]any {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "aws", append([]string{"scheduler", "--endpoint-url", w.url, "--region", "us-east-1", "--output", "json"}, arguments...)...)
		cmd.Env = append(cmd.Environ(), "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=example", "AWS_PAGER=")
		out, err := cmd.Output()
		if err != nil {
			var exit *exec.ExitError
			errors.As(err, &exit)
			t.Fatalf("%v: %v\n%s", arguments, err, exit.Stderr)
		}
		var answer map[string]any
		if len(out) > 0 {
			w.must(json.Unmarshal(out, &answer))
		}
		return answer
	}
	call("create-schedule-group", "--name", "rekey")
	call("create-schedule", "--name", "one", "--group-name", "rekey", "--schedule-expression", "at(2026-01-31T12:00:30)",
		"--flexible-time-window", "Mode=OFF", "--action-after-completion", "DELETE",
		"--target", `{"Arn":"`+function+`","RoleArn":"`+role+`","Input":"{\"n\":1}"}`)
	if got := call("get-schedule", "--name", "one", "--group-name", "rekey"); got["State"] != "ENABLED" {
		t.Errorf("got %v", got)
	}
	if got := call("list-schedules", "--group-name", "rekey"); len(got["Schedules"].([]any)) != 1 {
		t.Errorf("got %v", got)
	}
	w.advance(time.Minute)
	if d := cmp.Diff([]string{`12:00:30 {"n":1}`}, w.invoked); d != "" {
		t.Error(d)
	}
	if got := call("list-schedules"); len(got["Schedules"].([]any)) != 0 {
		t.Errorf("got %v", got)
	}
	call("delete-schedule-group", "--name", "rekey")
}
