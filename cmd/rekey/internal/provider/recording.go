package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// recording is a conversation with a vendor, and the secrets that it is about: made up, or
// replaced when it was recorded. In requests * stands for any text.
type recording struct {
	Secret    map[string]any `json:"secret"`
	Admin     map[string]any `json:"admin,omitempty"`
	Exchanges []exchange     `json:"exchanges"`
}

// exchange is a request that is expected, and its answer.
type exchange struct {
	Request string            `json:"request"`           // "GET https://…"
	Headers map[string]string `json:"headers,omitempty"` // those that are looked at
	Body    any               `json:"body,omitempty"`    // JSON, or text; not looked at if absent
	Status  int               `json:"status"`
	Answer  any               `json:"answer,omitempty"` // JSON, or text
	Reply   map[string]string `json:"answerHeaders,omitempty"`
}

func readRecording(name string) (recording, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return recording{}, err
	}
	var r recording
	if err := yaml.UnmarshalWithOptions(content, &r, yaml.Strict()); err != nil {
		return recording{}, fmt.Errorf("reading the recording %s: %w", name, err)
	}
	if len(r.Exchanges) == 0 || len(r.Secret) == 0 {
		return recording{}, fmt.Errorf("reading the recording %s: it needs secret and exchanges", name)
	}
	return r, nil
}

// document is the value of a secret; empty for none.
func (r recording) document(members map[string]any) rotation.Value {
	if len(members) == 0 {
		return rotation.Value{}
	}
	text, _ := json.Marshal(members) // of YAML
	return rotation.TextValue(string(text))
}

// issues tells whether a key is issued in the recording.
func (r recording) issues(f declarative.File) bool {
	if f.Issue == nil {
		return f.Install != nil
	}
	for _, x := range r.Exchanges {
		if method, address, _ := strings.Cut(x.Request, " "); method == f.Issue.Method && (f.List == nil || f.Issue.Method != f.List.Method) && address != "" {
			return true
		}
	}
	return false
}

// player answers from a recording, in its order.
type player struct {
	left []exchange
}

// Do implements [declarative.Sender].
func (p *player) Do(_ context.Context, r *http.Request) (outbound.Answer, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return outbound.Answer{}, err
	}
	got := r.Method + " " + r.URL.String()
	if len(p.left) == 0 {
		return outbound.Answer{}, mismatch("the recording is over, and the file asks for " + got)
	}
	x := p.left[0]
	if why := x.differs(r, body); why != "" {
		return outbound.Answer{}, mismatch(why)
	}
	p.left = p.left[1:]
	header := http.Header{}
	for name, v := range x.Reply {
		header.Set(name, v)
	}
	answer, _ := x.Answer.(string)
	if answer == "" && x.Answer != nil {
		text, _ := json.Marshal(x.Answer) // of YAML
		answer = string(text)
	}
	return outbound.Answer{Status: x.Status, Header: header, Body: []byte(answer)}, nil
}

func mismatch(why string) error {
	return apikey.NotSent(rotation.WithHint(fmt.Errorf("%s: %w", why, rotation.ErrConfig), "Correct the file, or the recording."))
}

// differs is how a request is not the one that was recorded, or "". It quotes what the
// recording has and never what was sent, which may hold secrets that are not made up.
func (x exchange) differs(r *http.Request, body []byte) string {
	method, address, _ := strings.Cut(x.Request, " ")
	if method != r.Method || !matches(canonical(address), canonical(r.URL.String())) {
		return fmt.Sprintf("the recording expects %s, and the file asks for %s https://%s%s", x.Request, r.Method, r.URL.Host, r.URL.Path)
	}
	for name, want := range x.Headers {
		if !matches(want, r.Header.Get(name)) {
			return fmt.Sprintf("%s: the recording expects another header %s", x.Request, name)
		}
	}
	if x.Body == nil {
		return ""
	}
	if want, isText := x.Body.(string); isText {
		if !matches(want, string(body)) {
			return x.Request + ": the recording expects another body"
		}
		return ""
	}
	var got any
	if json.Unmarshal(body, &got) != nil {
		return x.Request + ": the recording expects a body of JSON"
	}
	text, _ := json.Marshal(x.Body) // of YAML
	var want any
	_ = json.Unmarshal(text, &want)
	if where := compare(want, got, "body"); where != "" {
		return fmt.Sprintf("%s: the recording expects another value at %s", x.Request, where)
	}
	return ""
}

