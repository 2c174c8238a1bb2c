package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/secretstore"

	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const functionARN = "arn:aws:lambda:us-east-1:123456789012:function:rotate-rds"

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "example"}, nil
})

// functions is Lambda with the function: an instance serves one invocation at a time, and is
// kept for the next.
type functions struct {
	targets *targets
	wire    *wire
	pauses  Pauses
	deaf    bool // say yes and do nothing

	mu   sync.Mutex
	idle []*rotation.Machine
	busy int
	most int
}

// Has is of [secretsmanager.Invoker].
func (*functions) Has(arn string) bool { return arn == functionARN }

// timeout is the function's.
const timeout = 30 * time.Second

// Invoke is of [secretsmanager.Invoker].
func (f *functions) Invoke(ctx context.Context, _ string, payload []byte) ([]byte, error) {
	if f.deaf {
		return nil, nil
	}
	time.Sleep(f.pauses.Invoke)
	var event rotation.Event
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	m, err := f.instance()
	if err != nil {
		return nil, err
	}
	defer f.rest(m)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return nil, m.Handle(ctx, event)
}

func (f *functions) instance() (*rotation.Machine, error) {
	f.mu.Lock()
	f.busy++
	f.most = max(f.most, f.busy)
	if n := len(f.idle); n > 0 {
		m := f.idle[n-1]
		f.idle = f.idle[:n-1]
		f.mu.Unlock()
		return m, nil
	}
	f.mu.Unlock()
	time.Sleep(f.pauses.Cold)
	return f.start()
}

func (f *functions) rest(m *rotation.Machine) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy--
	f.idle = append(f.idle, m)
}

// start wires an instance as functions/rotate-rds does, with a client of its own.
func (f *functions) start() (*rotation.Machine, error) {
	environment := func(name string) (string, bool) {
		v, ok := map[string]string{
			"AWS_REGION": regionName, "AWS_ENDPOINT_URL": "http://standin.invalid", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example",
		}[name]
		return v, ok
	}
	client, err := secretstore.Client(environment)
	if err != nil {
		return nil, err
	}
	policy, err := dbuser.PolicyFrom(environment)
	if err != nil {
		return nil, err
	}
	options := client.Options()
	options.HTTPClient = f.wire
	return &rotation.Machine{
		Store:  secretstore.New(sdk.New(options)),
		Engine: &dbuser.Engine{Drivers: map[string]dbuser.Driver{"postgres": f.targets}, Policy: policy},
		Log:    slog.New(slog.NewJSONHandler(io.Discard, nil)), //nolint:sloglint // the line is written, as in Lambda
	}, nil
}

// wire carries calls to the stand-in without a network.
type wire struct {
	server *secretsmanager.Server
	pause  time.Duration
}

// Do is of [aws.HTTPClient].
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	time.Sleep(w.pause)
	answer := &recorder{header: http.Header{}, status: http.StatusOK}
	w.server.ServeHTTP(answer, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: answer.status, Header: answer.header, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(&answer.body), ContentLength: int64(answer.body.Len()),
	}, nil
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
