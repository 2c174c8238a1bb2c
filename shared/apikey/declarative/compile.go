package declarative

import (
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
