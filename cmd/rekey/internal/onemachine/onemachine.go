// Package onemachine puts AWS on one machine: the stand-in for Secrets Manager on a loopback
// port, and the compiled functions that it rotates with.
package onemachine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/lambdaapi"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// Function is one to deploy. Its access key id is its name, so that its calls can be told
// from others'.
type Function struct {
	Name   string
	Binary string
	Env    map[string]string // beside what the machine itself sets
}

// Options configure a Machine. Listener and Service.Region are required.
type Options struct {
	Listener  net.Listener           // see Listen
	Service   secretsmanager.Options // its Invoker is the machine's
	Functions []Function
	Events    *Events  // nil: there are none
	Services  Services // beside Secrets Manager

	// Signed makes the stand-in check signatures: Service.Callers, the functions and the
	// clients of the machine then have keys. Without it all of them may do everything.
	Signed bool

	OnInvoke func(lambda.Report)
	Logs     io.Writer // of the functions; discarded if nil
	// LogsOf, unless it is nil, is where the lines of each function go as well, by its name.
	LogsOf func(function string) io.Writer
}

// Machine is AWS on one machine. Close it.
type Machine struct {
	Endpoint  string
	Region    string
	Manager   *secretsmanager.Server
	Functions *lambda.Registry
	Lambda    *lambdaapi.Server // the functions, under the API of Lambda

	http        *http.Server
	serving     chan error // holds the end of serving
	bus         *eventbus.Bus
	services    map[string]Service
	credentials keyring
}

// functionTimeout is the time that the deployment gives a rotation function.
const functionTimeout = 30 * time.Second

// Listen opens a loopback port; 0 is any that is free.
func Listen(ctx context.Context, port int) (net.Listener, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", address)
	if err != nil {
		return nil, fmt.Errorf("opening the port: %w: stop what uses %s, or choose another port with --port (0 is any free one)", err, address)
	}
	return listener, nil
}

// Start deploys the functions and serves the API. Nothing is due before Manager.Run. It
// takes over the listener, also when it fails.
func Start(o Options) (*Machine, error) {
	m := &Machine{
		Endpoint: "http://" + o.Listener.Addr().String(), Region: o.Service.Region,
		Functions: &lambda.Registry{}, serving: make(chan error, 1), credentials: keyring{signed: o.Signed},
	}
	if err := m.prepare(o); err != nil {
		return nil, errors.Join(err, o.Listener.Close(), m.closeBus(), m.stopServices(), m.Functions.Close())
	}
	m.http = &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second}
	go func() { m.serving <- m.http.Serve(o.Listener) }()
	return m, nil
}

func (m *Machine) prepare(o Options) error {
	if err := m.deploy(o); err != nil {
		return err
	}
	if err := m.add(o.Services); err != nil {
		return err
	}
	service := o.Service
	service.Invoker = rotating{m.Functions, m.Lambda}
	if o.Signed {
		service.Callers = m.callers(service.Callers)
	}
	if err := m.record(o.Events, &service); err != nil {
		return err
	}
	var err error
	m.Manager, err = secretsmanager.New(service)
	return err
}

func (m *Machine) deploy(o Options) error {
	for _, f := range o.Functions {
		env := map[string]string{"AWS_ENDPOINT_URL": m.Endpoint}
		maps.Copy(env, f.Env)
		function, err := lambda.New(lambda.Config{
			Name: f.Name, Binary: f.Binary, Env: env, Region: m.Region, Timeout: functionTimeout,
			Credentials: m.credentials.of(f.Name), Logs: o.logsOf(f.Name), OnInvoke: o.OnInvoke,
		})
		if err != nil {
			return err
		}
		if err := m.Functions.Add(function); err != nil {
			return err
		}
	}
	var err error
	m.Lambda, err = lambdaapi.New(lambdaapi.Options{Functions: m.Functions})
	return err
}

// rotating invokes functions for Secrets Manager, if their policies let it.
type rotating struct {
	*lambda.Registry
	lambda *lambdaapi.Server
}

// Has implements [secretsmanager.Invoker].
func (r rotating) Has(function string) bool { return r.lambda.RotationAllowed(function) }

func (o *Options) logsOf(function string) io.Writer {
	switch {
	case o.LogsOf == nil:
		return o.Logs
	case o.Logs == nil:
		return o.LogsOf(function)
	}
	return io.MultiWriter(o.Logs, o.LogsOf(function))
}

// Client is a Secrets Manager client of the AWS SDK for this machine, for the named caller.
// Nothing of the environment's settings or credentials is used. Where signatures are checked
// there is only one such caller, Self.
func (m *Machine) Client(name string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: m.Region, BaseEndpoint: &m.Endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			c := m.credentials.of(name)
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	})
}

// Serving holds the error when the API can no longer be served.
func (m *Machine) Serving() <-chan error { return m.serving }

// closePatience is for calls that are being answered.
const closePatience = 2 * time.Second

// Close stops rotations, the functions and the API, and waits for their end. With a state
// directory, a rotation that was under way is taken up by the next machine on it.
func (m *Machine) Close() error {
	failed := m.Manager.Close()
	failed = errors.Join(failed, m.closeBus(), m.stopServices()) // which need the functions
	failed = errors.Join(failed, m.Functions.Close())
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	if m.http.Shutdown(ctx) != nil {
		failed = errors.Join(failed, m.http.Close())
	}
	return failed
}
