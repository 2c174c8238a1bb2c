package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/lambda"
)

// received is an alert as the webhook got it.
type received struct {
	Action, Key, Detection, Severity, What, Do, Text string
	Count                                            int
	Secret                                           struct{ Name, ARN string }
	Actor                                            struct{ Text string }
	Cause                                            struct{ Step, Kind, Error, Hint string }
	Notes                                            []string

	body   string
	header http.Header
	at     time.Time
}

// receiver is a webhook on this machine.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	alerts []received
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		var a received
		if err != nil || json.Unmarshal(body, &a) != nil {
			t.Errorf("the webhook got %q: %v", body, err)
		}
		a.body, a.header, a.at = string(body), q.Header, time.Now()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.alerts = append(r.alerts, a)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.alerts)
}

func (r *receiver) await(t *testing.T, l *local, detection string) received {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, a := range r.all() {
			if a.Detection == detection {
				return a
			}
		}
	}
	t.Fatalf("no alert of %s: %+v\n%s", detection, r.all(), l.text.String())
	return received{}
}

// counts is how many alerts there are of each detection.
func (r *receiver) counts() map[string]int {
	n := map[string]int{}
	for _, a := range r.all() {
		n[a.Detection]++
	}
	return n
}

// alerter is the compiled audit-forwarder.
func alerter(t *testing.T) string {
	t.Helper()
	binary, err := lambda.Build(t.Context(), lambda.BuildOptions{
		Package: "./functions/audit-forwarder", Out: filepath.Join(t.TempDir(), "audit-forwarder"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

const openToAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`

// Real functions and a real database: what goes wrong reaches a webhook, once and with its
// cause; what is ordinary does not.
func TestAlerts(t *testing.T) {
	needsEverything(t)
	server := databasetest.Shared(t, database.Postgres, "")
	hook := newReceiver(t)
	state := t.TempDir()
	l := startLocal(t, "--function", "audit-forwarder="+alerter(t), "--alerts", hook.URL+"/hook", "--state", state, "--env", "SSL_CERT_FILE="+server.CAFile())
	cli := newClient(t, l.ready.Endpoint)
	const first = "First-password-0123456789"
	cli.must(t, nil, "create-secret", "--name", "app", "--secret-string", "file://"+databaseUser(t, server, "alert_user", first))
	if err := server.Exec(t.Context(), "ALTER ROLE alert_user PASSWORD 'changed-by-a-person'"); err != nil {
		t.Fatal(err)
	}
	reads(t, l.ready.Endpoint, 10_000)
	cli.must(t, nil, "rotate-secret", "--secret-id", "app", "--rotation-lambda-arn", rotateRDSARN, "--rotation-rules", "AutomaticallyAfterDays=30")
	failed := l.await(t, "RotationFailed", "app", 1)
	a := hook.await(t, l, "rotation-failed")
	t.Logf("the alert came %s after the failure", a.at.Sub(failed.Time).Round(time.Millisecond))
	if a.Secret.Name != "app" || a.Cause.Step != "setSecret" || a.Cause.Kind != "refused" || a.Cause.Error == "" || a.Do != a.Cause.Hint || len(a.Notes) > 0 {
		t.Errorf("the alert is %s", a.body)
	}
	var pending struct{ SecretString string }
	cli.must(t, &pending, "get-secret-value", "--secret-id", "app", "--version-stage", "AWSPENDING")
	stranger := hook.await(t, l, "pending-read")
	if !strings.HasPrefix(stranger.Actor.Text, "user ") || stranger.Severity != "high" {
		t.Errorf("the alert is %s", stranger.body)
	}
	var current, key struct{ SecretString string }
	cli.must(t, &current, "get-secret-value", "--secret-id", "app")
	cli.must(t, &key, "get-secret-value", "--secret-id", "rekey-local/alerts")
	cli.must(t, nil, "put-resource-policy", "--secret-id", "app", "--resource-policy", openToAll)
	hook.await(t, l, "public-policy")
	cli.must(t, nil, "delete-secret", "--secret-id", "app", "--force-delete-without-recovery")
	hook.await(t, l, "forced-delete")
	l.stop(t) // which waits for deliveries

	want := map[string]int{"rotation-failed": 1, "pending-read": 1, "public-policy": 1, "forced-delete": 1}
	if got := hook.counts(); !maps.Equal(got, want) {
		t.Errorf("alerts: %v, want %v", got, want)
	}
	var sealed struct{ Key string }
	if err := json.Unmarshal([]byte(key.SecretString), &sealed); err != nil {
		t.Fatal(err)
	}
	for _, a := range hook.all() {
		mustBeSigned(t, a, sealed.Key)
		for _, value := range []string{first, "changed-by-a-person", password(t, pending.SecretString), password(t, current.SecretString), sealed.Key} {
			if strings.Contains(a.body, value) {
				t.Errorf("a value was sent: %s", a.body)
			}
		}
	}
	if letters, _ := filepath.Glob(filepath.Join(state, "dead-letters", "*.json")); len(letters) > 0 {
		t.Errorf("dead letters: %v", letters)
	}
}

func password(t *testing.T, document string) string {
	t.Helper()
	var d struct{ Password string }
	if err := json.Unmarshal([]byte(document), &d); err != nil || d.Password == "" {
		t.Fatalf("no password in a document of %d bytes: %v", len(document), err)
	}
	return d.Password
}

// reads are ordinary ones of a secret, by one caller.
func reads(t *testing.T, endpoint string, n int) {
	t.Helper()
	client := secretsmanager.New(secretsmanager.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "app", SecretAccessKey: "example"}, nil
		}),
	})
	var group sync.WaitGroup
	const callers = 4
	for range callers {
		group.Go(func() {
			for range n / callers {
				if _, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("app")}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// mustBeSigned does what a receiver does.
func mustBeSigned(t *testing.T, a received, key string) {
	t.Helper()
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(a.header.Get("webhook-id") + "." + a.header.Get("webhook-timestamp") + "." + a.body))
	if want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)); a.header.Get("webhook-signature") != want {
		t.Errorf("the signature is %q, want %q", a.header.Get("webhook-signature"), want)
	}
}

func TestAlertsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"no address":  {[]string{"--alerts", "127.0.0.1:80", "--function", "audit-forwarder=" + os.Args[0]}, "no address of a webhook"},
		"no function": {[]string{"--alerts", "http://127.0.0.1:1/"}, "serve it too"},
		"twice": {
			[]string{"--alerts", "http://127.0.0.1:1/", "--function", "audit-forwarder=" + os.Args[0], "--env", "audit-forwarder:CONFIG={}"}, "leave one of them out",
		},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := rekey(t, append([]string{"local", "--port", "0", "--function", "rotate-rds=" + rotateRDS}, test.args...)...)
			stdout, stderr, code := result(t, cmd)
			if code != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "rekey: --alerts: ") || !strings.Contains(stderr, test.says) {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
			}
			nothingLeft(t, cmd)
		})
	}
}
