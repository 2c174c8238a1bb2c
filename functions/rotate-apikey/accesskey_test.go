package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/iam"
	"github.com/rekey-aws/rekey/local/lambda/lambdatest"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Access keys of IAM users, which are a provider without a file.
func TestAccessKeys(t *testing.T) {
	t.Parallel()
	// IAM's clock is behind, so that every key has been idle for long.
	service := iam.New(iam.Options{Now: func() time.Time { return time.Now().Add(-2 * time.Hour) }})
	web := httptest.NewServer(service)
	t.Cleanup(web.Close)
	w := newWorld(t, http.NotFoundHandler(), map[string]string{
		"AWS_ENDPOINT_URL_IAM": web.URL, "AWS_ENDPOINT_URL_STS": web.URL, "RETIRE_AFTER": "1s", "RETIRE_ROLE_ARN": "arn:aws:iam::123456789012:role/rekey-retire",
	})
	id, secret := service.AddUser("deploy")
	w.secret = w.keep("secret", map[string]string{"provider": "aws-iam", "userName": "deploy", "accessKeyId": id, "secretAccessKey": secret})
	if err := w.rotate(true); err != nil {
		t.Fatalf("%v\n%s", err, w.output())
	}
	if current := w.value("AWSCURRENT"); current["accessKeyId"] == id {
		t.Error("the key is the old one")
	}
	w.secrets = append(w.secrets, secret, w.value("AWSCURRENT")["secretAccessKey"])
	if got, want := w.diagnose(), "rotation:ok value:ok vendor:ok login:ok keys:warn AWSCURRENT:works AWSPREVIOUS:unknown"; got != want {
		t.Errorf("diagnosis: %s, want %s", got, want) // two keys until the old one is retired, which is not tried
	}
	event, err := json.Marshal(rotation.Retirement{SecretID: w.secret, Token: w.version("AWSCURRENT"), Old: w.version("AWSPREVIOUS"), At: time.Now(), Try: 1}.Event())
	if err != nil {
		t.Fatal(err)
	}
	// It is put off until the grace period is over, and once more between making the
	// key inactive and deleting it.
	for !slices.Contains(service.Calls(), "iam:DeleteAccessKey") {
		if _, err := w.function.Invoke(t.Context(), event); err != nil {
			t.Fatalf("%v\n%s", err, w.output())
		}
	}
	w.mustNotLeak(secret, w.value("AWSCURRENT")["secretAccessKey"])
	for _, action := range service.Calls() {
		lambdatest.Called(action)
	}
}

// version is the id of the version with a label.
func (w *world) version(stage string) string {
	w.t.Helper()
	out, err := w.client.GetSecretValue(w.t.Context(), &sdk.GetSecretValueInput{SecretId: &w.secret, VersionStage: &stage})
	if err != nil {
		w.t.Fatal(err)
	}
	return aws.ToString(out.VersionId)
}
