package declarative

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
)

// program is a file that was checked and compiled.
type program struct {
	file     File
	base     template
	patterns map[string]*regexp.Regexp // of settings

	issue, install, check, unused *request
	list                          *list
	before, revoke, retire        []*request
}

// place is where a template stands: which roots it may read.
type place string

const (
	inIssue  place = "issue"
	inList   place = "list"
	aboutKey place = "key" // check, install, revoke, retire, unused
	inBase   place = "base"
)

// rootsOf are what templates may read, by place.
var rootsOf = map[place][]string{
	inIssue:  {"settings", "admin", "current", "name", "order", "now"},
	inList:   {"settings", "admin", "current", "now"},
	aboutKey: {"settings", "admin", "current", "key", "id", "now"},
	inBase:   {"settings"},
}

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

type list struct {
	request
	items, id                                       expression
	name, created, lastUsed, expires, active, where *expression
	cursor                                          *expression
	next                                            Next
}

// auth is a compiled [Auth].
type auth struct {
	headers map[string]template
	basic   *[2]template
	bearer  *template
	oauth   *oauth
	jwt     *jwt
	aws     *awsAuth
}

// compileFile checks what the shape alone does not tell, and compiles.
func (p *problems) compileFile(f File) *program {
	c := &compiler{problems: p, file: f}
	prog := &program{file: f, patterns: map[string]*regexp.Regexp{}}
	c.settings(prog)
	prog.base = c.template(inBase, "base", f.Base)
	c.base(prog.base)
	prog.before = c.requests(inIssue, "before", f.Before)
	prog.issue = c.request(inIssue, "issue", f.Issue)
	prog.install = c.request(aboutKey, "install", f.Install)
	prog.check = c.request(aboutKey, "check", f.Check)
	prog.unused = c.request(aboutKey, "unused", f.Unused)
	prog.list = c.list(f.List)
	prog.revoke = c.requests(aboutKey, "revoke", f.Revoke)
	prog.retire = c.requests(aboutKey, "retire", f.Retire)
	for _, r := range slices.Concat(prog.before, prog.revoke, prog.retire, []*request{prog.check, prog.install, prog.unused}) {
		if r != nil {
			r.repeatable = true
		}
	}
	c.whole()
	return prog
}

type compiler struct {
	*problems
	file File
}

func (c *compiler) settings(prog *program) {
	for name, s := range c.file.Settings {
		at := "settings." + name
		if s.Pattern != "" {
			re, err := regexp.Compile(`\A(?:` + s.Pattern + `)\z`)
			if err != nil {
				c.add(at+".pattern", "is no regular expression: %v", err)
				continue
			}
			prog.patterns[name] = re
		}
		if s.Default != nil {
			if why := s.refuses(*s.Default, prog.patterns[name]); why != "" {
				c.add(at+".default", "is %q: it %s", *s.Default, why)
			}
		}
		if s.Default != nil && s.Optional {
			c.add(at, "has a default and is optional: one of the two")
		}
		if c.traits().Has(name) {
			c.add(at, "is a part of the key too")
		}
		if slices.Contains(reserved, name) {
			c.add(at, "has a name that secrets use for something else")
		}
	}
}

// reserved are keys of the secret's document that are not a provider's.
var reserved = []string{"provider", "adminSecretArn", "exclusive"}

// refuses is why a value is not one, or "".
func (s Setting) refuses(value string, pattern *regexp.Regexp) string {
	if pattern != nil && !pattern.MatchString(value) {
		return "must match " + s.Pattern
	}
	if len(s.OneOf) > 0 && !slices.Contains(s.OneOf, value) {
		return "must be one of " + strings.Join(s.OneOf, ", ")
	}
	return ""
}

// base holds the rule that who decides where a credential is sent is who holds it.
func (c *compiler) base(t template) {
	if len(t.parts) == 0 {
		return
	}
	c.decidesHost("base", t)
	for _, p := range t.parts {
		if p.expr == nil && strings.ContainsAny(p.literal, "?#") {
			c.add("base", "has a query or a fragment: they belong to requests")
		}
	}
	if t.parts[0].expr == nil && !strings.HasPrefix(t.parts[0].literal, "https://") {
		c.add("base", "must begin with https://")
	}
}

