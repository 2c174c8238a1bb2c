package declarative_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// All that is wrong is told at once, with its line.
func TestEverythingThatIsWrongIsTold(t *testing.T) {
	t.Parallel()
	const file = `provider: Bad_Name
title: 7
class: double
documents: []
sitings:
  site: x
key:
  secret: [token]
  id: ~
limit: many
issue:
  method: FETCH
  path: /keys
  json: &anchor {name: x}
check:
  method: GET
  path: /me
  ok: [true]
list: *anchor
`
	mustSay(t, file,
		`test.yaml:1: provider: is "Bad_Name": it must match ^[a-z][a-z0-9-]*$`,
		`test.yaml:2: title: must be text (put it into quotes)`,
		`test.yaml:3: class: is "double": it must be one of dual, grace, replace, refresh, assisted`,
		`test.yaml:4: documents: is an empty list`,
		`test.yaml:6: sitings: is not a key of the format here; there are admin, auth,`,
		`test.yaml:9: key.id: is empty: give it a value, or remove the key`,
		`test.yaml:10: limit: must be a whole number`,
		`test.yaml:12: issue.method: is "FETCH": it must be one of GET,`,
		`test.yaml:14: issue.json: is an anchor or an alias: write it out`,
		`test.yaml:18: check.ok: must be text (put it into quotes)`,
		`test.yaml:19: list: is an anchor or an alias: write it out`,
	)
}

func TestWhatTheShapeDoesNotTell(t *testing.T) {
	t.Parallel()
	const file = `provider: test
title: Test
class: dual
documents: [{url: https://example.com, read: 2026-11-23}]
settings:
  site: {default: x, pattern: '[a-', oneOf: [y]}
  host: {pattern: '[a-z.]+'}
  token: {}
  provider: {}
key: {secret: [token]}
admin: {fields: [secret]}
limit: 2
name: {max: 10}
base: http://${.settings.host}?x=1
auth: {bearer: "${.admin.sekret}", none: true}
issue:
  method: POST
  path: keys
  json: {name: "${.nam}", n: "${.now"}
  form: {a: b}
  result: {other: .x, token: '.['}
check:
  method: GET
  url: https://a.example/?q=1
  path: /x
  form: {a: "${.key.nothing}"}
  errors: [{means: refused}]
list:
  method: GET
  path: /keys
  items: .keys
  id: .id
  next: {cursor: .next, link: true}
unused: {method: GET, path: /x}
`
	mustSay(t, file,
		`test.yaml:6: settings.site.pattern: is no regular expression`,
		`test.yaml:8: settings.token: is a part of the key too`,
		`test.yaml:9: settings.provider: has a name that secrets use for something else`,
		`test.yaml:13: name.max: is 10: our names have 38 characters`,
		`test.yaml:14: base: uses the setting "host" in the host: mark it with host: true`,
		`test.yaml:14: base: has a query or a fragment`,
		`test.yaml:14: base: must begin with https://`,
		`test.yaml:15: auth: needs exactly one of`,
		`test.yaml:15: auth.bearer: reads the administrator's "sekret", which is not declared`,
		`test.yaml:18: issue.path: must begin with /`,
		`test.yaml:19: issue.json.name: reads .nam, which is not there; there are .settings,`,
		`test.yaml:19: issue.json.n: ${ is not closed by }`,
		`test.yaml:17: issue: has more than one body`,
		`test.yaml:21: issue.result.other: is no part of the key`,
		`test.yaml:21: issue.result.token: is no jq expression`,
		`test.yaml:23: check: needs "path" or "url", and not both`,
		`test.yaml:26: check.form.a: reads the key's "nothing", which is not declared`,
		`test.yaml:23: check: is a GET with a body`,
		`test.yaml:27: check.errors[0]: needs "status" or "when"`,
		`test.yaml:29: list: needs "id" in "key"`,
		`test.yaml:33: list.next: needs exactly one of`,
		`test.yaml:34: unused: is for "once"`,
	)
}

