package submit

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
)

func submissionOf(t *testing.T, input, document string) *submission {
	t.Helper()
	doc, err := rotation.ParseDocument(rotation.TextValue(document))
	if err != nil {
		t.Fatal(err)
	}
	return &submission{
		command: &Command{stdin: strings.NewReader(input)}, document: doc, provider: "acme",
		traits: apikey.Traits{Class: apikey.Assisted, Fields: []string{"apiKey", "keyId"}, Public: []string{"keyId"}, ID: "keyId"},
	}
}

const before = `{"provider":"acme", "apiKey": "old-key", "keyId":"id-1", "team": {"name": "payments"} }`

func TestRead(t *testing.T) {
	for name, c := range map[string]struct{ input, want, says string }{
		"a line":                {"new-key\n", `{"provider":"acme", "apiKey": "new-key", "keyId":"", "team": {"name": "payments"} }`, ""},
		"an object":             {`{"apiKey": "new-key", "keyId": "id-2"}`, `{"provider":"acme", "apiKey": "new-key", "keyId":"id-2", "team": {"name": "payments"} }`, ""},
		"nothing":               {" \n", "", "is empty"},
		"the current key":       {"old-key", "", "the key of AWSCURRENT"},
		"a part that is none":   {`{"apiKey": "new-key", "provider": "other"}`, "", "no part of a key"},
		"no key":                {`{"keyId": "id-2"}`, "", `"apiKey" is missing`},
		"not texts":             {`{"apiKey": 5}`, "", "not a JSON object of strings"},
		"two lines":             {"new-key\nother", "", "more than a line"},
		"more than a secret is": {strings.Repeat("x", rotation.MaxValueSize+1), "", "more than 65536 bytes"},
		"a secret too large":    {strings.Repeat("x", rotation.MaxValueSize-10), "", "of 65536 that it may"},
	} {
		t.Run(name, func(t *testing.T) {
			s := submissionOf(t, c.input, before)
			err := s.read(t.Context())
			if c.says == "" && (err != nil || s.next.Reveal() != c.want) {
				t.Errorf("got %s, %v", s.next.Reveal(), err)
			}
			if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

// Whatever is handed over: what is stored is the document with another key, and an error does
// not tell what was handed over.
func FuzzRead(f *testing.F) {
	f.Add("new-key")
	f.Add(`{"apiKey": "new-key", "keyId": "id-2"}`)
	f.Add(`{"apiKey": "a\u0000b"}`)
	f.Fuzz(func(t *testing.T, input string) {
		s := submissionOf(t, input, before)
		if err := s.read(t.Context()); err != nil {
			if secret := strings.TrimSpace(input); len(secret) > 8 && !strings.HasPrefix(secret, "{") && strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells it: %v", err)
			}
			return
		}
		var doc struct {
			Provider, APIKey string
			Team             struct{ Name string }
		}
		if json.Unmarshal([]byte(s.next.Reveal()), &doc) != nil || doc.Provider != "acme" || doc.Team.Name != "payments" || doc.APIKey == "" || doc.APIKey == "old-key" {
			t.Errorf("it would store %s", s.next.Reveal())
		}
	})
}

// Who may not ask how it ended learns what to allow; who does not want to know any more, that it goes on.
func TestAwait(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"AccessDeniedException","message":"no"}`)
	}))
	t.Cleanup(web.Close)
	s := &submission{command: &Command{Wait: true, Timeout: time.Minute}, api: secretsmanager.New(secretsmanager.Options{
		Region: "eu-west-1", BaseEndpoint: &web.URL, Credentials: credentials.NewStaticCredentialsProvider("me", "none", ""),
	})}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for says, ctx := range map[string]context.Context{"Allow the action": t.Context(), "interrupted: the value is stored": interrupted} {
		if _, err := s.await(ctx); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "operation error") {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}
