package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/local/awsjson"
	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/shared/audit/forwarder"
)

const token = "11111111-2222-4333-8444-555555555555"

// planted is in the parts of events that nobody may forward.
const planted = "Planted-Value-0123456789"

// failed is the event of a rotation that failed, with fields that AWS does not send, too.
func failed(secret, id string) string {
	arn := "arn:aws:secretsmanager:us-east-1:" + accountID + ":secret:" + secret + "-AbCdEf"
	return fmt.Sprintf(`{"version":"0","id":"bus","detail-type":"AWS Service Event via CloudTrail","source":"aws.secretsmanager","account":%q,
		"time":%q,"region":"us-east-1","resources":[],"detail":{"eventVersion":"1.08","userIdentity":{"accountId":%q,"invokedBy":"secretsmanager.amazonaws.com"},
		"eventTime":%q,"eventSource":"secretsmanager.amazonaws.com","eventName":"RotationFailed","awsRegion":"us-east-1",
		"errorMessage":"Error when executing lambda %s during setSecret step","requestParameters":{"secretString":%q},"responseElements":{"rotationToken":%q},
		"additionalEventData":{"SecretId":%q},"requestID":"Rotation-%s-%s","eventID":%q,"eventType":"AwsServiceEvent","recipientAccountId":%q}}`,
		accountID, now(), accountID, now(), rotateRDS, planted, planted, arn, arn, token, id, accountID)
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// deleted is the event of a secret that alice deleted without recovery.
func deleted(secret, id string) string {
	return fmt.Sprintf(`{"version":"0","id":"bus","detail-type":"AWS API Call via CloudTrail","source":"aws.secretsmanager","account":%q,"time":%q,"region":"us-east-1",
		"resources":[],"detail":{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::%s:user/alice","accountId":%q,"userName":"alice"},
		"eventTime":%q,"eventSource":"secretsmanager.amazonaws.com","eventName":"DeleteSecret","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7",
		"requestParameters":{"secretId":%q,"forceDeleteWithoutRecovery":true,"secretString":%q},"responseElements":{"token":%q},"eventID":%q,"eventType":"AwsApiCall","recipientAccountId":%q}}`,
		accountID, now(), accountID, accountID, now(), secret, planted, planted, id, accountID)
}

const tick = `{"version":"0","id":"t","detail-type":"Scheduled Event","source":"aws.events","account":"123456789012","time":"2026-05-04T12:00:00Z","region":"us-east-1","resources":[],"detail":{}}`

func batch(bodies ...string) string {
	type record struct {
		ID     string `json:"messageId"`
		Body   string `json:"body"`
		Source string `json:"eventSource"`
	}
	var in struct{ Records []record }
	for n, body := range bodies {
		in.Records = append(in.Records, record{fmt.Sprint("m-", n), body, "aws:sqs"})
	}
	payload, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	return string(payload)
}

// Everything that the function can do, on the wire: its events reach every sink once and
// without a value.
func TestEverything(t *testing.T) {
	t.Parallel()
	a := newAccount(t, everySink())
	line := `{"level":"ERROR","step":"setSecret","version":"` + token + `","kind":"refused","error":"logging in as \"app\": no","hint":"Put the password back."}`
	if _, err := a.logs.Group("/aws/lambda/rotate-rds").Write([]byte(line + "\n")); err != nil {
		t.Fatal(err)
	}
	event := failed("prod/db", "e-1")
	var group sync.WaitGroup
	for range 100 { // delivered again and again, and at once
		group.Go(func() {
			for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
				if _, err := a.invoke(event); err == nil {
					return
				}
			}
			t.Error("it does not end")
		})
	}
	group.Wait()
	answer := a.must(batch(deleted("prod/other", "e-2"), "nonsense", deleted("prod/other", "e-2")))
	if answer != `{"batchItemFailures":[]}` {
		t.Errorf("the answer is %s", answer)
	}
	a.overdue("prod/forgotten")
	a.must(tick)
	a.must(tick)

	hook := a.receiver.got()
	if len(hook) != 3 {
		t.Fatalf("the webhook got %d alerts:\n%s\n%s", len(hook), strings.Join(hook, "\n"), a.written())
	}
	for n, says := range []string{`"cause":{"step":"setSecret","kind":"refused"`, `"detection":"forced-delete"`, `"detection":"rotation-overdue"`} {
		if !strings.Contains(hook[n], says) {
			t.Errorf("alert %d does not say %s: %s", n, says, hook[n])
		}
	}
	records, letters := a.stream.Records(streamName), a.queue.Messages(queueURL)
	if len(a.topic.Messages()) != 3 || len(records) != 3 || len(a.hub.Findings()) != 3 || len(letters) != 1 {
		t.Errorf("the topic has %d, the stream %d, the hub %d, the dead letters %d", len(a.topic.Messages()), len(records), len(a.hub.Findings()), len(letters))
	}
	if m := a.topic.Messages()[0]; m.Subject != "[high] Rotation failed: prod/db" || m.Attributes["detection"] != "rotation-failed" || !strings.Contains(m.Text, "Put the password back.") {
		t.Errorf("the message is %+v", m)
	}
	a.mustNotLeak(hook)
}

