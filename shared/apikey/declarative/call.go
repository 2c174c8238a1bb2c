package declarative

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// session is one call of a provider's method: its scope, the secrets that are
// about, and the tokens that were got.
type session struct {
	provider *Provider
	scope    scope
	hide     *outbound.Redactor
	tokens   map[string]string
}

// deed is what a request does, for errors, and whether doing it twice is safe.
type deed struct {
	about      string
	repeatable bool
	request    *request // nil: an exchange of our own
}

func (s *session) fill(ctx context.Context, t template) (string, error) {
	return t.text(ctx, s.scope, nil)
}

// fillAll leaves out what is null.
func (s *session) fillAll(ctx context.Context, ts map[string]template) (map[string]string, error) {
	out := make(map[string]string, len(ts))
	for name, t := range ts {
		if t.pure() {
			v, err := t.value(ctx, s.scope)
			if err != nil {
				return nil, err
			}
			if v == nil {
				continue
			}
		}
		text, err := s.fill(ctx, t)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

var errAddress = rotation.WithHint(fmt.Errorf("the address of the vendor is malformed: %w", rotation.ErrConfig),
	"Correct the provider's file or the secret's setting.")

// address fills in a whole URL. What a template begins with is a URL itself.
func (s *session) address(ctx context.Context, t template) (string, error) {
	var text strings.Builder
	for i, p := range t.parts {
		escape := url.PathEscape
		if i == 0 {
			escape = nil
		}
		part, err := (template{parts: []part{p}}).text(ctx, s.scope, escape)
		if err != nil {
			return "", err
		}
		text.WriteString(part)
	}
	return text.String(), nil
}

// call makes a compiled request and returns the decoded body of its success.
func (s *session) call(ctx context.Context, what string, r *request) (any, error) {
	if r.about != "" {
		what = r.about
	}
	answer, err := s.exchange(ctx, deed{about: what, repeatable: r.repeatable, request: r}, func(ctx context.Context) (*http.Request, []byte, error) {
		return s.build(ctx, r, nil)
	})
	return answer.body, err
}

// build fills in a request. turn, if set, changes its address.
func (s *session) build(ctx context.Context, r *request, turn func(*http.Request) error) (*http.Request, []byte, error) {
	address, err := s.target(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	body, contentType, err := s.body(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, bytes.NewReader(body))
	if err != nil {
		return nil, nil, errAddress
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "rekey")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	headers, err := s.fillAll(ctx, r.headers)
	if err != nil {
		return nil, nil, err
	}
	for name, v := range headers {
		if err := setHeader(req, name, v); err != nil {
			return nil, nil, err
		}
	}
	if r.idempotency != "" {
		order, _ := s.scope["order"].(string)
		req.Header.Set(r.idempotency, order)
	}
	if turn != nil {
		if err := turn(req); err != nil {
			return nil, nil, err
		}
	}
	// Last, because a signature covers everything before.
	return req, body, s.authenticate(ctx, r.auth, req, body)
}

func (s *session) target(ctx context.Context, r *request) (string, error) {
	var address string
	var err error
	if r.url != nil {
		address, err = s.address(ctx, *r.url)
	} else {
		var path string
		if address, err = s.address(ctx, s.provider.program.base); err == nil {
			path, err = r.path.text(ctx, s.scope, url.PathEscape)
			address = strings.TrimSuffix(address, "/") + path
		}
	}
	if err != nil {
		return "", err
	}
	for segment := range strings.SplitSeq(address, "/") {
		if segment == "." || segment == ".." {
			return "", errAddress // escaping leaves these as they are, and servers resolve them
		}
	}
	query, err := s.fillAll(ctx, r.query)
	if err != nil || len(query) == 0 {
		return address, err
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", errAddress
	}
	values := u.Query()
	for name, v := range query {
		values.Set(name, v)
	}
	u.RawQuery = values.Encode()
	return u.String(), nil
}

func (s *session) body(ctx context.Context, r *request) ([]byte, string, error) {
	switch {
	case r.json != nil:
		tree, err := s.fillTree(ctx, r.json)
		if err != nil {
			return nil, "", err
		}
		body, err := json.Marshal(tree)
		if err != nil {
			return nil, "", fmt.Errorf("encoding the body: it has no JSON form: %w", rotation.ErrConfig)
		}
		return body, "application/json", nil
	case len(r.form) > 0:
		form, err := s.fillAll(ctx, r.form)
		if err != nil {
			return nil, "", err
		}
		return encodeParameters(form, false)
	}
	return nil, "", nil
}

// fillTree fills in JSON; members that are null are left out.
func (s *session) fillTree(ctx context.Context, v any) (any, error) {
	switch v := v.(type) {
	case template:
		return v.value(ctx, s.scope)
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			filled, err := s.fillTree(ctx, item)
			if err != nil {
				return nil, err
			}
			out = append(out, filled)
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			filled, err := s.fillTree(ctx, item)
			if err != nil {
				return nil, err
			}
			if filled != nil {
				out[name] = filled
			}
		}
		return out, nil
	}
	return v, nil
}

// exchange sends a request until it has an answer that counts, or there is no
// time for another try.
func (s *session) exchange(ctx context.Context, d deed, build func(context.Context) (*http.Request, []byte, error)) (reply, error) {
	for attempt := 1; ; attempt++ {
		req, body, err := build(ctx)
		if err != nil {
			return reply{}, apikey.NotSent(fmt.Errorf("%s: %w", d.about, err))
		}
		answer, sendErr := s.provider.config.Client.Do(ctx, req)
		decoded, err := s.judge(ctx, d, req, answer, sendErr)
		s.provider.trace(s, d, req, body, answer, err)
		wait, again := s.again(d, answer, err, attempt)
		if !again || !s.provider.config.sleep(ctx, wait) {
			return reply{body: decoded, header: answer.Header}, err
		}
	}
}

// reply is an answer of success.
type reply struct {
	body   any
	header http.Header
}

// again tells whether another try makes sense, and after what pause.
func (s *session) again(d deed, answer outbound.Answer, err error, attempt int) (time.Duration, bool) {
	var passing *passing
	switch {
	case err == nil || attempt >= maxAttempts:
		return 0, false
	case errors.Is(err, rotation.ErrThrottled):
		// The vendor has not done it, so that it may be done again.
	case errors.As(err, &passing), errors.Is(err, rotation.ErrUnreachable):
		if !d.repeatable && !errors.Is(err, apikey.ErrNotSent) {
			return 0, false
		}
	default:
		return 0, false
	}
	pause := min(time.Second<<(attempt-1), 16*time.Second)
	if after, told := answer.RetryAfter(s.now()); told {
		pause = max(after, 100*time.Millisecond)
	}
	return pause, true
}

// maxAttempts bounds the tries of one request; the deadline usually does.
const maxAttempts = 5
