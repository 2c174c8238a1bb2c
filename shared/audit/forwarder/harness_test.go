package forwarder_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/forwarder"
	"github.com/rekey-aws/rekey/shared/audit/state"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// post is a sink that keeps what it is told, or fails.
type post struct {
	name string

	mu    sync.Mutex
	got   []audit.Finding
	fails func(n int) error // of the n-th call, from 1
	calls int
}

func (p *post) Name() string { return p.name }

func (p *post) Deliver(_ context.Context, findings []audit.Finding) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if p.fails != nil {
		if err := p.fails(p.calls); err != nil {
			return err
		}
	}
	p.got = append(p.got, findings...)
	return nil
}

func (p *post) all() []audit.Finding {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

// world is an account that answers as it is told.
type world struct {
	mu       sync.Mutex
	secrets  []audit.Metadata
	pageSize int
	badPlace bool // the next place to go on is refused
	pages    int
	lines    []string
	linesErr error
	asked    []string // log groups and patterns
	letters  []string
	buryErr  error
}

func (w *world) Page(_ context.Context, from, tag string) ([]audit.Metadata, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages++
	at := 0
	if from != "" {
		if w.badPlace {
			w.badPlace = false
			return nil, "", fmt.Errorf("no such place: %w", rotation.ErrNotFound)
		}
		_, _ = fmt.Sscan(from, &at)
	}
	size := w.pageSize
	if size == 0 {
		size = 100
	}
	end := min(at+size, len(w.secrets))
	next := ""
	if end < len(w.secrets) {
		next = fmt.Sprint(end)
	}
	_ = tag
	return w.secrets[at:end], next, nil
}

func (w *world) Lines(_ context.Context, group, pattern string, _, _ time.Time, _ int32) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, group+" "+pattern)
	return w.lines, w.linesErr
}

func (w *world) Bury(_ context.Context, _, message string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buryErr == nil {
		w.letters = append(w.letters, message)
	}
	return w.buryErr
}

// records can be made to fail.
type records struct {
	state.Memory
	mu   sync.Mutex
	down error
}

func (r *records) set(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = err
}

func (r *records) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.down
}

func (r *records) Load(ctx context.Context, k state.Key) (state.Record, error) {
	if err := r.err(); err != nil {
		return state.Record{}, err
	}
	return r.Memory.Load(ctx, k)
}

func (r *records) Swap(ctx context.Context, k state.Key, d state.Record) (bool, error) {
	if err := r.err(); err != nil {
		return false, err
	}
	return r.Memory.Swap(ctx, k, d)
}

func (r *records) List(ctx context.Context, partition string) (map[string]state.Record, error) {
	if err := r.err(); err != nil {
		return nil, err
	}
	return r.Memory.List(ctx, partition)
}

// bench is a forwarder, and all around it.
type bench struct {
	*forwarder.Forwarder
	t       *testing.T
	world   *world
	records *records
	sinks   []*post
	log     *lines

	mu  sync.Mutex
	now time.Time
}

type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const (
	function = "arn:aws:lambda:us-east-1:123456789012:function:rotate-rds"
	role     = "arn:aws:iam::123456789012:role/rotate-rds"
	token    = "11111111-2222-4333-8444-555555555555"
)

func newBench(t *testing.T, sinks ...string) *bench {
	t.Helper()
	b := &bench{
		t: t, world: &world{}, records: &records{}, log: &lines{}, now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC),
	}
	clock := func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.now
	}
	book := state.New(b.records, clock)
	detector, err := audit.NewDetector(audit.Config{RotationRoles: []string{role}}, book)
	if err != nil {
		t.Fatal(err)
	}
	b.Forwarder = &forwarder.Forwarder{
		Detector: detector, State: book, Account: b.world, Window: 10 * time.Minute, Now: clock,
		Log: slog.New(slog.NewJSONHandler(b.log, nil)),
	}
	for _, name := range sinks {
		p := &post{name: name}
		b.sinks = append(b.sinks, p)
		b.Sinks = append(b.Sinks, forwarder.Sink{Sink: p})
	}
	return b
}

