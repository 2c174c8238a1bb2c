package lambdaapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/lambdaapi"
)

var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rekey-lambdaapi-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary, err = lambda.Build(context.Background(), lambda.BuildOptions{Package: "./local/lambda/testdata/handler", Out: filepath.Join(dir, "handler")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

const arn = "arn:aws:lambda:us-east-1:123456789012:function:handler"

type account struct {
	*sdk.Client
	url    string
	server *lambdaapi.Server
	done   chan lambda.Report // every invocation

	mu    sync.Mutex
	calls []string
	fault *lambdaapi.Error
}

func start(t *testing.T) *account {
	t.Helper()
	a := &account{done: make(chan lambda.Report, 100)}
	f, err := lambda.New(lambda.Config{
		Name: "handler", Binary: binary, Timeout: 20 * time.Second, MemoryMB: 256, OnInvoke: func(r lambda.Report) { a.done <- r },
	})
	if err != nil {
		t.Fatal(err)
	}
	functions := &lambda.Registry{}
	if err := functions.Add(f); err != nil {
		t.Fatal(err)
	}
	a.server, err = lambdaapi.New(lambdaapi.Options{
		Functions: functions,
		OnCall: func(action string) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.calls = append(a.calls, action)
		},
		Fault: func(string) *lambdaapi.Error {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.fault
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(a.server)
	client := web.Client()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		web.Close()
		if err := errors.Join(a.server.Close(), functions.Close()); err != nil {
			t.Error(err)
		}
	})
	a.url = web.URL
	a.Client = sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &web.URL, HTTPClient: client, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "example", ""),
	})
	return a
}

// code is the API's error code of an error, or "".
func code(err error) string {
	var refusal smithy.APIError
	if errors.As(err, &refusal) {
		return refusal.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestInvoke(t *testing.T) {
	a := start(t)
	for _, name := range []string{"handler", "handler:live", "123456789012:function:handler", arn, arn + ":live"} {
		out, err := a.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: &name, Payload: []byte(`{"Text":"tea","Lines":1}`), LogType: types.LogTypeTail})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var answer struct{ Echo, ARN, RequestID string }
		if err := json.Unmarshal(out.Payload, &answer); err != nil || out.StatusCode != 200 || out.FunctionError != nil || answer.Echo != "tea" {
			t.Errorf("%s: %d %s", name, out.StatusCode, out.Payload)
		}
		if want := arn + name[strings.LastIndex(name, "handler")+len("handler"):]; answer.ARN != want {
			t.Errorf("%s: invoked as %s, want %s", name, answer.ARN, want)
		}
		log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
		if err != nil || !strings.Contains(string(log), "START RequestId: "+answer.RequestID) || !strings.Contains(string(log), " line 0 ") {
			t.Errorf("%s: log %q", name, log)
		}
	}
	out, err := a.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("handler"), Qualifier: aws.String("live")})
	if err != nil || out.LogResult != nil || !strings.Contains(string(out.Payload), arn+":live") {
		t.Errorf("by a qualifier: %v, %s", err, out.Payload)
	}
	out, err = a.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("handler"), Payload: []byte(`{"Do":"error"}`), LogType: types.LogTypeTail})
	if err != nil || aws.ToString(out.FunctionError) == "" || out.StatusCode != 200 || !strings.Contains(string(out.Payload), `"errorType":"teapotError"`) || out.LogResult == nil {
		t.Errorf("a function's error: %v, %+v", err, out)
	}
}

