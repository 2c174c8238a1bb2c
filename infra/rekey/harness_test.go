package rekey_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/infra/rekey"
)

var update = flag.Bool("update", false, "rewrite the golden templates")

// The tests share one process that runs the CDK's code, which is not safe for several
// goroutines: none of them is parallel.
func TestMain(m *testing.M) {
	flag.Parse()
	if _, err := exec.LookPath("node"); err != nil {
		fmt.Fprintln(os.Stderr, "the CDK's code runs in Node, and there is no program node in PATH: install Node 20 or 22")
		os.Exit(1)
	}
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// examples are the files that every test of whole deployments goes through.
var examples = []string{"minimal", "api-keys", "multi-region-banking"}

// everythingFile has what the examples leave out.
const everythingFile = "everything"

// deployments are all files.
var deployments = append(slices.Clone(examples), everythingFile)

func load(t *testing.T, example string) *config.File {
	t.Helper()
	path := "../../examples/" + example + ".yaml"
	if example == everythingFile {
		path = "testdata/everything.yaml"
	}
	f, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newApp is an app with the context of cdk.json, and what a test changes in it.
func newApp(t *testing.T, out string, changes map[string]any) awscdk.App {
	t.Helper()
	text, err := os.ReadFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Context map[string]any }
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	maps.Copy(s.Context, changes)
	return awscdk.NewApp(&awscdk.AppProps{Outdir: &out, Context: &s.Context})
}

// stubs stand in for the compiled functions, so that hashes are the same everywhere.
func stubs(t *testing.T, f *config.File) map[string]string {
	t.Helper()
	code := map[string]string{}
	for _, name := range rekey.Functions(f) {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "bootstrap"), []byte("code of "+name), 0o700); err != nil {
			t.Fatal(err)
		}
		code[name] = dir
	}
	return code
}

// refused runs what may panic, as the CDK does for what it refuses, and returns why.
func refused(do func()) (why string) {
	defer func() {
		if r := recover(); r != nil {
			why = fmt.Sprint(r)
		}
	}()
	do()
	return ""
}

// template is a synthesized stack.
type template struct {
	Resources map[string]resource
	Outputs   map[string]any
}

type resource struct {
	Type                string
	Properties          map[string]any
	Metadata            map[string]any
	DeletionPolicy      string
	UpdateReplacePolicy string
}

// synthesized are the templates of the examples by stack, made once.
var synthesized = map[string]map[string]template{}

// synth makes the templates of an example in a folder of its own.
func synth(t *testing.T, example, out string) {
	t.Helper()
	f := load(t, example)
	code := stubs(t, f)
	if why := refused(func() {
		app := newApp(t, out, nil)
		rekey.Validate(app)
		rekey.Deploy(app, f, rekey.Options{Code: code, MonthlyCost: "about $1.00 a month"})
		app.Synth(nil)
	}); why != "" {
		t.Fatalf("%s: %s", example, why)
	}
}

func templates(t *testing.T, example string) map[string]template {
	t.Helper()
	if all, ok := synthesized[example]; ok {
		return all
	}
	out := t.TempDir()
	synth(t, example, out)
	all := map[string]template{}
	for name, text := range files(t, out, ".template.json") {
		var tmpl template
		if err := json.Unmarshal([]byte(text), &tmpl); err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(name, ".template.json")] = tmpl
	}
	synthesized[example] = all
	return all
}

// files are those of a folder by their path in it, if they end in a suffix.
func files(t *testing.T, dir, suffix string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// primary is the stack of an example where secrets are rotated.
func primary(t *testing.T, example string) template {
	t.Helper()
	f := load(t, example)
	return templates(t, example)[fmt.Sprintf("%s-%s", f.Name, f.Environment)]
}

// of are the resources of a type, by logical id.
func (t template) of(kind string) map[string]resource {
	all := map[string]resource{}
	for id, r := range t.Resources {
		if r.Type == kind {
			all[id] = r
		}
	}
	return all
}

// at is a value of a resource's properties, by a path such as Environment.Variables.
func (r resource) at(path string) any {
	var v any = r.Properties
	for key := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func list(v any) []any {
	if all, ok := v.([]any); ok {
		return all
	}
	return []any{v}
}

// statement is one of a policy.
type statement map[string]any

func statements(document any) []statement {
	m, _ := document.(map[string]any)
	var all []statement
	for _, s := range list(m["Statement"]) {
		all = append(all, s.(map[string]any))
	}
	return all
}

func (s statement) actions() []string {
	var all []string
	for _, a := range list(s["Action"]) {
		all = append(all, fmt.Sprint(a))
	}
	return all
}

var assetHash = regexp.MustCompile(`[0-9a-f]{64}`)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