func (b *bench) later(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// send is an event that EventBridge delivers.
func (b *bench) send(payload string) error {
	_, err := b.Handle(b.t.Context(), json.RawMessage(payload))
	return err
}

func (b *bench) must(payload string) {
	b.t.Helper()
	if err := b.send(payload); err != nil {
		b.t.Fatal(err)
	}
}

// batch is a batch of SQS; it returns the numbers of those that failed.
func (b *bench) batch(bodies ...string) []int {
	b.t.Helper()
	type record struct {
		ID     string `json:"messageId"`
		Body   string `json:"body"`
		Source string `json:"eventSource"`
	}
	var in struct{ Records []record }
	for n, body := range bodies {
		in.Records = append(in.Records, record{fmt.Sprint(n), body, "aws:sqs"})
	}
	payload, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := b.Handle(b.t.Context(), payload)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := json.Marshal(out)
	if err != nil {
		b.t.Fatal(err)
	}
	var answer struct {
		Failures []struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Failures == nil {
		b.t.Fatalf("the answer to a batch is %s", text)
	}
	failed := []int{}
	for _, f := range answer.Failures {
		var n int
		if _, err := fmt.Sscan(f.ID, &n); err != nil {
			b.t.Fatal(err)
		}
		failed = append(failed, n)
	}
	return failed
}

// tick is the schedule.
const tick = `{"version":"0","id":"t","detail-type":"Scheduled Event","source":"aws.events","account":"123456789012","time":"2026-05-04T12:00:00Z","region":"us-east-1","resources":[],"detail":{}}`

// service is an event of Secrets Manager's own.
func service(name, secret, id string) string {
	arn := "arn:aws:secretsmanager:us-east-1:123456789012:secret:" + secret + "-AbCdEf"
	message := ""
	if strings.HasSuffix(name, "Failed") {
		message = `"errorMessage":"Error when executing lambda ` + function + ` during setSecret step",`
	}
	return `{"version":"0","id":"bus-` + id + `","detail-type":"AWS Service Event via CloudTrail","source":"aws.secretsmanager","account":"123456789012",` +
		`"time":"2026-05-04T12:00:00Z","region":"us-east-1","resources":[],"detail":{"eventVersion":"1.08","userIdentity":{"accountId":"123456789012",` +
		`"invokedBy":"secretsmanager.amazonaws.com"},"eventTime":"2026-05-04T12:00:00Z","eventSource":"secretsmanager.amazonaws.com","eventName":"` + name + `",` +
		`"awsRegion":"us-east-1",` + message + `"requestParameters":null,"responseElements":null,"additionalEventData":{"SecretId":"` + arn + `"},` +
		`"requestID":"Rotation-` + arn + `-` + token + `","eventID":"` + id + `","eventType":"AwsServiceEvent","recipientAccountId":"123456789012"}}`
}

// call is one of alice's, with parameters in JSON.
func call(name, parameters, id string) string {
	return `{"version":"0","id":"bus-` + id + `","detail-type":"AWS API Call via CloudTrail","source":"aws.secretsmanager","account":"123456789012",` +
		`"time":"2026-05-04T12:00:00Z","region":"us-east-1","resources":[],"detail":{"eventVersion":"1.11","userIdentity":{"type":"IAMUser",` +
		`"arn":"arn:aws:iam::123456789012:user/alice","accountId":"123456789012","userName":"alice"},"eventTime":"2026-05-04T12:00:00Z",` +
		`"eventSource":"secretsmanager.amazonaws.com","eventName":"` + name + `","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","requestParameters":` +
		parameters + `,"responseElements":null,"requestID":"r-` + id + `","eventID":"` + id + `","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012"}}`
}

func forced(secret, id string) string {
	return call("DeleteSecret", `{"secretId":"`+secret+`","forceDeleteWithoutRecovery":true}`, id)
}

var errDown = errors.New("down")

// kept is what each sink has got, which must be n findings each.
func (b *bench) kept(n int) []audit.Finding {
	b.t.Helper()
	var last []audit.Finding
	for _, s := range b.sinks {
		last = s.all()
		if len(last) != n {
			b.t.Fatalf("%s has %d findings, want %d: %+v\n%s", s.name, len(last), n, last, b.log)
		}
	}
	return last
}

func deadline(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}
