package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

// functionKey is the access key under which the functions' calls are told from the bench's.
const functionKey = "AKIDFUNCTION"

// world is AWS on this machine: Secrets Manager behind a wire, and the functions. One rotation
// at a time is measured.
type world struct {
	manager   *secretsmanager.Server
	web       *httptest.Server
	wire      *wire // between functions and Secrets Manager
	client    *sdk.Client
	functions lambda.Registry

	mu     sync.Mutex
	calls  int
	target *running // of the rotation under way
	steps  []step
}

// step is what one invocation took.
type step struct {
	name           string
	report         lambda.Report
	calls          int
	manager, wires traffic
	requests       int
}

func newWorld(ctx context.Context) (_ *world, err error) {
	w := &world{}
	w.manager, err = secretsmanager.New(secretsmanager.Options{
		Invoker: w, Attempts: 1,
		OnCall: func(c secretsmanager.Call) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if c.AccessKeyID == functionKey {
				w.calls++
			}
		},
	})
	if err != nil {
		return nil, err
	}
	w.web = httptest.NewServer(w.manager)
	if w.wire, err = newWire(ctx, w.web.Listener.Addr().String(), nil); err != nil {
		return nil, errors.Join(err, w.close())
	}
	settings := map[string]string{"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": w.web.URL, "AWS_ACCESS_KEY_ID": "AKIDBENCH", "AWS_SECRET_ACCESS_KEY": "example"}
	w.client, err = secretstore.Client(func(name string) (string, bool) { v, ok := settings[name]; return v, ok })
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) close() error {
	err := errors.Join(w.functions.Close(), w.manager.Close())
	if w.wire != nil {
		w.wire.close()
	}
	w.web.Close()
	return err
}

// endpoint is where functions find Secrets Manager.
func (w *world) endpoint() string { return fmt.Sprintf("http://127.0.0.1:%d", w.wire.port()) }

// deploy makes a function known. Its settings are completed by where Secrets Manager is.
func (w *world) deploy(c lambda.Config) (*lambda.Function, error) {
	c.Timeout, c.MemoryMB = time.Minute, 256
	c.Credentials = lambda.Credentials{AccessKeyID: functionKey, SecretAccessKey: "example", SessionToken: "example"}
	c.Env["AWS_ENDPOINT_URL"] = w.endpoint()
	f, err := lambda.New(c)
	if err != nil {
		return nil, err
	}
	return f, w.functions.Add(f)
}

// store makes a secret and returns its ARN.
func (w *world) store(ctx context.Context, name string, document map[string]any) (string, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return "", err
	}
	made, err := w.client.CreateSecret(ctx, &sdk.CreateSecretInput{Name: &name, SecretString: aws.String(string(text))})
	if err != nil {
		return "", err
	}
	return *made.ARN, nil
}

// rotate runs one rotation to its end and returns its steps.
func (w *world) rotate(ctx context.Context, t *running, f *lambda.Function, secret string) ([]step, error) {
	w.mu.Lock()
	w.target, w.steps = t, nil
	w.mu.Unlock()
	_, err := w.client.RotateSecret(ctx, &sdk.RotateSecretInput{
		SecretId: &secret, RotationLambdaARN: aws.String(f.ARN()), RotateImmediately: aws.Bool(true),
		RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	if err != nil {
		return nil, err
	}
	if _, err = w.manager.Wait(ctx, secret); err != nil {
		// What a function says may be of many lines, and of a stack.
		first, _, _ := strings.Cut(err.Error(), "\n")
		return nil, errors.New(first)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.steps, nil
}

// Has implements [secretsmanager.Invoker].
func (w *world) Has(function string) bool { return w.functions.Has(function) }

// Invoke implements [secretsmanager.Invoker]: it notes what the invocation took.
func (w *world) Invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	var event struct{ Step string }
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	before := w.count()
	answer, report, err := w.functions.InvokeReport(ctx, function, payload)
	after := w.count()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps = append(w.steps, step{
		name: event.Step, report: report, calls: after.calls - before.calls, requests: after.requests - before.requests,
		manager: after.manager.minus(before.manager), wires: after.wires.minus(before.wires),
	})
	return answer, err
}

// count is how much there was until now.
func (w *world) count() step {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := step{calls: w.calls, manager: w.wire.count()}
	if w.target.wire != nil {
		s.wires = w.target.wire.count()
	}
	if w.target.vendor != nil {
		s.requests = int(w.target.vendor.Load())
	}
	return s
}

// counting counts the requests that a handler gets.
func counting(h http.Handler, add func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { add(); h.ServeHTTP(w, r) })
}
