package declarative

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// request is a compiled [Request].
type request struct {
	about       string
	method      string
	path, url   *template
	query       map[string]template
	headers     map[string]template // the file's and its own
	auth        *auth
	idempotency string
	repeatable  bool // doing it twice does no harm
	json        any  // the tree, with template for every string
	form        map[string]template
	success     []int
	ok          *expression
	errors      []errorRule
	result      map[string]expression
}

type errorRule struct {
	status []int
	when   *expression
	means  string
	hint   string
}

func (c *compiler) requests(in place, at string, rs []Request) []*request {
	var compiled []*request
	for i := range rs {
		compiled = append(compiled, c.request(in, fmt.Sprintf("%s[%d]", at, i), &rs[i]))
	}
	return compiled
}

func (c *compiler) request(in place, at string, r *Request) *request {
	if r == nil {
		return nil
	}
	out := &request{
		about: r.About, method: r.Method, idempotency: r.Idempotency, success: r.Success,
		query: c.templates(in, at+".query", r.Query), headers: c.templates(in, "headers", c.file.Headers),
		form: c.templates(in, at+".form", r.Form), result: map[string]expression{},
	}
	for name, t := range c.templates(in, at+".headers", r.Headers) {
		out.headers[name] = t
	}
	out.repeatable = r.Idempotency != "" || slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete}, r.Method)
	c.address(in, at, r, out)
	c.body(in, at, r, out)
	switch {
	case r.Auth != nil:
		out.auth = c.auth(in, at+".auth", *r.Auth)
	default:
		out.auth = c.auth(in, "auth", c.file.Auth)
	}
	if r.OK != "" {
		out.ok = c.expression(at+".ok", r.OK)
	}
	out.errors = append(c.rules(at+".errors", r.Errors), c.rules("errors", c.file.Errors)...)
	for field, text := range r.Result {
		if !c.traits().Has(field) {
			c.add(at+".result."+field, "is no part of the key: name it in key.secret or key.public")
		}
		if e := c.expression(at+".result."+field, text); e != nil {
			out.result[field] = *e
		}
	}
	for _, s := range r.Success {
		if s < 100 || s > 599 {
			c.add(at+".success", "has %d, which is no status", s)
		}
	}
	return out
}

func (c *compiler) address(in place, at string, r *Request, out *request) {
	switch {
	case (r.Path == "") == (r.URL == ""):
		c.add(at, `needs "path" or "url", and not both`)
	case r.Path != "":
		if c.file.Base == "" {
			c.add(at+".path", `needs "base" at the top of the file`)
		}
		if !strings.HasPrefix(r.Path, "/") {
			c.add(at+".path", "must begin with /")
		}
		t := c.template(in, at+".path", r.Path)
		out.path = &t
	default:
		t := c.template(in, at+".url", r.URL)
		c.decidesHost(at+".url", t)
		if len(t.parts) > 0 && t.parts[0].expr == nil && !strings.HasPrefix(r.URL, "https://") {
			c.add(at+".url", "must begin with https://")
		}
		out.url = &t
	}
	if strings.ContainsAny(r.Path+r.URL, "?#") && !strings.Contains(r.Path+r.URL, "${") {
		if u, err := url.Parse(r.Path + r.URL); err != nil || u.RawQuery != "" || u.Fragment != "" {
			c.add(at, `has a query in its address: use "query"`)
		}
	}
}

func (c *compiler) body(in place, at string, r *Request, out *request) {
	bodies := 0
	for _, there := range []bool{r.JSON != nil, r.Form != nil, r.GraphQL != nil} {
		if there {
			bodies++
		}
	}
	if bodies > 1 {
		c.add(at, "has more than one body")
	}
	if bodies > 0 && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		c.add(at, "is a %s with a body", r.Method)
	}
	switch {
	case r.JSON != nil:
		out.json = c.tree(in, at+".json", r.JSON)
	case r.GraphQL != nil:
		tree := map[string]any{"query": literal(r.GraphQL.Query)}
		if r.GraphQL.Variables != nil {
			tree["variables"] = c.tree(in, at+".graphql.variables", r.GraphQL.Variables)
		}
		out.json = tree
	}
}

func literal(text string) template { return template{parts: []part{{literal: text}}} }

// tree compiles the strings of free-form JSON.
func (c *compiler) tree(in place, at string, v any) any {
	switch v := v.(type) {
	case string:
		return c.template(in, at, v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = c.tree(in, fmt.Sprintf("%s[%d]", at, i), item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = c.tree(in, join(at, key), item)
		}
		return out
	}
	return v
}

func (c *compiler) templates(in place, at string, texts map[string]string) map[string]template {
	out := make(map[string]template, len(texts))
	for name, text := range texts {
		out[name] = c.template(in, join(at, name), text)
	}
	return out
}

func (c *compiler) template(in place, at, text string) template {
	t, err := parseTemplate(text)
	if err != nil {
		c.add(at, "%v", err)
	}
	for _, p := range t.parts {
		if p.expr != nil {
			c.known(in, at, references(p.expr.tree))
		}
	}
	return t
}

// known refuses references to what is not there.
func (c *compiler) known(in place, at string, refs []reference) {
	traits := c.traits()
	for _, ref := range refs {
		if !slices.Contains(rootsOf[in], ref.root) {
			c.add(at, "reads .%s, which is not there; there are .%s", ref.root, strings.Join(rootsOf[in], ", ."))
			continue
		}
		if ref.name == "" {
			continue
		}
		switch ref.root {
		case "settings":
			if _, ok := c.file.Settings[ref.name]; !ok {
				c.add(at, "reads the setting %q, which is not declared", ref.name)
			}
		case "admin":
			if !slices.Contains(c.file.Admin.Fields, ref.name) && !slices.Contains(c.file.Admin.Optional, ref.name) {
				c.add(at, "reads the administrator's %q, which is not declared", ref.name)
			}
		case "current", "key":
			if !traits.Has(ref.name) {
				c.add(at, "reads the key's %q, which is not declared", ref.name)
			}
		}
	}
}

func (c *compiler) expression(at, text string) *expression {
	e, err := compile(text)
	if err != nil {
		c.add(at, "is no jq expression: %v", err)
		return nil
	}
	return &e
}

func (c *compiler) rules(at string, rs []ErrorRule) []errorRule {
	var out []errorRule
	for i, r := range rs {
		rule := errorRule{status: r.Status, means: r.Means, hint: r.Hint}
		if r.When != "" {
			rule.when = c.expression(fmt.Sprintf("%s[%d].when", at, i), r.When)
		}
		if len(r.Status) == 0 && r.When == "" {
			c.add(fmt.Sprintf("%s[%d]", at, i), `needs "status" or "when"`)
		}
		out = append(out, rule)
	}
	return out
}
