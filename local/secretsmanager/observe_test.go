package secretsmanager_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

func TestWhatACallTells(t *testing.T) {
	w := newWorld(t, people)
	made := must(w.as("APP").CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("hush"), Description: aws.String("d"), ClientRequestToken: aws.String(token(1))}))(t)
	must(w.as("APP").PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: aws.String("s"), SecretBinary: []byte("hush"), RotationToken: aws.String(strings.Repeat("hush", 9))}))(t)
	_, err := w.DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: aws.String("nosuch")})
	refused(t, err, "ResourceNotFoundException", "")
	c := w.calls[0]
	if c.Account != "123456789012" || c.Principal != app || c.SecretARN != *made.ARN || c.SecretName != "s" || c.Secret != "s" || c.VersionID != token(1) || c.SourceIP != "127.0.0.1" || len(c.RequestID) != 36 {
		t.Errorf("a creation tells %+v", c)
	}
	if diff := cmp.Diff(map[string]string{"Name": `"s"`, "Description": `"d"`, "ClientRequestToken": `"` + token(1) + `"`}, texts(c.Parameters)); diff != "" {
		t.Error(diff)
	}
	if c := w.calls[2]; c.Error != "ResourceNotFoundException" || c.Message != notFound || c.Principal != "" || c.SecretARN != "" {
		t.Errorf("a refusal tells %+v", c)
	}
	w.raw("secretsmanager.PutSecretValue", `{"SecretId":"s","secretString":"hush"}`)
	if all := string(must(json.Marshal(w.calls))(t)); strings.Contains(all, "hush") || strings.Contains(all, "aHVzaA") {
		t.Errorf("a value is told: %s", all)
	}
}

func texts(parameters map[string]json.RawMessage) map[string]string {
	m := map[string]string{}
	for k, v := range parameters {
		m[k] = string(v)
	}
	return m
}

func TestWhatTheServiceDoesByItself(t *testing.T) {
	var mu sync.Mutex
	var kinds []string
	w := newWorld(t, func(o *secretsmanager.Options) {
		o.OnSecret = func(e secretsmanager.SecretEvent) {
			mu.Lock()
			defer mu.Unlock()
			kinds = append(kinds, string(e.Kind))
			if e.ARN == "" || e.Account != "123456789012" || e.Region != "us-east-1" || e.Time.IsZero() {
				t.Errorf("told %+v", e)
			}
		}
	})
	w.create("s", "v")
	mark := func() { must(w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: aws.String("s")}))(t) }
	mark()
	for range 2 {
		must(w.RestoreSecret(t.Context(), &api.RestoreSecretInput{SecretId: aws.String("s")}))(t)
	}
	mark()
	w.pass(31 * 24 * time.Hour)
	must(0, w.srv.RunDue(t.Context()))(t)
	want := []string{"StartSecretVersionDelete", "CancelSecretVersionDelete", "StartSecretVersionDelete", "EndSecretVersionDelete"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
}
