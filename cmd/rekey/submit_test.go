package main

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/local/lambda"
)

// The rotation of a secret whose vendor issues keys to people waits, and goes on with the key
// that one of them submits.
func TestSubmit(t *testing.T) {
	t.Parallel()
	binary, err := lambda.Build(t.Context(), lambda.BuildOptions{Package: "./functions/rotate-apikey", Out: t.TempDir() + string(os.PathSeparator)})
	if err != nil {
		t.Fatal(err)
	}
	// Made here, and looked for in all that is printed.
	const oldKey, newKey = "example-of-the-old-key", "example-of-the-new-key"
	vendor := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/-/whoami" || r.Header.Get("Authorization") != "Bearer "+newKey && r.Header.Get("Authorization") != "Bearer "+oldKey {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"username":"app"}`))
	}))
	t.Cleanup(vendor.Close)
	authority := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: vendor.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	l := startLocal(t, "--function", "rotate-apikey="+binary, "--env", "SSL_CERT_FILE="+authority, "--env", "ALLOW_PRIVATE_HOSTS=127.0.0.1")
	client := secretsmanager.New(secretsmanager.Options{
		Region: l.ready.Region, BaseEndpoint: &l.ready.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("me", "none", ""),
	})
	_, err = client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("npm"), SecretString: aws.String(`{"provider": "npm", "registry": "` + vendor.URL + `", "token": "` + oldKey + `", "team": "payments"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	submit := func(input string, arguments ...string) (string, error) {
		cmd := rekey(t, append([]string{"submit", "npm"}, arguments...)...)
		cmd.Env = append(cmd.Env, "AWS_REGION="+l.ready.Region, "AWS_ENDPOINT_URL="+l.ready.Endpoint, "AWS_ACCESS_KEY_ID=me", "AWS_SECRET_ACCESS_KEY=none")
		cmd.Stdin = strings.NewReader(input)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if strings.Contains(out.String(), newKey) || strings.Contains(out.String(), oldKey) {
			t.Errorf("a key was printed:\n%s", out.String())
		}
		return out.String(), err
	}
	refused := func(input, says string) {
		t.Helper()
		if out, err := submit(input); err == nil || !strings.Contains(out, says) {
			t.Errorf("%v: %s, want %q", err, out, says)
		}
	}
	refused(newKey, "no rotation of npm is waiting")
	_, err = client.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
		SecretId: aws.String("npm"), RotationLambdaARN: aws.String(l.ready.Functions[0]), RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.await(t, "RotationFailed", "npm", 1)
	if asked := l.awaitLine(t, func(e entry) bool { return e.Type == "question" }); asked.Secret != "npm" || asked.Version == "" {
		t.Errorf("asked %+v", asked)
	}
	refused("", "standard input is empty")
	refused("two\nlines", "more than a line")
	refused(`{"other": "`+newKey+`"}`, "no part of a key")
	refused(oldKey+"\n", "that is the key of AWSCURRENT")
	out, err := submit(newKey + "\n")
	if err != nil || !strings.Contains(out, "is AWSCURRENT") {
		t.Fatalf("%v: %s\n%s", err, out, l.text.String())
	}
	got, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("npm")})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"provider": "npm", "registry": "` + vendor.URL + `", "token": "` + newKey + `", "team": "payments"}`; *got.SecretString != want {
		t.Error("the secret is not the old one with the new key")
	}
	refused("another-key", "no rotation of npm is waiting")
	l.stop(t)
	if strings.Contains(l.text.String(), newKey) || strings.Contains(l.complaint.String(), newKey) {
		t.Error("the new key is in what rekey local printed")
	}
}