func TestInvocationTypes(t *testing.T) {
	a := start(t)
	ran := func() int {
		n := len(a.done)
		for range n {
			<-a.done
		}
		return n
	}
	dry, err := a.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String(arn), InvocationType: types.InvocationTypeDryRun})
	if err != nil || dry.StatusCode != 204 || ran() != 0 {
		t.Errorf("a dry run: %v, %+v", err, dry)
	}
	event, err := a.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String(arn), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"Do":"error"}`)})
	if err != nil || event.StatusCode != 202 || len(event.Payload) > 0 {
		t.Errorf("asynchronous: %v, %+v", err, event)
	}
	for n := range 3 {
		if r := <-a.done; r.ErrorType != "teapotError" {
			t.Errorf("try %d: %+v", n, r)
		}
	}
}

func TestRefusals(t *testing.T) {
	a := start(t)
	invoke := func(edit func(*sdk.InvokeInput)) error {
		in := &sdk.InvokeInput{FunctionName: aws.String(arn)}
		edit(in)
		_, err := a.Invoke(t.Context(), in)
		return err
	}
	for want, edit := range map[string]func(*sdk.InvokeInput){
		"ResourceNotFoundException":      func(in *sdk.InvokeInput) { in.FunctionName = aws.String(arn + "-gone") },
		"InvalidRequestContentException": func(in *sdk.InvokeInput) { in.Payload = []byte("{") },
		"RequestTooLargeException": func(in *sdk.InvokeInput) {
			in.Payload = []byte(`"` + strings.Repeat("x", 6<<20) + `"`)
		},
		"InvalidParameterValueException": func(in *sdk.InvokeInput) { in.ClientContext = aws.String("e30=") },
	} {
		if err := invoke(edit); code(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := invoke(func(in *sdk.InvokeInput) {
		in.FunctionName, in.Qualifier = aws.String("handler:live"), aws.String("other")
	}); code(err) != "InvalidParameterValueException" {
		t.Errorf("two qualifiers: %v", err)
	}
	if err := invoke(func(in *sdk.InvokeInput) { in.LogType = "All" }); code(err) != "InvalidParameterValueException" {
		t.Errorf("a log type that is none: %v", err)
	}
	if err := invoke(func(in *sdk.InvokeInput) { in.InvocationType = "Later" }); code(err) != "InvalidParameterValueException" {
		t.Errorf("an invocation type that is none: %v", err)
	}
	if err := invoke(func(in *sdk.InvokeInput) {
		in.InvocationType, in.Payload = types.InvocationTypeEvent, []byte(`"`+strings.Repeat("x", 1<<20)+`"`)
	}); code(err) != "RequestTooLargeException" {
		t.Errorf("an event that is too large: %v", err)
	}
	if _, err := a.ListFunctions(t.Context(), &sdk.ListFunctionsInput{}); err == nil || len(a.done) > 0 {
		t.Errorf("an operation that the stand-in lacks: %v", err)
	}
	a.mu.Lock()
	a.fault = &lambdaapi.Error{Code: "AccessDeniedException", Message: "no"}
	a.mu.Unlock()
	if err := invoke(func(*sdk.InvokeInput) {}); code(err) != "AccessDeniedException" || len(a.done) > 0 {
		t.Errorf("a fault: %v", err)
	}
}

func TestConfiguration(t *testing.T) {
	a := start(t)
	out, err := a.GetFunctionConfiguration(t.Context(), &sdk.GetFunctionConfigurationInput{FunctionName: aws.String("handler"), Qualifier: aws.String("live")})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(out.FunctionArn) != arn+":live" || aws.ToString(out.Version) != "live" || out.State != types.StateActive || out.LastUpdateStatus != types.LastUpdateStatusSuccessful ||
		aws.ToInt32(out.Timeout) != 20 || aws.ToInt32(out.MemorySize) != 256 || out.Runtime != types.RuntimeProvidedal2023 {
		t.Errorf("got %+v", out)
	}
	if _, err := a.GetFunctionConfiguration(t.Context(), &sdk.GetFunctionConfigurationInput{FunctionName: aws.String("gone")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("one that is gone: %v", err)
	}
}

// Each function lets Secrets Manager invoke it, until somebody takes that away, from it or
// from one of its aliases.
func TestPolicy(t *testing.T) {
	a := start(t)
	get := func(qualifier *string) (string, string) {
		out, err := a.GetPolicy(t.Context(), &sdk.GetPolicyInput{FunctionName: aws.String("handler"), Qualifier: qualifier})
		if err != nil {
			return "", code(err)
		}
		return aws.ToString(out.Policy), aws.ToString(out.RevisionId)
	}
	live := aws.String("live")
	document, revision := get(live)
	for _, part := range []string{`"Service":"secretsmanager.amazonaws.com"`, `"Resource":"` + arn + `:live"`, `"AWS:SourceAccount":"123456789012"`, `"lambda:InvokeFunction"`} {
		if !strings.Contains(document, part) {
			t.Errorf("the policy lacks %s: %s", part, document)
		}
	}
	remove := func(sid, revision string) error {
		_, err := a.RemovePermission(t.Context(), &sdk.RemovePermissionInput{FunctionName: aws.String("handler"), StatementId: &sid, Qualifier: live, RevisionId: &revision})
		return err
	}
	if err := remove("InvokedBySecretsManager", "9"); code(err) != "PreconditionFailedException" {
		t.Errorf("of another revision: %v", err)
	}
	if err := remove("other", revision); code(err) != "ResourceNotFoundException" {
		t.Errorf("a statement that is not there: %v", err)
	}
	if err := remove("InvokedBySecretsManager", revision); err != nil {
		t.Fatal(err)
	}
	if _, revision := get(live); revision != "ResourceNotFoundException" {
		t.Errorf("an empty policy: %s", revision)
	}
	if a.server.RotationAllowed(arn+":live") || !a.server.RotationAllowed(arn) || a.server.RotationAllowed(arn+"-gone") {
		t.Error("who may be rotated with is not what the policies say")
	}
	add := &sdk.AddPermissionInput{
		FunctionName: aws.String("handler"), Qualifier: live, StatementId: aws.String("again"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("secretsmanager.amazonaws.com"), SourceAccount: aws.String("123456789012"),
	}
	if _, err := a.AddPermission(t.Context(), add); err != nil || !a.server.RotationAllowed(arn+":live") {
		t.Errorf("adding it again: %v", err)
	}
	if _, err := a.AddPermission(t.Context(), add); code(err) != "ResourceConflictException" {
		t.Errorf("adding it twice: %v", err)
	}
	add.StatementId, add.Principal = aws.String("somebody"), aws.String("somebody")
	if _, err := a.AddPermission(t.Context(), add); code(err) != "InvalidParameterValueException" {
		t.Errorf("a principal that is none: %v", err)
	}
}

// What people type.
func TestAWSCLI(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the AWS CLI")
	}
	a := start(t)
	out := filepath.Join(t.TempDir(), "answer")
	cmd := exec.CommandContext(t.Context(), "aws", "lambda", "invoke", "--endpoint-url", a.url, "--region", "us-east-1",
		"--function-name", arn+":live", "--payload", `{"Text":"tea"}`, "--log-type", "Tail", "--query", "[StatusCode, ExecutedVersion]", "--output", "text", out)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY=example", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	said, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(said)) != "200\t$LATEST" {
		t.Fatalf("%v: %s", err, said)
	}
	answer, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(answer), `"Echo":"tea"`) {
		t.Errorf("%v: %s", err, answer)
	}
}