func mustSay(t *testing.T, file string, lines ...string) {
	t.Helper()
	_, err := declarative.Read("test.yaml", []byte(file))
	if !errors.Is(err, rotation.ErrConfig) {
		t.Fatalf("got %v", err)
	}
	said := strings.Split(err.Error(), "\n")
	for _, want := range lines {
		found := false
		for _, line := range said {
			found = found || strings.HasPrefix(line, want)
		}
		if !found {
			t.Errorf("it does not say %q", want)
		}
	}
	if t.Failed() {
		t.Logf("it says\n%s", err)
	}
}

func TestMalformedFiles(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty": "", "two": "a: 1\n---\nb: 2\n", "no mapping": "- a\n", "tab": "a:\n\t- b\n", "twice": "title: a\ntitle: b\n",
		"huge": strings.Repeat("# x\n", 100_000), "tag": "title: !!binary aGk=\n", "merge": "<<: {title: x}\n",
	} {
		_, err := declarative.Read("x.yaml", []byte(content))
		var invalid *declarative.InvalidError
		if !errors.As(err, &invalid) || !strings.HasPrefix(err.Error(), "x.yaml:") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The JSON Schema that editors use takes every file that ships, and refuses what
// the reader refuses for its shape.
func TestSchemaAndReaderAgree(t *testing.T) {
	t.Parallel()
	compiler := jsonschema.NewCompiler()
	text, err := jsonschema.UnmarshalJSON(strings.NewReader(string(providers.Schema)))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.AddResource("schema.json", text); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(content string) bool {
		asJSON, err := yaml.YAMLToJSON([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v) == nil
	}
	names, _ := fs.Glob(providers.Files, "*.yaml")
	for _, name := range names {
		content, _ := providers.Files.ReadFile(name)
		if !valid(string(content)) {
			t.Errorf("the schema refuses %s", name)
		}
	}
	content, _ := providers.Files.ReadFile("datadog.yaml")
	for from, to := range map[string]string{
		"class: dual": "class: double", "provider: datadog": "provider: Data_dog", "title: Datadog": "titel: Datadog", "method: POST": "method: FETCH",
		"means: refused": "means: nothing", "success: [201]": "success: 201", "items: .data": "itemz: .data", "firstPage: 0": "firstPage: zero",
		"read: 2026-11-23": "read: yesterday", "secret: [apiKey]": "secret: {}",
	} {
		if !strings.Contains(string(content), from) {
			t.Errorf("the file has no %q", from)
			continue
		}
		broken := strings.Replace(string(content), from, to, 1)
		_, err := declarative.Read("datadog.yaml", []byte(broken))
		if err == nil || valid(broken) {
			t.Errorf("%s: the reader says %v, the schema takes it: %v", to, err, valid(broken))
		}
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	content, _ := providers.Files.ReadFile("datadog.yaml")
	own := fstest.MapFS{
		"datadog.yaml": {Data: []byte(strings.Replace(string(content), "title: Datadog API keys", "title: Ours", 1))},
		"broken.yaml":  {Data: []byte("provider: broken\n")},
		"liar.yaml":    {Data: content},
	}
	d := declarative.NewDirectory(declarative.Config{}, own, providers.Files)
	p, err := d.Provider("datadog")
	if err != nil || p.(*declarative.Provider).File().Title != "Ours" {
		t.Errorf("a deployment's own file does not come first: %v", err)
	}
	if p, err := d.Provider("gitlab"); err != nil || p.Traits().Class != apikey.Replace {
		t.Errorf("gitlab: %v", err)
	}
	for name, says := range map[string]string{
		"broken": "broken.yaml: lacks the key", "liar": `called "datadog"`, "nobody": "no provider", "../gitlab": "no provider", "": "no provider",
	} {
		if _, err := d.Provider(name); !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	names, _ := fs.Glob(providers.Files, "*.yaml")
	for _, name := range names {
		content, _ := providers.Files.ReadFile(name)
		f.Add(string(content))
	}
	f.Add("a: ${")
	f.Fuzz(func(t *testing.T, content string) {
		_, err := declarative.Read("f.yaml", []byte(content))
		var invalid *declarative.InvalidError
		if err != nil && (!errors.As(err, &invalid) || len(invalid.Problems) == 0) {
			t.Errorf("got %v", err)
		}
	})
}
