package doctor

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// stage is what AWS answers an examiner; nil errors are answers. It refuses to be asked about
// anything but its secret, its function and its key.
type stage struct {
	t      *testing.T
	secret *secretsmanager.DescribeSecretOutput

	secretErr, policyErr, functionErr, admissionErr, keyErr, logErr, invokeErr error

	answer   string // of the function
	failed   bool   // the answer is an error of the function's
	lines    []string
	invoked  int
	attempts int // that an invocation may be repeated
}

func (s *stage) is(got *string, want string) {
	s.t.Helper()
	if aws.ToString(got) != want {
		s.t.Errorf("asked about %s, not %s", aws.ToString(got), want)
	}
}

func (s *stage) DescribeSecret(_ context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	s.is(in.SecretId, "app")
	return s.secret, s.secretErr
}

func (s *stage) GetResourcePolicy(_ context.Context, in *secretsmanager.GetResourcePolicyInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetResourcePolicyOutput, error) {
	s.is(in.SecretId, secretARN)
	return &secretsmanager.GetResourcePolicyOutput{}, s.policyErr
}

func (s *stage) GetFunctionConfiguration(_ context.Context, in *lambda.GetFunctionConfigurationInput, _ ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error) {
	s.is(in.FunctionName, functionARN)
	return &lambda.GetFunctionConfigurationOutput{State: lambdatypes.StateActive}, s.functionErr
}

func (s *stage) GetPolicy(_ context.Context, in *lambda.GetPolicyInput, _ ...func(*lambda.Options)) (*lambda.GetPolicyOutput, error) {
	s.is(in.FunctionName, functionARN)
	return &lambda.GetPolicyOutput{Policy: aws.String(strings.ReplaceAll(admission, "%s", "123456789012"))}, s.admissionErr
}

func (s *stage) Invoke(_ context.Context, in *lambda.InvokeInput, options ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	s.is(in.FunctionName, functionARN)
	s.invoked++
	o := lambda.Options{}
	for _, set := range options {
		set(&o)
	}
	s.attempts = o.RetryMaxAttempts
	var event rotation.Event
	if err := json.Unmarshal(in.Payload, &event); err != nil || event.Step != rotation.DoctorStep || event.SecretID != secretARN {
		s.t.Errorf("invoked with %s", in.Payload)
	}
	out := &lambda.InvokeOutput{Payload: []byte(s.answer)}
	if s.failed {
		out.FunctionError = aws.String("Unhandled")
	}
	return out, s.invokeErr
}

func (s *stage) DescribeKey(_ context.Context, in *kms.DescribeKeyInput, _ ...func(*kms.Options)) (*kms.DescribeKeyOutput, error) {
	s.is(in.KeyId, keyARN)
	return &kms.DescribeKeyOutput{KeyMetadata: &kmstypes.KeyMetadata{KeyState: kmstypes.KeyStateEnabled}}, s.keyErr
}

func (s *stage) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	s.is(in.LogGroupName, "/aws/lambda/rotate-rds")
	out := &cloudwatchlogs.FilterLogEventsOutput{}
	for _, line := range s.lines {
		out.Events = append(out.Events, logtypes.FilteredLogEvent{Message: &line})
	}
	return out, s.logErr
}

const diagnosis = `{"secret":"` + secretARN + `","engine":"postgres","strategy":"single",` +
	`"findings":[{"check":"rotation","verdict":"ok","said":"on"},{"check":"login","verdict":"ok","said":"logs in"}],` +
	`"versions":[{"id":"v2","stages":["AWSCURRENT"],"login":"works","said":"logs in"}]}`

func examine(t *testing.T, depth Depth, change func(*stage)) (*Report, *stage, error) {
	t.Helper()
	s := &stage{t: t, secret: healthy(func(*facts) {}).secret, answer: diagnosis}
	change(s)
	e := &Examiner{
		secrets: s, functions: s, keys: s, logs: s, region: "eu-west-1", now: func() time.Time { return now },
		here: func(context.Context, *facts) (*rotation.Diagnosis, []rotation.Finding) {
			return &rotation.Diagnosis{Secret: secretARN, Findings: []rotation.Finding{ok("login", "from here")}}, nil
		},
	}
	r, err := e.Examine(t.Context(), "app", depth)
	return r, s, err
}

func TestExamine(t *testing.T) {
	t.Parallel()
	r, s, err := examine(t, Inside, func(*stage) {})
	if err != nil || r.Verdict != rotation.OK || r.First != nil || !r.Examined || !r.Rotates || r.Engine != "postgres" || r.Strategy != "single" || len(r.Versions) != 1 {
		t.Fatalf("%v: %+v", err, r)
	}
	if s.invoked != 1 || s.attempts != 1 {
		t.Errorf("invoked %d times, with up to %d attempts: logins are not repeated", s.invoked, s.attempts)
	}
	seen := map[string]int{}
	for _, f := range r.Findings {
		seen[f.Check]++
	}
	if seen["rotation"] != 1 || seen["login"] != 1 {
		t.Errorf("findings %v", seen)
	}
	if r, s, err := examine(t, Outside, func(*stage) {}); err != nil || s.invoked != 0 || r.Examined || len(r.Versions) != 0 {
		t.Errorf("from outside only: %v, %d invocations, %+v", err, s.invoked, r)
	}
	if r, s, err := examine(t, Here, func(*stage) {}); err != nil || s.invoked != 0 || !r.Examined || r.Findings[len(r.Findings)-4].From != "here" {
		t.Errorf("from here: %v, %d invocations, %+v", err, s.invoked, r)
	}
}

