package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/lambda/lambdatest"
	"github.com/rekey-aws/rekey/local/scheduler"
	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/local/vendorproxy"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

func TestMain(m *testing.M) { lambdatest.Main(m, "rotate-apikey") }

// functionKey is the access key under which the function's calls are told from
// the test's.
const functionKey = "AKIDFUNCTION"

// world is AWS on this machine, and one vendor behind a proxy.
type world struct {
	t        *testing.T
	client   *sdk.Client
	server   *secretsmanager.Server
	function *lambda.Function
	proxy    *vendorproxy.Proxy
	secret   string // ARN of the secret that is rotated
	retired  chan scheduler.Invocation
	secrets  []string // values that nothing may tell

	mu    sync.Mutex
	logs  bytes.Buffer
	calls []string // the function's
	fault func(operation string) secretsmanager.FaultKind
}

func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs.Write(p)
}

// output is what the function has logged so far.
func (w *world) output() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs.String()
}

// newWorld has the function reach every https host at the vendor.
func newWorld(t *testing.T, vendor http.Handler, environment map[string]string, tune ...func(*lambda.Config)) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("starts the compiled function")
	}
	w := &world{t: t, retired: make(chan scheduler.Invocation, 100)}
	registry := &lambda.Registry{}
	var err error
	w.server, err = secretsmanager.New(secretsmanager.Options{
		Invoker: registry,
		Backoff: func(int) time.Duration { return 10 * time.Millisecond },
		OnCall: func(c secretsmanager.Call) {
			if c.AccessKeyID == functionKey {
				lambdatest.Called("secretsmanager:" + c.Operation)
				w.mu.Lock()
				defer w.mu.Unlock()
				w.calls = append(w.calls, c.Operation)
			}
		},
		Fault: func(operation string, _ int) secretsmanager.Fault {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.fault == nil {
				return secretsmanager.Fault{}
			}
			return secretsmanager.Fault{Kind: w.fault(operation)}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(w.server)
	if w.proxy, err = vendorproxy.Start(vendor, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	later := w.newScheduler()
	config := lambda.Config{
		Name: "rotate-apikey", Binary: lambdatest.Binary, Timeout: 30 * time.Second, Logs: w,
		Credentials: lambda.Credentials{AccessKeyID: functionKey, SecretAccessKey: "example", SessionToken: "example"},
		Env: map[string]string{
			"AWS_ENDPOINT_URL": web.URL, "AWS_ENDPOINT_URL_SCHEDULER": later, "HTTPS_PROXY": w.proxy.URL(), "SSL_CERT_FILE": w.proxy.CAFile(),
			"PROVIDERS_DIR": absolute(t, "testdata/providers"),
		},
	}
	maps.Copy(config.Env, environment)
	for _, change := range tune {
		change(&config)
	}
	if w.function, err = lambda.New(config); err != nil {
		t.Fatal(err)
	}
	if err := registry.Add(w.function); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.server.Close(), registry.Close(), w.proxy.Close()); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	w.client, err = secretstore.Client(func(name string) (string, bool) {
		v, ok := map[string]string{"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": web.URL, "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "example"}[name]
		return v, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func absolute(t *testing.T, path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// newScheduler is EventBridge Scheduler, which invokes the function.
func (w *world) newScheduler() string {
	server, err := scheduler.New(scheduler.Options{Invoker: w, OnInvocation: func(i scheduler.Invocation) { w.retired <- i }})
	if err != nil {
		w.t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/schedules/") {
			lambdatest.Called("scheduler:CreateSchedule")
			lambdatest.Called("iam:PassRole")
		} else {
			w.t.Errorf("the function asks the scheduler for %s %s", r.Method, r.URL.Path)
		}
		server.ServeHTTP(out, r)
	}))
	ctx, stop := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
		web.Close()
	})
	return web.URL
}

// Invoke implements what the scheduler invokes.
func (w *world) Invoke(ctx context.Context, _ string, payload []byte) ([]byte, error) {
	return w.function.Invoke(ctx, payload)
}

// keep stores a secret and returns its ARN. Its values must not be told.
func (w *world) keep(name string, document any) string {
	w.t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		w.t.Fatal(err)
	}
	made, err := w.client.CreateSecret(w.t.Context(), &sdk.CreateSecretInput{Name: &name, SecretString: aws.String(string(text))})
	if err != nil {
		w.t.Fatal(err)
	}
	return *made.ARN
}

// rotate asks for a rotation and waits for its end.
func (w *world) rotate(immediately bool) error {
	w.t.Helper()
	_, err := w.client.RotateSecret(w.t.Context(), &sdk.RotateSecretInput{
		SecretId: &w.secret, RotationLambdaARN: aws.String(w.function.ARN()), RotateImmediately: &immediately,
		RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	_, err = w.server.Wait(ctx, w.secret)
	return err
}

// value is the document of a version.
func (w *world) value(stage string) map[string]string {
	w.t.Helper()
	out, err := w.client.GetSecretValue(w.t.Context(), &sdk.GetSecretValueInput{SecretId: &w.secret, VersionStage: &stage})
	if err != nil {
		w.t.Fatal(err)
	}
	var doc map[string]string
	if err := json.Unmarshal([]byte(*out.SecretString), &doc); err != nil {
		w.t.Fatal(err)
	}
	return doc
}

func (w *world) setFault(f func(string) secretsmanager.FaultKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// mustNotLeak searches what the function wrote.
func (w *world) mustNotLeak(secrets ...string) {
	w.t.Helper()
	logs := w.output()
	for _, s := range append(secrets, w.secrets...) {
		if s != "" && strings.Contains(logs, s) {
			w.t.Errorf("a secret is in the function's output:\n%s", logs)
		}
	}
}
