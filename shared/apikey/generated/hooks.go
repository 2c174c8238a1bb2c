package generated

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Sender sends one request, as [outbound.Client] does.
type Sender interface {
	Do(ctx context.Context, r *http.Request) (outbound.Answer, error)
}

const (
	webhook = "webhookUrl"
	checker = "checkUrl"
)

// hooks are the settings of every kind.
var hooks = map[string]setting{webhook: {"", address}, checker: {"", address}}

func address(s string) string {
	if u, err := url.Parse(s); err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.Fragment == "" {
		return ""
	}
	return "an address that begins with https://, without user and fragment"
}

// message is what a web hook gets.
type message struct {
	Action     string            `json:"action"` // install
	Provider   string            `json:"provider"`
	Credential map[string]string `json:"credential"`
}

// signatureHeader proves to a web hook who speaks: an HMAC of the body with the
// secret that is current, which sender and receiver share.
const signatureHeader = "X-Rekey-Signature"

// Install implements [apikey.Installer]: the web hook gets the whole credential,
// and must take it any number of times.
func (p *provider) Install(ctx context.Context, a apikey.Account, k apikey.Key) error {
	to := a.Settings[webhook]
	if to == "" {
		return nil
	}
	m := message{Action: "install", Provider: p.kind.name, Credential: map[string]string{}}
	for name, v := range k.Material {
		m.Credential[name] = v.Reveal()
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("writing to the web hook: %w", rotation.ErrInternal)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return badKey(webhook, "is not an address", "an address that begins with https://")
	}
	r.Header.Set("Content-Type", "application/json")
	if current := p.secret(a.Current); current != "" {
		h := hmac.New(sha256.New, []byte(current))
		h.Write(body)
		r.Header.Set(signatureHeader, "sha256="+hex.EncodeToString(h.Sum(nil)))
	}
	return p.send(r, "the web hook")
}

// secret is the first secret part of a key.
func (p *provider) secret(k apikey.Key) string {
	for _, name := range p.kind.fields {
		if !slices.Contains(p.kind.public, name) {
			return k.Material.Text(name)
		}
	}
	return ""
}

// Asks implements [apikey.Asking].
func (p *provider) Asks(a apikey.Account) bool { return a.Settings[checker] != "" }

// ask asks the secret's own page whether it accepts the new credential: a text as
// a bearer token, of keys the public parts.
func (p *provider) ask(ctx context.Context, a apikey.Account, k apikey.Key) error {
	to := a.Settings[checker]
	if to == "" {
		return nil
	}
	method, body := http.MethodGet, []byte(nil)
	if len(p.kind.public) > 0 {
		m := message{Action: "check", Provider: p.kind.name, Credential: map[string]string{}}
		for _, name := range p.kind.public {
			m.Credential[name] = k.Material.Text(name)
		}
		method = http.MethodPost
		var err error
		if body, err = json.Marshal(m); err != nil {
			return fmt.Errorf("writing to the check page: %w", rotation.ErrInternal)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return badKey(checker, "is not an address", "an address that begins with https://")
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Header.Set("Authorization", "Bearer "+p.secret(k))
	}
	return p.send(r, "the check page")
}

// send wants a status of success. What else is answered is not told: it may hold
// what was sent.
func (p *provider) send(r *http.Request, whom string) error {
	if p.config.Client == nil {
		return fmt.Errorf("asking %s: there is no client: %w", whom, rotation.ErrInternal)
	}
	answer, err := p.config.Client.Do(r.Context(), r)
	if err != nil {
		return fmt.Errorf("asking %s: %w", whom, err)
	}
	said := fmt.Sprintf("%s at %s answered with status %d", whom, r.URL.Host, answer.Status)
	switch {
	case answer.Status/100 == 2:
		return nil
	case answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden:
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrRefused), "Find out there why it does not take the new credential; then run the rotation again.")
	case answer.Status == http.StatusTooManyRequests || answer.Status >= http.StatusInternalServerError:
		return fmt.Errorf("%s: %w", said, rotation.ErrUnreachable)
	}
	return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrVendor), "It must answer with 200 to 299 when it accepts the credential.")
}
