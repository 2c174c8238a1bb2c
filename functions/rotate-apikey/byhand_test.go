package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/eventbridge"
	"github.com/rekey-aws/rekey/local/lambda/lambdatest"
	"github.com/rekey-aws/rekey/local/sns"
	"github.com/rekey-aws/rekey/shared/asking"
)

// A vendor who issues keys to people: one of them is asked, by an event and a message, and the
// rotation goes on when the pending version has a value.
func TestKeysByHand(t *testing.T) {
	t.Parallel()
	const oldKey, newKey, topic = "example-of-the-old-key", "example-of-the-new-key", "arn:aws:sns:us-east-1:123456789012:rotations"
	vendor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/-/whoami" || r.Header.Get("Authorization") != "Bearer "+newKey {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"username":"app"}`))
	})
	bus := &eventbridge.Bus{OnCall: lambdatest.Called}
	topics := &sns.SNS{Topics: []string{topic}, OnCall: lambdatest.Called}
	serve := func(h http.Handler) string {
		web := httptest.NewServer(h)
		t.Cleanup(web.Close)
		return web.URL
	}
	w := newWorld(t, vendor, map[string]string{
		"ASK_EVENT_BUS": "default", "ASK_TOPIC_ARN": topic, "AWS_ENDPOINT_URL_EVENTBRIDGE": serve(bus), "AWS_ENDPOINT_URL_SNS": serve(topics),
	})
	w.secret = w.keep("npm", map[string]string{"provider": "npm", "registry": "https://npm.example.com", "token": oldKey})
	if err := w.rotate(true); err == nil || !strings.Contains(err.Error(), "waiting for a person") || !strings.Contains(err.Error(), "rekey submit") {
		t.Fatalf("got %v", err)
	}
	if len(bus.Events()) == 0 || len(topics.Messages()) == 0 {
		t.Fatalf("nobody was asked:\n%s", w.output())
	}
	var detail asking.Detail
	if err := json.Unmarshal([]byte(bus.Events()[0].Detail), &detail); err != nil || detail.Secret != w.secret || detail.Version == "" {
		t.Fatalf("asked %+v: %v", detail, err)
	}
	if !strings.Contains(w.output(), `"outcome":"waiting"`) || strings.Contains(w.output(), `"StepFailures":1`) {
		t.Errorf("waiting counts as a failure:\n%s", w.output())
	}
	_, err := w.client.PutSecretValue(t.Context(), &sdk.PutSecretValueInput{
		SecretId: &w.secret, ClientRequestToken: &detail.Version, VersionStages: []string{"AWSPENDING"},
		SecretString: aws.String(`{"provider": "npm", "registry": "https://npm.example.com", "token": "` + newKey + `"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.RotateSecret(t.Context(), &sdk.RotateSecretInput{SecretId: &w.secret, ClientRequestToken: &detail.Version}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.server.Wait(t.Context(), w.secret); err != nil {
		t.Fatalf("%v\n%s", err, w.output())
	}
	if got := w.value("AWSCURRENT")["token"]; got != newKey {
		t.Error("the key that was brought is not current")
	}
	w.mustNotLeak(oldKey, newKey)
}

// Secrets that no vendor issues.
func TestGenerated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, http.NotFoundHandler(), nil)
	for provider, part := range map[string]string{"generated-string": "value", "generated-jwks": "privateKey", "generated-ssh-key": "privateKey", "generated-key-pair": "privateKey"} {
		w.secret = w.keep(provider, map[string]string{"provider": provider, "team": "payments"})
		for range 2 {
			old := w.value("AWSCURRENT")
			if err := w.rotate(true); err != nil {
				t.Fatalf("%s: %v\n%s", provider, err, w.output())
			}
			current := w.value("AWSCURRENT")
			if current[part] == "" || current[part] == old[part] || current["team"] != "payments" {
				t.Errorf("%s: not rotated", provider)
			}
			w.mustNotLeak(current[part])
		}
	}
}
