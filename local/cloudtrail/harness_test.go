package cloudtrail_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"go.uber.org/goleak"

	"github.com/rekey-aws/rekey/local/cloudtrail"
	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account     = "123456789012"
	functionARN = "arn:aws:lambda:us-east-1:123456789012:function:rotate"
)

// begin is when every world begins.
var begin = time.Date(2026, 7, 15, 15, 20, 30, 999, time.UTC)

// world is a local Secrets Manager whose events are kept.
type world struct {
	*api.Client
	t       testing.TB
	manager *secretsmanager.Server
	http    *httptest.Server
	rotate  func(step map[string]string) error // the rotation function; nil: a good one

	mu     sync.Mutex
	now    time.Time
	events []eventbus.Event
}

func newWorld(t testing.TB, edit ...func(*secretsmanager.Options)) *world {
	t.Helper()
	w := &world{t: t, now: begin}
	trail, err := cloudtrail.New(cloudtrail.Options{
		Put: w.put, Now: w.clock, OnError: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	o := secretsmanager.Options{
		Now: w.clock, Invoker: w, Attempts: 1,
		OnCall: trail.Call, OnRotation: trail.Rotation, OnSecret: trail.Secret, OnLabels: trail.Labels,
	}
	for _, e := range edit {
		e(&o)
	}
	if w.manager, err = secretsmanager.New(o); err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewServer(w.manager)
	w.Client = w.as("alice", "us-east-1")
	return w
}

func (w *world) close() {
	w.http.Close()
	if err := w.manager.Close(); err != nil {
		w.t.Errorf("closing: %v", err)
	}
}

func (w *world) as(accessKeyID, region string) *api.Client {
	return api.New(api.Options{
		Region: region, BaseEndpoint: aws.String(w.http.URL), Retryer: aws.NopRetryer{}, HTTPClient: w.http.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(accessKeyID, "key", ""),
	})
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

func (w *world) put(_ context.Context, e eventbus.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

// take returns the events since it was last called.
func (w *world) take() []eventbus.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := w.events
	w.events = nil
	return events
}

func (w *world) Has(arn string) bool { return arn == functionARN }

func (w *world) Invoke(ctx context.Context, _ string, payload []byte) ([]byte, error) {
	var e map[string]string
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	if w.rotate != nil {
		return nil, w.rotate(e)
	}
	return nil, w.goodStep(ctx, e)
}

func (w *world) goodStep(ctx context.Context, e map[string]string) error {
	id, token := e["SecretId"], e["ClientRequestToken"]
	c := w.as("rotate", "us-east-1")
	var err error
	switch e["Step"] {
	case "createSecret":
		_, err = c.PutSecretValue(ctx, &api.PutSecretValueInput{
			SecretId: &id, ClientRequestToken: &token, SecretString: aws.String("made for " + token),
			VersionStages: []string{"AWSPENDING"}, RotationToken: aws.String(e["RotationToken"]),
		})
	case "finishSecret":
		_, err = c.UpdateSecretVersionStage(ctx, &api.UpdateSecretVersionStageInput{
			SecretId: &id, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &token, RemoveFromVersionId: aws.String(first),
		})
	}
	return err
}

const (
	first  = "00000000-0000-4000-8000-000000000001"
	second = "00000000-0000-4000-8000-000000000002"
	third  = "00000000-0000-4000-8000-000000000003"
	fourth = "00000000-0000-4000-8000-000000000004"
)

var errFunction = errors.New("hunter2 was refused")

// create makes a secret, and forgets the events of it.
func (w *world) create(name string) string {
	w.t.Helper()
	out, err := w.CreateSecret(w.t.Context(), &api.CreateSecretInput{Name: &name, SecretString: aws.String("value"), ClientRequestToken: aws.String(first)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.take()
	return *out.ARN
}

// records are the CloudTrail records among events.
func records(t testing.TB, events []eventbus.Event) []cloudtrail.Record {
	t.Helper()
	var all []cloudtrail.Record
	for _, e := range events {
		if e.DetailType == "Secret Label Updated" {
			continue
		}
		var r cloudtrail.Record
		if err := json.Unmarshal(e.Detail, &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// names are the names of events, as a rule would tell them apart.
func names(t testing.TB, events []eventbus.Event) []string {
	t.Helper()
	var all []string
	for _, e := range events {
		var d struct{ EventName, LabelUpdated string }
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d.EventName+d.LabelUpdated)
	}
	return all
}

func wantNames(t testing.TB, got []eventbus.Event, want ...string) {
	t.Helper()
	if n := names(t, got); !slices.Equal(n, want) {
		t.Fatalf("events %v\nwant   %v", n, want)
	}
}
