package sink

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Webhook posts an [Alert], or what a template makes of it, to a receiver of one's own. It is
// signed as Standard Webhooks says, for which there are libraries:
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
//
//	webhook-id         the same whenever the same finding is sent again: keep it to know one twice
//	webhook-timestamp  Unix seconds of this try
//	webhook-signature  v1,BASE64(HMAC-SHA256(key, id.timestamp.body))
type Webhook struct {
	poster
	secret    string
	secrets   Secrets
	playbooks string
	private   bool
	template  *gojq.Code // nil: the alert itself
}

// NewWebhook makes the sink; the secret's value is {"url": "https://…", "key": "whsec_…"}, the
// key being at least 24 bytes in base64. template is a program of jq, whose input is an
// [Alert] and whose first output is the body; empty: the alert itself. private allows
// receivers at addresses that are not public, and plain http. A template that is none is
// rotation.ErrConfig.
func NewWebhook(name, secret, template string, private bool, o Options) (*Webhook, error) {
	w := &Webhook{poster: o.poster(name, private), secret: secret, secrets: o.Secrets, playbooks: o.Playbooks, private: private}
	if template == "" {
		return w, nil
	}
	query, err := gojq.Parse(template)
	if err == nil {
		w.template, err = gojq.Compile(query)
	}
	if err != nil {
		return nil, badTemplate(name, err)
	}
	_, err = w.body(context.Background(), sample) // what fails on one alert fails on all
	return w, err
}

func badTemplate(name string, err error) error {
	return rotation.WithHint(fmt.Errorf("the template of the sink %s: %s: %w", name, err.Error(), rotation.ErrConfig),
		"Give a program of jq that makes one JSON value of an alert; docs/alerts.md has an example.")
}

// sample is what a template is tried with.
var sample = audit.Finding{
	Key: "sample", Incident: "sample", Detection: audit.Recovered, Count: 1, Time: time.Unix(0, 0).UTC(),
	Secret: audit.Secret{Name: "sample", Account: "123456789012", Region: "us-east-1"},
}

// Name is as in [audit.Sink].
func (w *Webhook) Name() string { return w.sink }

// Deliver posts each finding, and stops at the first that is not accepted.
func (w *Webhook) Deliver(ctx context.Context, findings []audit.Finding) error {
	for _, f := range findings {
		body, err := w.body(ctx, f)
		if err != nil {
			return err
		}
		err = w.send(ctx, func(anew bool) (message, error) {
			a, err := open(ctx, w.secrets, w.secret, anew)
			if err != nil {
				return message{}, err
			}
			key, err := a.signingKey()
			if err != nil {
				return message{}, err
			}
			to, err := a.target(w.private)
			return message{to: to, body: body, header: sign(key, f.Key, w.now(), body)}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// longestTemplate is how long a template may take: it may be a program without end.
const longestTemplate = time.Second

func (w *Webhook) body(ctx context.Context, f audit.Finding) ([]byte, error) {
	text, err := json.Marshal(NewAlert(f, w.playbooks))
	if err != nil || w.template == nil {
		return text, err
	}
	var input any
	if err := json.Unmarshal(text, &input); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, longestTemplate)
	defer cancel()
	output, ok := w.template.RunWithContext(ctx, input).Next()
	if !ok {
		return nil, badTemplate(w.sink, errors.New("it has no output"))
	}
	if err, failed := output.(error); failed {
		return nil, badTemplate(w.sink, err)
	}
	return gojq.Marshal(output)
}

// shortestKey is what Standard Webhooks asks for, in bytes.
const shortestKey = 24

func (a address) signingKey() ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(a.Key, "whsec_"))
	if err != nil || len(key) < shortestKey {
		return nil, badSecret("has no key of whsec_ and at least 24 bytes in base64")
	}
	return key, nil
}

func sign(key []byte, finding string, at time.Time, body []byte) http.Header {
	id := webhookID(finding)
	seconds := strconv.FormatInt(at.Unix(), 10)
	h := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(h, "%s.%s.%s", id, seconds, body)
	return http.Header{
		"Webhook-Id":        {id},
		"Webhook-Timestamp": {seconds},
		"Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))},
	}
}

// webhookID is a key as a header's value: names of secrets and principals are of any length.
func webhookID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "rekey_" + base64.RawURLEncoding.EncodeToString(sum[:18])
}
