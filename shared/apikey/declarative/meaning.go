package declarative

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// errGone is that what was to be ended is not there.
var errGone = errors.New("gone")

// passing is a failure that may pass.
type passing struct{ error }

func (p *passing) Unwrap() error { return p.error }

// judge gives an answer its meaning.
func (s *session) judge(ctx context.Context, d deed, req *http.Request, answer outbound.Answer, err error) (any, error) {
	at := fmt.Sprintf("%s: %s https://%s%s", d.about, req.Method, req.URL.Host, s.hide.Clean(req.URL.Path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	body := decode(answer.Body)
	s.hideFields(body)
	means, hint, told := s.meaning(ctx, d.request, answer.Status, body)
	if means == "" {
		return body, nil
	}
	said := fmt.Sprintf("%s: %d %s", at, answer.Status, http.StatusText(answer.Status))
	if words := s.hide.Clean(wordsOf(body)); words != "" {
		said += ": " + words
	}
	fault := kinds[means](said)
	if hint != "" {
		fault = rotation.WithHint(fault, hint)
	}
	if told || answer.Status/100 == 4 {
		fault = apikey.NotSent(fault) // the vendor says that it did not
	}
	return nil, fault
}

// kinds are the errors of meanings.
var kinds = map[string]func(said string) error{
	"refused": func(said string) error {
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrRefused), "The vendor does not accept the credential: it ended, was revoked, or is another account's.")
	},
	"denied": func(said string) error {
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrDenied), "Give the credential that manages keys the permission; the provider's notes in docs/vendors.md name it.")
	},
	"limit": func(said string) error { return fmt.Errorf("%s: %w", said, apikey.ErrLimit) },
	"gone":  func(said string) error { return fmt.Errorf("%s: %w: %w", said, errGone, rotation.ErrVendor) },
	"throttled": func(said string) error {
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrThrottled), "The vendor asks to slow down: run the rotation again later, and spread rotations of this vendor out.")
	},
	"retry":  func(said string) error { return &passing{fmt.Errorf("%s: %w", said, rotation.ErrVendor)} },
	"config": func(said string) error { return fmt.Errorf("%s: %w", said, rotation.ErrConfig) },
	"vendor": func(said string) error { return fmt.Errorf("%s: %w", said, rotation.ErrVendor) },
}

// meaning is "" for success, or a key of kinds; told: the file knows this answer,
// and says that it is a failure.
func (s *session) meaning(ctx context.Context, r *request, status int, body any) (means, hint string, told bool) {
	if r == nil {
		r = &request{}
	}
	for _, rule := range r.errors {
		if len(rule.status) > 0 && !slices.Contains(rule.status, status) {
			continue
		}
		if rule.when == nil || rule.when.holds(ctx, body) {
			return rule.means, rule.hint, status < 500
		}
	}
	if slices.Contains(r.success, status) || len(r.success) == 0 && status/100 == 2 {
		if r.ok == nil || r.ok.holds(ctx, body) {
			return "", "", false
		}
		return "vendor", "", true
	}
	return byStatus(status), "", false
}

func byStatus(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "refused"
	case status == http.StatusForbidden:
		return "denied"
	case status == http.StatusNotFound, status == http.StatusGone:
		return "gone"
	case status == http.StatusTooManyRequests:
		return "throttled"
	case status == http.StatusRequestTimeout, status >= 500:
		return "retry"
	}
	return "vendor"
}

// decode reads JSON, with numbers as they are; anything else is text.
func decode(body []byte) any {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := dec.Decode(&v); err != nil || dec.More() {
		return string(body)
	}
	return v
}

func field(v any, name string) any {
	object, _ := v.(map[string]any)
	return object[name]
}

// worded are the members in which vendors say what went wrong, the best first.
var worded = []string{"message", "error_description", "errorSummary", "error_message", "detail", "msg", "title", "description", "error", "errors", "code", "errorCode"}

// wordsOf is what the vendor says in the body of a failure: members that are
// known to hold words, and nothing else of it.
func wordsOf(v any) string {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "<html") || strings.Contains(v, "<HTML") {
			return ""
		}
		return v
	case []any:
		if len(v) > 0 {
			return wordsOf(v[0])
		}
	case map[string]any:
		for _, name := range worded {
			if words := wordsOf(v[name]); words != "" {
				return words
			}
		}
	}
	return ""
}

// secretMembers are what answers call secrets, whatever the request was.
var secretMembers = []string{"access_token", "refresh_token", "id_token", "client_secret", "secret", "token", "password", "private_key", "privateKeyData", "secretText", "api_key", "apiKey", "key", "value"}

// NamesSecret reports whether a member of an answer holds a secret, by its name.
func NamesSecret(member string) bool { return slices.Contains(secretMembers, member) }

// hideFields hides what an answer calls a secret, before any of it is told.
func (s *session) hideFields(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			s.hideFields(item)
		}
	case map[string]any:
		for name, item := range v {
			if text, ok := item.(string); ok && len(text) >= 8 && NamesSecret(name) {
				s.hide.Hide(text)
				continue
			}
			s.hideFields(item)
		}
	}
}
