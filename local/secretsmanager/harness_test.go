package secretsmanager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveState); dir != "" {
		serveUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

const functionARN = "arn:aws:lambda:us-east-1:123456789012:function:rotate"

// world is a server with a client, a clock and a rotation function.
type world struct {
	*api.Client
	t    testing.TB
	srv  *secretsmanager.Server
	http *httptest.Server

	function *function
	mu       sync.Mutex
	now      time.Time
	calls    []secretsmanager.Call
	events   []secretsmanager.RotationEvent
}

// begin is when every world begins: a Wednesday, in the afternoon.
var begin = time.Date(2026, 7, 15, 15, 20, 30, 0, time.UTC)

func newWorld(t testing.TB, edit ...func(*secretsmanager.Options)) *world {
	w := &world{t: t, now: begin, function: &function{}}
	o := secretsmanager.Options{
		Now:        w.clock,
		Invoker:    w.function,
		Backoff:    func(int) time.Duration { return 0 },
		OnCall:     func(c secretsmanager.Call) { w.mu.Lock(); w.calls = append(w.calls, c); w.mu.Unlock() },
		OnRotation: func(e secretsmanager.RotationEvent) { w.mu.Lock(); w.events = append(w.events, e); w.mu.Unlock() },
	}
	for _, e := range edit {
		e(&o)
	}
	srv, err := secretsmanager.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.srv, w.http = srv, httptest.NewServer(srv)
	w.Client = w.client("us-east-1")
	w.function.client = w.Client
	t.Cleanup(w.close)
	return w
}

func (w *world) close() {
	w.http.CloseClientConnections()
	w.http.Close()
	if err := w.srv.Close(); err != nil {
		w.t.Errorf("closing: %v", err)
	}
}

// client is the SDK's, as a user has it but without retries, which would hide faults.
func (w *world) client(region string, edit ...func(*api.Options)) *api.Client {
	return api.New(api.Options{
		Region: region, BaseEndpoint: aws.String(w.http.URL), Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "key", ""),
		Retryer: aws.NopRetryer{}, HTTPClient: w.http.Client(),
	}, edit...)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) create(name, value string) *api.CreateSecretOutput {
	w.t.Helper()
	return must(w.CreateSecret(w.t.Context(), &api.CreateSecretInput{Name: &name, SecretString: &value}))(w.t)
}

func (w *world) stages(id string) map[string][]string {
	w.t.Helper()
	return w.describe(id).VersionIdsToStages
}

func (w *world) describe(id string) *api.DescribeSecretOutput {
	w.t.Helper()
	return must(w.DescribeSecret(w.t.Context(), &api.DescribeSecretInput{SecretId: &id}))(w.t)
}

func (w *world) value(id string) string {
	w.t.Helper()
	return *must(w.GetSecretValue(w.t.Context(), &api.GetSecretValueInput{SecretId: &id}))(w.t).SecretString
}

func must[T any](out T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// refused checks the code and, unless it is empty, the message of an API error.
func refused(t testing.TB, err error, code, message string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want the API's %s", err, code)
	}
	if e.ErrorCode() != code || message != "" && e.ErrorMessage() != message {
		t.Fatalf("got %s: %q\nwant %s: %q", e.ErrorCode(), e.ErrorMessage(), code, message)
	}
}

// token makes a version id that tells which it is.
func token(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// function is a rotation function in this process. Its steps do what a good one does,
// unless fail says otherwise.
type function struct {
	client *api.Client
	fail   func(step string, n int) error // n counts the invocations of the step, from 1

	mu       sync.Mutex
	steps    []string
	counts   map[string]int
	payloads []map[string]string
	block    chan struct{} // if not nil, invocations wait for it to close
	entered  chan string   // if not nil, gets each step that begins
}

func (f *function) Has(arn string) bool { return arn == functionARN }

func (f *function) Invoke(ctx context.Context, _ string, payload []byte) ([]byte, error) {
	var e map[string]string
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	f.mu.Lock()
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[e["Step"]]++
	n := f.counts[e["Step"]]
	f.steps = append(f.steps, e["Step"])
	f.payloads = append(f.payloads, e)
	block, entered, fail := f.block, f.entered, f.fail
	f.mu.Unlock()
	if entered != nil {
		entered <- e["Step"]
	}
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if fail != nil {
		if err := fail(e["Step"], n); err != nil {
			return nil, err
		}
	}
	return []byte("null"), f.step(ctx, e)
}

func (f *function) step(ctx context.Context, e map[string]string) error {
	id, token := e["SecretId"], e["ClientRequestToken"]
	switch e["Step"] {
	case "createSecret":
		_, err := f.client.PutSecretValue(ctx, &api.PutSecretValueInput{
			SecretId: &id, ClientRequestToken: &token, SecretString: aws.String("made for " + token), VersionStages: []string{"AWSPENDING"},
			RotationToken: aws.String(e["RotationToken"]),
		})
		return err
	case "testSecret":
		_, err := f.client.GetSecretValue(ctx, &api.GetSecretValueInput{SecretId: &id, VersionId: &token, VersionStage: aws.String("AWSPENDING")})
		return err
	case "finishSecret":
		d, err := f.client.DescribeSecret(ctx, &api.DescribeSecretInput{SecretId: &id})
		if err != nil {
			return err
		}
		in := &api.UpdateSecretVersionStageInput{SecretId: &id, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &token}
		for v, stages := range d.VersionIdsToStages {
			for _, s := range stages {
				if s == "AWSCURRENT" {
					in.RemoveFromVersionId = &v
				}
			}
		}
		_, err = f.client.UpdateSecretVersionStage(ctx, in)
		return err
	}
	return nil
}

func (f *function) ran() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.steps...)
}

// raw sends a request that no SDK would.
func (w *world) raw(target, body string, header ...string) (int, http.Header, map[string]any) {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", readerOf(body))
	r.Header.Set("X-Amz-Target", target)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.srv.ServeHTTP(rec, r)
	var out map[string]any
	if rec.Body.Len() > 0 {
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			w.t.Fatalf("the reply is not JSON: %q", rec.Body)
		}
	}
	return rec.Code, rec.Header(), out
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	return must(os.ReadFile(path))(t)
}