// overdue makes a secret that should have rotated thirty days ago.
func (a *account) overdue(name string) {
	a.t.Helper()
	ctx := a.t.Context()
	if _, err := a.client.CreateSecret(ctx, &sdk.CreateSecretInput{Name: &name, SecretString: aws.String("value")}); err != nil {
		a.t.Fatal(err)
	}
	_, err := a.client.RotateSecret(ctx, &sdk.RotateSecretInput{
		SecretId: &name, RotationLambdaARN: aws.String(rotateRDS), RotateImmediately: aws.Bool(false),
		RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

// mustNotLeak searches everything that left the function.
func (a *account) mustNotLeak(hook []string) {
	a.t.Helper()
	everything := a.written() + strings.Join(hook, "\n")
	for _, m := range a.topic.Messages() {
		everything += fmt.Sprintf("%+v", m)
	}
	for _, r := range a.stream.Records(streamName) {
		everything += string(r)
	}
	findings, err := json.Marshal(a.hub.Findings())
	if err != nil {
		a.t.Fatal(err)
	}
	everything += string(findings)
	for _, secret := range []string{planted, key, strings.TrimPrefix(key, "whsec_"), "secret-path"} {
		if strings.Contains(everything, secret) {
			a.t.Errorf("%q left the function", secret)
		}
	}
}

// The table is away: everything is forwarded all the same, and says so.
func TestStateAway(t *testing.T) {
	t.Parallel()
	a := newAccount(t, everySink(), func(c *lambda.Config) { c.Env["AWS_MAX_ATTEMPTS"] = "1" })
	a.setFault(awsjson.Refuse("InternalServerError", "no"))
	a.must(deleted("prod/db", "e-1"))
	if got := a.receiver.got(); len(got) != 1 || !strings.Contains(got[0], "may come more than once") {
		t.Errorf("the webhook got %v\n%s", got, a.written())
	}
}

// An address that is no longer one is read anew from its secret.
func TestNewAddress(t *testing.T) {
	t.Parallel()
	a := newAccount(t, everySink())
	a.must(deleted("prod/a", "e-1"))
	refusing := true
	a.receiver.set(func(_ int, w http.ResponseWriter) bool {
		if refusing {
			w.WriteHeader(http.StatusGone)
			refusing = false
			return false
		}
		return true
	})
	a.must(deleted("prod/b", "e-2"))
	if n := len(a.receiver.got()); n != 2 {
		t.Errorf("the webhook got %d alerts", n)
	}
}

// A configuration that is wrong fails every event, with what to do, and tells nobody.
func TestMisconfigured(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"no JSON":        `{`,
		"unknown member": `{"sink": []}`,
		"two kinds":      `{"sinks": [{"name": "a", "sns": {"topic": "` + topicARN + `"}, "securityHub": {}}]}`,
		"a template":     `{"sinks": [{"name": "a", "webhook": {"secret": "s", "template": ".a |"}}]}`,
		"no file":        `/no/such/file`,
		"everybody":      `{"detect": {"rotationRoles": ["*"]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, forwarder.Settings{}, func(c *lambda.Config) { c.Env[forwarder.EnvConfig] = config })
			if _, err := a.invoke(deleted("prod/db", "e-1")); err == nil || !strings.Contains(err.Error(), "What to do: ") {
				t.Errorf("got %v", err)
			}
		})
	}
}