// decidesHost demands of the settings before the path of a URL that they are
// marked as such.
func (c *compiler) decidesHost(at string, t template) {
	text := ""
	for _, p := range t.parts {
		if p.expr == nil {
			text += p.literal
			continue
		}
		if rest, ok := strings.CutPrefix(text, "https://"); ok && strings.Contains(rest, "/") {
			return
		}
		for _, ref := range references(p.expr.tree) {
			if s, ok := c.file.Settings[ref.name]; ref.root == "settings" && ok && !s.Host && len(s.OneOf) == 0 {
				c.add(at, "uses the setting %q in the host: mark it with host: true", ref.name)
			}
		}
		text += "x"
	}
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

func (c *compiler) list(l *List) *list {
	if l == nil {
		return nil
	}
	out := &list{request: *c.request(inList, "list", &l.Request)}
	out.repeatable = true
	for _, e := range []struct {
		name, text string
		to         *expression
	}{{"items", l.Items, &out.items}, {"id", l.ID, &out.id}} {
		if x := c.expression("list."+e.name, e.text); x != nil {
			*e.to = *x
		}
	}
	for _, e := range []struct {
		name, text string
		to         **expression
	}{
		{"name", l.Name, &out.name},
		{"created", l.Created, &out.created},
		{"lastUsed", l.LastUsed, &out.lastUsed},
		{"expires", l.Expires, &out.expires},
		{"active", l.Active, &out.active},
		{"where", l.Where, &out.where},
	} {
		if e.text != "" {
			*e.to = c.expression("list."+e.name, e.text)
		}
	}
	if l.Next != nil {
		c.next(l, out)
	}
	return out
}

func (c *compiler) next(l *List, out *list) {
	n := *l.Next
	out.next = n
	if n.Cursor != "" {
		out.cursor = c.expression("list.next.cursor", n.Cursor)
	}
	ways := 0
	for _, there := range []bool{n.Cursor != "", n.FirstPage != nil, n.Offset, n.Link} {
		if there {
			ways++
		}
	}
	if ways != 1 {
		c.add("list.next", "needs exactly one of cursor, firstPage, offset and link")
	}
	if (n.FirstPage != nil || n.Offset) && (n.Parameter == "" || n.Size == 0) {
		c.add("list.next", `needs "parameter" and "size"`)
	}
}

// whole checks what the parts allow and the whole does not.
func (c *compiler) whole() {
	f := c.file
	makes := (f.Issue != nil) != (len(f.Choose) > 0)
	switch {
	case f.Class == apikey.Assisted && (f.Issue != nil || len(f.Choose) > 0):
		c.add("class", `is assisted, and there is "issue" or "choose"`)
	case f.Class != apikey.Assisted && !makes:
		c.add("class", `needs "issue" or "choose", and not both`)
	}
	if len(f.Choose) > 0 && f.Install == nil {
		c.add("choose", `needs "install"`)
	}
	if f.Issue != nil {
		for _, field := range c.traits().all() {
			if _, there := f.Issue.Result[field]; !there {
				c.add("issue.result", "lacks %q, which is part of the key", field)
			}
		}
	}
	for field, choice := range f.Choose {
		if !slices.Contains(f.Key.Secret, field) {
			c.add("choose."+field, "is not one of key.secret")
		}
		if choice.Length < 16 || choice.Length > 512 {
			c.add("choose."+field+".length", "is %d: it must be 16 to 512", choice.Length)
		}
	}
	if f.List != nil && f.Key.ID == "" {
		c.add("list", `needs "id" in "key": keys are told apart by it`)
	}
	if f.Limit > 0 && f.List == nil && f.Class == apikey.Dual {
		c.add("limit", `needs "list": else nobody can tell how many keys there are`)
	}
	if len(f.Retire) > 0 && f.Class != apikey.Dual && f.Class != apikey.Assisted {
		c.add("retire", "is for keys that outlive the rotation: class dual or assisted")
	}
	if f.Name.Max > 0 && f.Name.Max < apikey.NameLength {
		c.add("name.max", "is %d: our names have %d characters", f.Name.Max, apikey.NameLength)
	}
	if len(f.Before) > 0 && f.Issue == nil {
		c.add("before", `is for "issue"`)
	}
	if f.Unused != nil && !f.Once {
		c.add("unused", `is for "once"`)
	}
	for at, d := range map[string]Duration{"lag": f.Lag, "lifetime": f.Lifetime} {
		if d != "" && d.value() > 24*time.Hour {
			c.add(at, "is %s: at most 24h", d)
		}
	}
}

// value is the duration; its form was checked.
func (d Duration) value() time.Duration {
	v, _ := time.ParseDuration(string(d))
	return v
}

// fields are what a credential is made of.
type fields struct{ apikey.Traits }

func (c *compiler) traits() fields { return fields{c.file.traits()} }

func (f fields) all() []string {
	names := slices.Clone(f.Fields)
	if f.ID != "" && !slices.Contains(names, f.ID) {
		names = append(names, f.ID)
	}
	return names
}

// traits are those of the engine's contract.
func (f File) traits() apikey.Traits {
	t := apikey.Traits{
		Class: f.Class, ID: f.Key.ID, Fields: slices.Concat(f.Key.Secret, f.Key.Public), Public: f.Key.Public,
		Limit: f.Limit, NameMax: f.Name.Max, Once: f.Once, Ends: f.Lifetime != "", Chosen: len(f.Choose) > 0,
		Lists: f.List != nil, Revokes: len(f.Revoke) > 0,
	}
	if f.List != nil {
		t.Named, t.LastUsed = f.List.Name != "", f.List.LastUsed != ""
	}
	if f.Issue != nil {
		t.Idempotent = f.Issue.Idempotency != ""
	}
	return t
}