// canonical orders the query.
func canonical(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.RawQuery = u.Query().Encode()
	return strings.ReplaceAll(u.String(), "%2A", "*")
}

func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`(?s)\A` + strings.Join(parts, ".*") + `\z`).MatchString(text)
}

// compare is where JSON differs, or "".
func compare(want, got any, at string) string {
	switch want := want.(type) {
	case string:
		if text, ok := got.(string); ok && matches(want, text) {
			return ""
		}
		return at
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok || len(object) != len(want) {
			return at
		}
		for name, v := range want {
			if where := compare(v, object[name], at+"."+name); where != "" {
				return where
			}
		}
		return ""
	case []any:
		array, ok := got.([]any)
		if !ok || len(array) != len(want) {
			return at
		}
		for i, v := range want {
			if where := compare(v, array[i], fmt.Sprintf("%s[%d]", at, i)); where != "" {
				return where
			}
		}
		return ""
	}
	if !reflect.DeepEqual(want, got) {
		return at
	}
	return ""
}

// tape records what is sent and answered.
type tape struct {
	declarative.Sender
	exchanges []exchange
}

// Do implements [declarative.Sender].
func (t *tape) Do(ctx context.Context, r *http.Request) (outbound.Answer, error) {
	var body []byte
	if r.GetBody != nil {
		if again, err := r.GetBody(); err == nil {
			body, _ = io.ReadAll(again) // of memory
		}
	}
	answer, err := t.Sender.Do(ctx, r)
	if err == nil {
		x := exchange{Request: r.Method + " " + r.URL.String(), Status: answer.Status, Answer: jsonOrText(answer.Body), Body: jsonOrText(body)}
		if link := answer.Header.Get("Link"); link != "" {
			x.Reply = map[string]string{"Link": link}
		}
		t.exchanges = append(t.exchanges, x)
	}
	return answer, err
}

func jsonOrText(body []byte) any {
	var v any
	switch {
	case len(body) == 0:
		return nil
	case json.Unmarshal(body, &v) == nil:
		return v
	}
	return string(body)
}

// write writes the recording, with every secret replaced by the same made-up one, and the name
// of the key by the one that it has when the recording is played.
func (t *tape) write(name string, f declarative.File, secret, admin rotation.Value, issued string) error {
	s := &substitutes{by: map[string]string{issued: testName}}
	r := recording{Secret: s.document(secret, f.Key.Secret), Admin: s.document(admin, slices.Concat(f.Admin.Fields, f.Admin.Optional)), Exchanges: t.exchanges}
	for _, x := range t.exchanges {
		s.collect(x.Answer)
	}
	r.Secret, _ = s.tree(r.Secret).(map[string]any)
	r.Admin, _ = s.tree(r.Admin).(map[string]any)
	for i, x := range r.Exchanges {
		r.Exchanges[i].Request, r.Exchanges[i].Body, r.Exchanges[i].Answer = s.replace(x.Request), s.tree(x.Body), s.tree(x.Answer)
	}
	text, err := yaml.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o600)
}

// substitutes are what stands in a recording for secrets.
type substitutes struct {
	by map[string]string
}

func (s *substitutes) add(secret string) {
	if _, known := s.by[secret]; !known && len(secret) >= 4 {
		s.by[secret] = fmt.Sprintf("made-up-secret-%d", len(s.by)+1)
	}
}

func (s *substitutes) document(v rotation.Value, fields []string) map[string]any {
	var members map[string]any
	if json.Unmarshal([]byte(v.Reveal()), &members) != nil {
		return nil
	}
	for _, name := range fields {
		if text, ok := members[name].(string); ok {
			s.add(text)
		}
	}
	return members
}

// collect finds what an answer calls a secret.
func (s *substitutes) collect(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			s.collect(item)
		}
	case map[string]any:
		for name, item := range v {
			if text, ok := item.(string); ok && declarative.NamesSecret(name) {
				s.add(text)
			}
			s.collect(item)
		}
	}
}

// tree is JSON with every secret in it replaced.
func (s *substitutes) tree(v any) any {
	switch v := v.(type) {
	case string:
		return s.replace(v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = s.tree(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			out[name] = s.tree(item)
		}
		return out
	}
	return v
}

func (s *substitutes) replace(text string) string {
	secrets := make([]string, 0, len(s.by))
	for secret := range s.by {
		secrets = append(secrets, secret)
	}
	// The longest first, so that none leaves the rest of another.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret)} {
			text = strings.ReplaceAll(text, form, s.by[secret])
		}
	}
	return text
}
