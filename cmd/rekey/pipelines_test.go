package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/goccy/go-yaml"
)

// pipelineSecrets are those that docs/pipelines.md and examples/pipelines name.
var pipelineSecrets = map[string]string{
	"prod/orders/db":       `{"username": "app", "password": "example-of-a-password"}`,
	"prod/orders/registry": `{"token": "100%of-the-token\nits-second-line"}`,
}

// pipeline is a place where the commands of a page or of a pipeline run.
type pipeline struct {
	dir string
	env []string
}

// newPipeline has rekey in PATH, the secrets, and the programs that pipelines start.
func newPipeline(t *testing.T, l *local) pipeline {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the commands are for a POSIX shell")
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := func(name, script string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	program("rekey", asCommand+`=1 exec "`+self+`" "$@"`)
	program("docker", `cat > docker.read`)
	program("migrate.sh", `printf %s "${DB_PASSWORD-$PGPASSWORD}" > migrate.read; echo "with $DB_PASSWORD"`)
	program("release.sh", `printf %s "$PG_USERNAME $REGISTRY_TOKEN" > release.read`)
	return pipeline{dir, append(os.Environ(),
		"PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "TMPDIR="+dir,
		"AWS_REGION="+l.ready.Region, "AWS_ENDPOINT_URL="+l.ready.Endpoint, "AWS_ACCESS_KEY_ID=me", "AWS_SECRET_ACCESS_KEY=none",
		"GITHUB_OUTPUT="+filepath.Join(dir, "output"))}
}

// sh runs commands, which must succeed.
func (p pipeline) sh(t *testing.T, commands string) (output string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-ec", commands)
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", commands, err, out)
	}
	return string(out)
}

// wrote is what a program wrote down.
func (p pipeline) wrote(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(p.dir, file))
	if err != nil || string(got) != want {
		t.Errorf("%s: %q, %v, want %q", file, got, err, want)
	}
	_ = os.Remove(filepath.Join(p.dir, file))
}

// Whatever pipelines and the page call is a command line, and does what it is said to.
func TestPipelines(t *testing.T) {
	t.Parallel()
	l := startLocal(t)
	client := secretsmanager.New(secretsmanager.Options{
		Region: l.ready.Region, BaseEndpoint: &l.ready.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("me", "none", ""),
	})
	for name, value := range pipelineSecrets {
		if _, err := client.CreateSecret(context.Background(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("GitHub", func(t *testing.T) {
		p, steps := newPipeline(t, l), commandsOf(t, "github/deploy.yml")
		if out := p.sh(t, steps[0]); strings.Contains(out, "example-of-a-password") || !strings.Contains(out, "with ***") {
			t.Errorf("its log: %s", out)
		}
		p.wrote(t, "migrate.read", "example-of-a-password")
		out := p.sh(t, steps[1])
		if out != "::add-mask::100%25of-the-token\n::add-mask::its-second-line\n" {
			t.Errorf("it masks %q", out)
		}
		p.wrote(t, "output", "token<<end-of-the-token\n100%of-the-token\nits-second-line\nend-of-the-token\n")
	})
	t.Run("GitLab", func(t *testing.T) {
		p, steps := newPipeline(t, l), commandsOf(t, "gitlab/gitlab-ci.yml")
		p.sh(t, steps[0])
		p.wrote(t, "migrate.read", "example-of-a-password")
		if runtime.GOOS == "linux" {
			p.sh(t, steps[1])
			p.wrote(t, "docker.read", "100%of-the-token\nits-second-line")
		}
	})
	t.Run("CodeBuild", func(t *testing.T) {
		p, steps := newPipeline(t, l), commandsOf(t, "codebuild/buildspec.yml")
		p.sh(t, steps[0])
		p.wrote(t, "migrate.read", "example-of-a-password")
	})
	t.Run("the page", func(t *testing.T) { p := newPipeline(t, l); p.page(t) })
}

var (
	blockOfPage    = regexp.MustCompile("(?ms)^<!-- not run by tests: cmd/rekey's tests do, on rekey local -->\n```sh\n(.*?)^```$")
	rekeyCall      = regexp.MustCompile(`(?m)(^|\$\()rekey ([^)>\n]*)`)
	templateOfPage = regexp.MustCompile("(?ms)^```text\n([^`]*?{{secret [^`]*?)^```$")
)

func (p pipeline) page(t *testing.T) {
	text, err := os.ReadFile("../../docs/pipelines.md")
	if err != nil {
		t.Fatal(err)
	}
	understood(t, "docs/pipelines.md", string(text))
	template := templateOfPage.FindSubmatch(text)
	if template == nil || os.WriteFile(filepath.Join(p.dir, "app.conf.tmpl"), template[1], 0o600) != nil {
		t.Fatal("docs/pipelines.md has no template")
	}
	ran := 0
	for _, block := range blockOfPage.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			ran++
			if strings.Contains(line, "--files") && runtime.GOOS != "linux" {
				continue
			}
			out := p.sh(t, line)
			if strings.Contains(line, "--mask") != strings.Contains(out, "logging in with ***") {
				t.Errorf("%s: %s", line, out)
			}
			switch {
			case strings.Contains(line, "rekey get"):
				p.wrote(t, "password", "example-of-a-password")
			case strings.Contains(line, "rekey inject"):
				p.wrote(t, "app.conf", "url = postgres://app:example-of-a-password@db/app\ntoken = \"100%of-the-token\\nits-second-line\"\n")
			case strings.Contains(line, "release.sh"):
				p.wrote(t, "release.read", "app 100%of-the-token\nits-second-line")
			case strings.Contains(line, "migrate.sh"):
				p.wrote(t, "migrate.read", "example-of-a-password")
			}
		}
	}
	if ran < 6 {
		t.Errorf("%d commands of docs/pipelines.md were run", ran)
	}
}

// commandsOf are the parts of a pipeline that call rekey, in their order. Each call is one that
// the command line understands, also where its program is not run here.
func commandsOf(t *testing.T, file string) (commands []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../examples/pipelines", file))
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := yaml.UnmarshalWithOptions(text, &document, yaml.UseOrderedMap()); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, part := range textsOf(document) {
		if understood(t, file, part) > 0 {
			commands = append(commands, part)
		}
	}
	if len(commands) == 0 {
		t.Fatalf("%s calls rekey nowhere", file)
	}
	return commands
}

// understood has each call of rekey in a text read by the command line, and counts them.
func understood(t *testing.T, file, text string) int {
	t.Helper()
	calls := rekeyCall.FindAllStringSubmatch(text, -1)
	for _, call := range calls {
		parser := commandLine(io.Discard, io.Discard, func(int) {})
		if _, err := parser.Parse(strings.Fields(strings.ReplaceAll(call[2], "'", ""))); err != nil {
			t.Errorf("%s: rekey %s: %v", file, call[2], err)
		}
	}
	return len(calls)
}

// textsOf are all texts of a YAML document, in their order.
func textsOf(node any) (texts []string) {
	switch node := node.(type) {
	case string:
		return []string{node}
	case []any:
		for _, item := range node {
			texts = append(texts, textsOf(item)...)
		}
	case yaml.MapSlice:
		for _, item := range node {
			texts = append(texts, textsOf(item.Value)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			texts = append(texts, textsOf(node[key])...)
		}
	case nil, bool, uint64, int64, float64:
	default:
		panic(fmt.Sprintf("a YAML value of type %T", node))
	}
	return texts
}
