package main_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/awsjson"
	"github.com/rekey-aws/rekey/local/cloudwatchlogs"
	"github.com/rekey-aws/rekey/local/dynamodb"
	"github.com/rekey-aws/rekey/local/firehose"
	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/lambda/lambdatest"
	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/local/securityhub"
	"github.com/rekey-aws/rekey/local/sns"
	"github.com/rekey-aws/rekey/local/sqs"
	"github.com/rekey-aws/rekey/shared/audit/forwarder"
	"github.com/rekey-aws/rekey/shared/audit/state/dynamostate"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

func TestMain(m *testing.M) { lambdatest.Main(m, "audit-forwarder") }

// account is AWS on this machine, as far as the function sees it.
type account struct {
	t        testing.TB
	endpoint string
	function *lambda.Function
	client   *sdk.Client

	secrets  *secretsmanager.Server
	table    *dynamodb.Database
	logs     *cloudwatchlogs.Logs
	topic    *sns.SNS
	stream   *firehose.Firehose
	hub      *securityhub.Hub
	queue    *sqs.Queues
	receiver *receiver

	mu     sync.Mutex
	output bytes.Buffer   // of the function
	fault  *awsjson.Error // of the table
}

const (
	accountID   = "123456789012"
	topicARN    = "arn:aws:sns:us-east-1:" + accountID + ":alerts"
	streamName  = "findings"
	queueURL    = "https://sqs.us-east-1.amazonaws.com/" + accountID + "/dead-letters"
	functionKey = "AKIDFUNCTION"
	hookSecret  = "alerts/webhook"
	rotateRDS   = "arn:aws:lambda:us-east-1:" + accountID + ":function:rotate-rds"
)

// key signs what is sent to the webhook. It must be nowhere else.
var key = "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text()+rand.Text()))

// everySink is told of everything.
func everySink() forwarder.Settings {
	return forwarder.Settings{
		Playbooks: "https://example.com/playbooks/",
		Sinks: []forwarder.SinkSettings{
			{Name: "topic", SNS: &forwarder.TopicSettings{Topic: topicARN}},
			{Name: "hook", Webhook: &forwarder.WebhookSettings{Secret: hookSecret, PrivateAddresses: true}},
			{Name: "hub", SecurityHub: &forwarder.SecurityHubSettings{}},
			{Name: "lake", Firehose: &forwarder.StreamSettings{Stream: streamName}},
		},
	}
}

func newAccount(t testing.TB, settings forwarder.Settings, tune ...func(*lambda.Config)) *account {
	t.Helper()
	a := &account{t: t, receiver: &receiver{}}
	a.start()
	document, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	hook := httptest.NewServer(a.receiver)
	t.Cleanup(hook.Close)
	config := lambda.Config{
		Name: "audit-forwarder", Binary: lambdatest.Binary, Timeout: 30 * time.Second, Logs: a,
		Credentials: lambda.Credentials{AccessKeyID: functionKey, SecretAccessKey: "example", SessionToken: "example"},
		Env: map[string]string{
			"AWS_ENDPOINT_URL": a.endpoint, forwarder.EnvConfig: string(document), forwarder.EnvTable: "state", forwarder.EnvDeadLetters: queueURL,
		},
	}
	for _, change := range tune {
		change(&config)
	}
	if a.function, err = lambda.New(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.function.Close(); err != nil {
			t.Error(err)
		}
	})
	value := fmt.Sprintf(`{"url": %q, "key": %q}`, hook.URL+"/secret-path", key)
	if _, err := a.client.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: aws.String(hookSecret), SecretString: &value}); err != nil {
		t.Fatal(err)
	}
	return a
}

// start serves every service on one port, as rekey local does.
func (a *account) start() {
	t := a.t
	t.Helper()
	var err error
	// Sixty days ago: what was to rotate after thirty is overdue.
	then := func() time.Time { return time.Now().AddDate(0, 0, -60) }
	a.secrets, err = secretsmanager.New(secretsmanager.Options{Now: then, Invoker: succeeds{}, OnCall: func(c secretsmanager.Call) {
		if c.AccessKeyID == functionKey {
			lambdatest.Called("secretsmanager:" + c.Operation)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	a.table, err = dynamodb.Open(dynamodb.Options{
		Tables: []dynamodb.Table{{Name: "state", Partition: dynamostate.PartitionKey, Sort: dynamostate.SortKey}},
		OnCall: lambdatest.Called, Fault: func(string) *awsjson.Error { a.mu.Lock(); defer a.mu.Unlock(); return a.fault },
	})
	if err != nil {
		t.Fatal(err)
	}
	a.logs = cloudwatchlogs.New(cloudwatchlogs.Options{OnCall: lambdatest.Called})
	a.topic = &sns.SNS{Topics: []string{topicARN}, OnCall: lambdatest.Called}
	a.stream = firehose.New(firehose.Options{Streams: []string{streamName}, OnCall: lambdatest.Called})
	a.hub = &securityhub.Hub{OnCall: lambdatest.Called}
	a.queue = sqs.New(queueURL)
	a.queue.OnCall = lambdatest.Called
	services := map[string]http.Handler{
		"secretsmanager": a.secrets, "dynamodb": a.table, "logs": a.logs, "sns": a.topic, "firehose": a.stream, "securityhub": a.hub, "sqs": a.queue,
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		part := strings.Split(scope, "/")
		if len(part) < 5 || services[part[3]] == nil {
			t.Errorf("a request to no service: %s", r.Header.Get("X-Amz-Target"))
			w.WriteHeader(http.StatusForbidden)
			return
		}
		services[part[3]].ServeHTTP(w, r)
	}))
	a.endpoint = web.URL
	t.Cleanup(func() {
		if err := a.secrets.Close(); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	a.client, err = secretstore.Client(func(name string) (string, bool) {
		v, ok := map[string]string{"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": web.URL, "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "example"}[name]
		return v, ok
	})
	if err != nil {
		t.Fatal(err)
	}
}

// succeeds is a rotation function that does nothing.
type succeeds struct{}

func (succeeds) Has(string) bool { return true }
func (succeeds) Invoke(context.Context, string, []byte) ([]byte, error) {
	return nil, nil
}

func (a *account) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.output.Write(p)
}

func (a *account) written() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.output.String()
}

// setFault makes the table fail, or work again.
func (a *account) setFault(e *awsjson.Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = e
}

// invoke hands the function an event.
func (a *account) invoke(payload string) (string, error) {
	answer, err := a.function.Invoke(a.t.Context(), []byte(payload))
	return string(answer), err
}

func (a *account) must(payload string) string {
	a.t.Helper()
	answer, err := a.invoke(payload)
	if err != nil {
		a.t.Fatalf("%v\n%s", err, a.written())
	}
	return answer
}

// receiver is a webhook. It accepts, unless it is told otherwise.
type receiver struct {
	mu     sync.Mutex
	bodies []string
	ids    map[string]int // of accepted messages, by webhook-id
	answer func(n int, w http.ResponseWriter) (accepted bool)
	n      int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	if r.answer != nil && !r.answer(r.n, w) {
		return
	}
	if r.ids == nil {
		r.ids = map[string]int{}
	}
	r.ids[q.Header.Get("webhook-id")]++
	r.bodies = append(r.bodies, string(body))
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.bodies...)
}

func (r *receiver) set(answer func(n int, w http.ResponseWriter) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}
