package vendorapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// call is one request that a document has, and what comes of it.
type call struct {
	name               string
	method, host, path string // a path's {parts} match one segment each
	query              fields
	headers            map[string]string // needed, beside those of auth; "" is any value
	auth               auth
	form               fields // the body, if it is a form
	json               fields // the body, if it is JSON; nil and form nil: no body
	also               []string
	do                 func(*exchange) reply
}

// auth is how a request proves who asks.
type auth struct {
	headers []string // where the proof stands: no other such header may come
	check   func(*exchange) bool
}

// exchange is one request while it is answered. The account is locked.
type exchange struct {
	*Account
	r     *http.Request
	parts map[string]string // of the path
	query url.Values
	body  map[string]any // fields of form or JSON that a rule names, by their path
	key   *Key           // who asks, if it is a key of the account
}

type reply struct {
	status int
	header http.Header
	body   any // nil: none
}

// ok replies with a body; status 204 where it is nil.
func ok(body any) reply {
	if body == nil {
		return reply{status: http.StatusNoContent}
	}
	return reply{status: http.StatusOK, body: body}
}

func created(body any) reply { return reply{status: http.StatusCreated, body: body} }

// fail replies with the vendor's form of an error.
func (e *exchange) fail(status int, what string) reply {
	if e.errors != nil {
		return reply{status: status, body: e.errors(status, what)}
	}
	return reply{status: status, body: object{"error": what}}
}

type object = map[string]any

// answer finds the call, holds the request to it, and carries it out.
func (a *Account) answer(r *http.Request) reply {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := &exchange{Account: a, r: r, query: r.URL.Query(), body: map[string]any{}}
	c, known := e.find()
	if !known {
		return e.undocumented("no such call")
	}
	for _, wrong := range []string{e.wrongHeader(c), e.wrongQuery(c), e.wrongBody(c)} {
		if wrong != "" {
			return e.undocumented("the call " + c.name + ": " + wrong)
		}
	}
	if c.auth.check != nil && !c.auth.check(e) {
		return e.fail(cmp.Or(a.unproven, http.StatusUnauthorized), "unauthorized")
	}
	if e.key != nil {
		e.key.LastUsed = a.clock()
	}
	return c.do(e)
}

// undocumented keeps what is wrong, without values: they may be secret.
func (e *exchange) undocumented(what string) reply {
	e.Account.undocumented = append(e.Account.undocumented, fmt.Sprintf("%s %s%s: %s", e.r.Method, host(e.r), e.r.URL.Path, what))
	return e.fail(http.StatusBadRequest, "bad request")
}

func host(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

// find is the call whose method, host and path the request has.
func (e *exchange) find() (call, bool) {
	for _, c := range e.calls {
		if c.method != e.r.Method || c.host != host(e.r) {
			continue
		}
		if parts, match := matchPath(c.path, e.r.URL.EscapedPath()); match {
			e.parts = parts
			return c, true
		}
	}
	return call{}, false
}

func matchPath(pattern, path string) (map[string]string, bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	parts := map[string]string{}
	for i, w := range want {
		segment, err := url.PathUnescape(got[i])
		if err != nil {
			return nil, false
		}
		if name, isPart := strings.CutPrefix(w, "{"); isPart && segment != "" {
			parts[strings.TrimSuffix(name, "}")] = segment
			continue
		}
		if segment != w {
			return nil, false
		}
	}
	return parts, true
}

// everyRequest has these headers, or may.
var everyRequest = []string{"Accept", "Accept-Encoding", "Accept-Language", "Connection", "Content-Length", "Content-Type", "User-Agent"}

func (e *exchange) wrongHeader(c call) string {
	for name, want := range c.headers {
		got := e.r.Header.Get(name)
		if got == "" {
			return "the header " + name + " is missing"
		}
		if want != "" && got != want {
			return fmt.Sprintf("the header %s is not %q", name, want)
		}
	}
	for name := range e.r.Header {
		_, asked := c.headers[name]
		if !asked && !slices.Contains(everyRequest, name) && !slices.Contains(c.auth.headers, name) && !slices.Contains(c.also, name) {
			return "no document has the header " + name
		}
	}
	return ""
}

func (e *exchange) wrongQuery(c call) string {
	given := map[string]any{}
	for name, values := range e.query {
		if len(values) != 1 {
			return "the parameter " + name + " appears twice"
		}
		given[name] = values[0]
	}
	return c.query.hold("parameter", given, map[string]any{})
}

func (e *exchange) wrongBody(c call) string {
	var content []byte
	if e.r.Body != nil {
		var err error
		if content, err = io.ReadAll(io.LimitReader(e.r.Body, 1<<20)); err != nil {
			return "the body ends early"
		}
	}
	kind, _, _ := mime.ParseMediaType(e.r.Header.Get("Content-Type"))
	switch {
	case c.form != nil:
		if kind != "application/x-www-form-urlencoded" {
			return fmt.Sprintf("the body is %q, not a form", kind)
		}
		values, err := url.ParseQuery(string(content))
		if err != nil {
			return "the form cannot be read"
		}
		given := map[string]any{}
		for name := range values {
			given[name] = values.Get(name)
		}
		return c.form.hold("field", given, e.body)
	case c.json != nil:
		if kind != "application/json" && !strings.HasSuffix(kind, "+json") {
			return fmt.Sprintf("the body is %q, not JSON", kind)
		}
		var given any
		if err := json.Unmarshal(content, &given); err != nil {
			return "the body is not JSON"
		}
		return c.json.hold("field", given, e.body)
	case len(bytes.TrimSpace(content)) > 0 && string(bytes.TrimSpace(content)) != "{}":
		return "no document has a body"
	}
	return ""
}

// text is a field of the body, or "".
func (e *exchange) text(name string) string {
	s, _ := e.body[name].(string)
	return s
}

// number is a parameter of the query.
func (e *exchange) number(name string, absent int) int {
	if n, err := strconv.Atoi(e.query.Get(name)); err == nil {
		return n
	}
	return absent
}

func (r reply) content() []byte {
	if r.body == nil {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(r.body) // of maps, slices and strings
	return b.Bytes()
}

func (r reply) headers() http.Header {
	h := r.header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if r.body != nil && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	return h
}

func (r reply) response(asked *http.Request) *http.Response {
	content := r.content()
	return &http.Response{
		Status: fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)), StatusCode: r.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: r.headers(),
		Body: io.NopCloser(bytes.NewReader(content)), ContentLength: int64(len(content)), Request: asked,
	}
}

func (r reply) write(w http.ResponseWriter) {
	for name, values := range r.headers() {
		w.Header()[name] = values
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.content())
}
