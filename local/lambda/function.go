// Package lambda runs a compiled function on this machine as AWS Lambda runs it:
// the same binary, started with the same environment variables, served by the same
// Runtime API, ended at the same deadline, and reported in the same words.
//
// It follows the documents https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
// (protocol), lambda-runtime-environment.html (life cycle) and
// configuration-envvars.html (variables) of the AWS Lambda Developer Guide.
//
// What it does not do: it limits neither memory nor CPU (the memory size is told to the
// function and compared in the report, not enforced), it has no extensions and no
// response streaming, and a process that the function itself starts is not followed.
package lambda

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Config describes one function. Name and Binary are required; every other field's zero
// value means the default named beside it.
type Config struct {
	// Name is the function's name: 1 to 64 letters, digits, hyphens and underscores.
	Name string
	// Binary is the executable, built for this machine (see Build).
	Binary string
	// Env holds the function's own variables, at most 4 KB together. Reserved names are
	// refused, as by AWS. Nothing else of this process's environment reaches the function.
	Env map[string]string
	// Credentials are those of the function's role. Default: local placeholders.
	Credentials Credentials
	// Timeout limits one invocation: above 0, at most 15 minutes. Default: 3 seconds.
	Timeout time.Duration
	// InitTimeout limits the start, up to the first request for an invocation.
	// Default: 10 seconds, as on AWS.
	InitTimeout time.Duration
	// MemoryMB is what the function is told it has: 128 to 10240. Default: 128. Not enforced.
	MemoryMB int
	// Concurrency is the highest number of instances at once. Default: 10.
	Concurrency int
	// Throttle makes an invocation above Concurrency fail with TooManyRequestsException,
	// as reserved concurrency does on AWS. Otherwise it waits for an instance.
	Throttle bool
	// Region and AccountID are the places in the ARN. Defaults: us-east-1, 123456789012.
	Region, AccountID string
	// Logs receives what instances write to stdout and stderr, always whole lines, one
	// Write each, never two at once. Default: discarded.
	Logs io.Writer
	// PlatformLines adds Lambda's own START, END, REPORT and INIT_REPORT lines to Logs.
	PlatformLines bool
	// OnInvoke is called after every invocation that reached an instance, before its
	// result is returned. It may be called from several goroutines at once.
	OnInvoke func(Report)
}

// Credentials are those of a function's role. They print as their key id only.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
}

// Format keeps the secret parts out of every formatting verb.
func (c Credentials) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "credentials %s", c.AccessKeyID)
}

// Function is a deployed function and its running instances. Its methods may be called
// from several goroutines. Close it to end its processes.
type Function struct {
	cfg   Config
	slots chan struct{} // one token per instance that may exist
	logs  *logWriter

	closing chan struct{} // closed by Close
	running sync.WaitGroup

	mu         sync.Mutex
	closed     bool
	generation int                    // instances of an older one end after their invocation
	idle       []*instance            // the last used is last, and is used first
	live       map[*instance]struct{} // every instance whose process was started
}

const (
	defaultTimeout     = 3 * time.Second
	maxTimeout         = 15 * time.Minute
	defaultInitTimeout = 10 * time.Second
	defaultConcurrency = 10
	minMemoryMB        = 128
	maxMemoryMB        = 10240
)

var (
	functionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	accountID    = regexp.MustCompile(`^[0-9]{12}$`)
	regionName   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)
)

// New checks the configuration and the binary. No process is started before the first
// invocation: a cold start is then part of it, as on AWS.
func New(cfg Config) (*Function, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("configuring function %q: %w", cfg.Name, err)
	}
	binary, err := filepath.Abs(cfg.Binary)
	if err != nil {
		return nil, fmt.Errorf("configuring function %q: finding %s: %w", cfg.Name, cfg.Binary, err)
	}
	cfg.Binary = binary
	if err := checkBinary(binary); err != nil {
		return nil, fmt.Errorf("configuring function %q: %w", cfg.Name, err)
	}
	return &Function{
		cfg:     cfg,
		slots:   make(chan struct{}, cfg.Concurrency),
		logs:    &logWriter{w: cfg.Logs},
		closing: make(chan struct{}),
		live:    make(map[*instance]struct{}),
	}, nil
}

func (c *Config) setDefaults() {
	setDefault(&c.Timeout, defaultTimeout)
	setDefault(&c.InitTimeout, defaultInitTimeout)
	setDefault(&c.MemoryMB, minMemoryMB)
	setDefault(&c.Concurrency, defaultConcurrency)
	setDefault(&c.Region, "us-east-1")
	setDefault(&c.AccountID, "123456789012")
	setDefault(&c.Credentials, Credentials{
		AccessKeyID:     "LOCALACCESSKEYID",
		SecretAccessKey: "local-secret-access-key",
		SessionToken:    "local-session-token",
	})
	if c.Logs == nil {
		c.Logs = io.Discard
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) check() error {
	switch {
	case !functionName.MatchString(c.Name):
		return fmt.Errorf("the name must be 1 to 64 letters, digits, hyphens or underscores")
	case c.Binary == "":
		return fmt.Errorf("no binary is named: set Binary to the compiled function")
	case c.Timeout < 0 || c.Timeout > maxTimeout:
		return fmt.Errorf("timeout %s is outside 0 to %s", c.Timeout, maxTimeout)
	case c.InitTimeout < 0:
		return fmt.Errorf("init timeout %s is negative", c.InitTimeout)
	case c.MemoryMB < minMemoryMB || c.MemoryMB > maxMemoryMB:
		return fmt.Errorf("memory size %d MB is outside %d to %d", c.MemoryMB, minMemoryMB, maxMemoryMB)
	case c.Concurrency < 0:
		return fmt.Errorf("concurrency %d is negative", c.Concurrency)
	case !accountID.MatchString(c.AccountID):
		return fmt.Errorf("account id %q is not 12 digits", c.AccountID)
	case !regionName.MatchString(c.Region):
		return fmt.Errorf("region %q is not of the form us-east-1", c.Region)
	}
	return checkVariables(c.Env)
}

// Name returns the function's name.
func (f *Function) Name() string { return f.cfg.Name }

// Timeout returns the limit of one invocation.
func (f *Function) Timeout() time.Duration { return f.cfg.Timeout }

// MemoryMB returns the memory size that the function is told.
func (f *Function) MemoryMB() int { return f.cfg.MemoryMB }

// ARN returns the function's Amazon Resource Name, without a qualifier.
func (f *Function) ARN() string {
	return functionARN{
		partition: partitionOf(f.cfg.Region),
		region:    f.cfg.Region,
		account:   f.cfg.AccountID,
		name:      f.cfg.Name,
	}.String()
}

// Invoke runs the function once with a JSON payload (none means {}) and returns its answer.
//
// A *FunctionError is an error of the function: its own, a time-out, a crash. A
// *ServiceError is a refusal before the function ran: payload too large or not JSON,
// throttled. ErrClosed follows Close. When ctx ends first, Invoke returns its error and the
// function runs on to its end, as it does on AWS when a caller goes away.
//
// Unlike AWS, Invoke returns when the instance is free again, not already when the answer
// is there: logs are then complete and the report is known.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	answer, _, err := f.InvokeReport(ctx, payload)
	return answer, err
}

// InvokeReport is Invoke that also returns the invocation's report. The report is zero when
// the invocation did not reach an instance or ctx ended first.
func (f *Function) InvokeReport(ctx context.Context, payload []byte) ([]byte, Report, error) {
	return f.invoke(ctx, f.ARN(), payload)
}