func refusal(code string) error { return &smithy.GenericAPIError{Code: code, Message: "no"} }

// Whatever AWS refuses to show is a finding; only the secret itself must be there to see.
func TestExamineRefused(t *testing.T) {
	t.Parallel()
	denied := refusal("AccessDeniedException")
	r, _, err := examine(t, Inside, func(s *stage) {
		s.policyErr, s.functionErr, s.keyErr, s.logErr, s.invokeErr = denied, denied, denied, denied, denied
	})
	if err != nil || r.Verdict == rotation.Fail || r.Examined {
		t.Fatalf("%v: %+v", err, r)
	}
	for _, f := range r.Findings {
		if f.Verdict == rotation.Skipped && (!strings.Contains(f.Remedy, "Allow ") && f.Check != "inside") {
			t.Errorf("%+v", f)
		}
	}
	if _, _, err := examine(t, Inside, func(s *stage) { s.secretErr = denied }); err == nil || !strings.Contains(err.Error(), "resource policy") {
		t.Errorf("got %v", err)
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(*stage)
		verdict rotation.Verdict
		says    string
	}{
		"no function":           {func(s *stage) { s.functionErr = refusal("ResourceNotFoundException") }, rotation.Skipped, "--from-here"},
		"may not be invoked":    {func(s *stage) { s.invokeErr = refusal("AccessDeniedException") }, rotation.Skipped, "Allow lambda:InvokeFunction"},
		"too many at once":      {func(s *stage) { s.invokeErr = refusal("TooManyRequestsException") }, rotation.Fail, "TooManyRequestsException"},
		"older than the doctor": {func(s *stage) { s.answer = "null" }, rotation.Skipped, "older"},
		"not rekey's":           {func(s *stage) { s.answer = `{"statusCode":200}` }, rotation.Skipped, "none of rekey's"},
		"no JSON":               {func(s *stage) { s.answer = "" }, rotation.Skipped, "older"},
		"its own error": {func(s *stage) {
			s.answer, s.failed = `{"errorType":"KeyError","errorMessage":"'ClientRequestToken' of hunter2"}`, true
		}, rotation.Skipped, "older"},
		"out of time": {func(s *stage) {
			s.answer, s.failed = `{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 30.00 seconds"}`, true
		}, rotation.Fail, "its time"},
	} {
		r, _, err := examine(t, Inside, c.change)
		if err != nil || r.Examined {
			t.Errorf("%s: %v, %+v", name, err, r)
			continue
		}
		found := false
		for _, f := range r.Findings {
			if f.Check != "inside" {
				continue
			}
			found = true
			if text := f.Said + "; " + f.Remedy; f.Verdict != c.verdict || !strings.Contains(text, c.says) || strings.Contains(text, "hunter2") {
				t.Errorf("%s: %s %s", name, f.Verdict, text)
			}
		}
		if !found {
			t.Errorf("%s: no finding", name)
		}
	}
}

// Who may invoke the function, and not look at it, is answered all the same.
func TestAskUnseen(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"AccessDeniedException", "TooManyRequestsException"} {
		r, s, err := examine(t, Inside, func(s *stage) { s.functionErr = refusal(code) })
		if err != nil || !r.Examined || s.invoked != 1 || len(r.Versions) != 1 {
			t.Errorf("%s: %v, invoked %d times: %+v", code, err, s.invoked, r)
		}
	}
}

// Ctrl-C is no finding.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &stage{t: t, secret: healthy(func(*facts) {}).secret, invokeErr: ctx.Err()}
	e := &Examiner{secrets: s, functions: s, keys: s, logs: s, region: "eu-west-1", now: func() time.Time { return now }}
	if r, err := e.Examine(ctx, "app", Inside); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("%v: %+v", err, r)
	}
}

// What is told first is a cause rather than what came of it.
func TestFirst(t *testing.T) {
	t.Parallel()
	r, _, err := examine(t, Inside, func(s *stage) {
		s.secret.VersionIdsToStages = map[string][]string{"v2": {"AWSCURRENT"}, "v3": {"AWSPENDING"}}
		s.secret.ReplicationStatus = []smtypes.ReplicationStatusType{{Region: aws.String("eu-west-2"), Status: smtypes.StatusTypeFailed}}
		s.answer = strings.Replace(diagnosis, `"login","verdict":"ok"`, `"login","verdict":"fail"`, 1)
		s.lines = []string{"START", `{"time":"2026-03-09T12:00:00Z","step":"setSecret","kind":"refused","error":"newer"}`, `{"time":"2026-03-08T12:00:00Z","step":"setSecret","error":"older"}`}
	})
	if err != nil || r.Verdict != rotation.Fail || r.First == nil || r.First.Check != "login" || r.Failures() != 2 {
		t.Fatalf("%v: %+v", err, r)
	}
	if last := r.Findings[len(r.Findings)-1]; last.Check != "last rotation" || !strings.Contains(last.Said, "newer") {
		t.Errorf("%+v", last)
	}
}
