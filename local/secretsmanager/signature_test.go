package secretsmanager_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

const signingKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" // AWS's example

func withKeys(o *secretsmanager.Options) {
	o.Callers = map[string]secretsmanager.Caller{
		"AKIDTEST": {SecretAccessKey: signingKey},
		"ASIATEST": {SecretAccessKey: signingKey, SessionToken: "session"},
		"AKIDOPEN": {},
	}
}

// signed is a request as the SDK's signer signs it, which edit then changes.
func signed(t *testing.T, endpoint, key string, at time.Time, service string, edit func(*http.Request)) *http.Request {
	t.Helper()
	body := `{"MaxResults":1}`
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint+"/", strings.NewReader(body)))(t)
	r.Header.Set("X-Amz-Target", "secretsmanager.ListSecrets")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Meta", "  two   spaces ")
	sum := sha256.Sum256([]byte(body))
	must(0, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: key, SecretAccessKey: signingKey}, r, hex.EncodeToString(sum[:]), service, "eu-west-1", at))(t)
	if edit != nil {
		edit(r)
	}
	return r
}

// Texts: as AWS's front ends answer for JSON protocols, recorded in countless issues.
func TestSignatures(t *testing.T) {
	w := newWorld(t, withKeys)
	now := time.Now()
	const wrong = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	header := func(name, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(name, v) } }
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		}
	}
	authorization := func(old, next string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, next, 1))
		}
	}
	for what, c := range map[string]struct {
		request       *http.Request
		code, message string
	}{
		"right":             {signed(t, w.http.URL, "AKIDTEST", now, "secretsmanager", nil), "", ""},
		"four minutes old":  {signed(t, w.http.URL, "AKIDTEST", now.Add(-4*time.Minute), "secretsmanager", nil), "", ""},
		"another body":      {signed(t, w.http.URL, "AKIDTEST", now, "secretsmanager", body(`{"MaxResults":2}`)), "InvalidSignatureException", wrong},
		"another target":    {signed(t, w.http.URL, "AKIDTEST", now, "secretsmanager", header("X-Amz-Target", "secretsmanager.GetRandomPassword")), "InvalidSignatureException", wrong},
		"another Region":    {signed(t, w.http.URL, "AKIDTEST", now, "secretsmanager", authorization("eu-west-1", "eu-west-2")), "InvalidSignatureException", wrong},
		"another service":   {signed(t, w.http.URL, "AKIDTEST", now, "ssm", nil), "InvalidSignatureException", "Credential should be scoped to correct service: 'secretsmanager'. "},
		"a target unsigned": {signed(t, w.http.URL, "AKIDTEST", now, "secretsmanager", authorization(";x-amz-target", "")), "InvalidSignatureException", "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."},
		"an unknown key":    {signed(t, w.http.URL, "AKIDNOBODY", now, "secretsmanager", nil), "UnrecognizedClientException", "The security token included in the request is invalid."},
		"a caller's no key": {signed(t, w.http.URL, "AKIDOPEN", now, "secretsmanager", nil), "UnrecognizedClientException", ""},
		"no session token":  {signed(t, w.http.URL, "ASIATEST", now, "secretsmanager", nil), "UnrecognizedClientException", ""},
		"unsigned":          {signed(t, w.http.URL, "AKIDTEST", now, "secretsmanager", func(r *http.Request) { r.Header.Del("Authorization") }), "MissingAuthenticationTokenException", "Missing Authentication Token"},
		"no signature":      {signed(t, w.http.URL, "AKIDTEST", now, "secretsmanager", authorization("Signature=", "Seal=")), "IncompleteSignatureException", "Authorization header requires 'Signature' parameter."},
		"no date":           {signed(t, w.http.URL, "AKIDTEST", now, "secretsmanager", func(r *http.Request) { r.Header.Del("X-Amz-Date") }), "IncompleteSignatureException", ""},
		"another day":       {signed(t, w.http.URL, "AKIDTEST", now, "secretsmanager", authorization("AKIDTEST/2", "AKIDTEST/1")), "InvalidSignatureException", ""},
		"a short scope":     {signed(t, w.http.URL, "AKIDTEST", now, "secretsmanager", authorization("/aws4_request", "")), "IncompleteSignatureException", ""},
		"another algorithm": {signed(t, w.http.URL, "AKIDTEST", now, "secretsmanager", authorization("AWS4-HMAC-SHA256", "AWS3")), "IncompleteSignatureException", "Unsupported AWS 'algorithm': 'AWS3'."},
		"expired":           {signed(t, w.http.URL, "AKIDTEST", now.Add(-6*time.Minute), "secretsmanager", nil), "InvalidSignatureException", "~Signature expired: \\d{8}T\\d{6}Z is now earlier than \\d{8}T\\d{6}Z \\(\\d{8}T\\d{6}Z - 5 min\\.\\)"},
		"of the future":     {signed(t, w.http.URL, "AKIDTEST", now.Add(6*time.Minute), "secretsmanager", nil), "InvalidSignatureException", "~Signature not yet current: .*"},
	} {
		t.Run(what, func(t *testing.T) {
			reply, err := w.http.Client().Do(c.request)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			text := must(io.ReadAll(reply.Body))(t)
			if code := reply.Header.Get("x-amzn-ErrorType"); code != c.code || code != "" && reply.StatusCode != 400 {
				t.Fatalf("got %d %s", reply.StatusCode, text)
			}
			if message := messageOf(text); c.message != "" && holds(message, any(c.message), "") != "" {
				t.Errorf("got %q", message)
			}
		})
	}
}

func messageOf(reply []byte) string {
	_, rest, _ := bytes.Cut(reply, []byte(`"message":"`))
	message, _, _ := bytes.Cut(rest, []byte(`"}`))
	return strings.ReplaceAll(string(message), `\u0026`, "&")
}

// The whole client signs as the server verifies, in every Region, with a session or without.
func TestTheSDKSigns(t *testing.T) {
	w := newWorld(t, withKeys)
	as := func(key, secret, session string) error {
		c := w.client("eu-central-1", func(o *api.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(key, secret, session) })
		_, err := c.CreateSecret(context.Background(), &api.CreateSecretInput{Name: aws.String(fmt.Sprint("s", len(session))), SecretString: aws.String("é <&>\x00")})
		return err
	}
	must(0, as("AKIDTEST", signingKey, ""))(t)
	must(0, as("ASIATEST", signingKey, "session"))(t)
	refused(t, as("AKIDTEST", "guessed", ""), "InvalidSignatureException", "")
	refused(t, as("ASIATEST", signingKey, "another"), "UnrecognizedClientException", "")
	for _, call := range w.calls {
		if text := fmt.Sprintf("%+v", call); strings.Contains(text, signingKey) {
			t.Errorf("a call tells the key: %s", text)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", secretsmanager.Caller{SecretAccessKey: signingKey}, secretsmanager.Caller{SecretAccessKey: signingKey}, secretsmanager.Caller{SecretAccessKey: signingKey}); strings.Contains(text, signingKey) {
		t.Errorf("a caller prints as %s", text)
	}
}
