// Package docs_test holds the documentation to what it says: links lead
// somewhere, commands and statements run, example secrets are ones.
package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/mysql"
	"github.com/rekey-aws/rekey/shared/postgres"
	"github.com/rekey-aws/rekey/shared/redshift"
	"github.com/rekey-aws/rekey/shared/rotation"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

// pages are all documents, by their path from the project's root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"../*.md", "*.md", "*/*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			found[filepath.ToSlash(filepath.Join("docs", path))] = string(text)
		}
	}
	if len(found) < 10 {
		t.Fatalf("%d pages found: the patterns are wrong", len(found))
	}
	return found
}

var (
	fence   = regexp.MustCompile("(?ms)^(?:<!-- not run by tests: ([^\n]+) -->\n)?```([a-z]*)\n(.*?)^```$")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	omitted = regexp.MustCompile("[^a-z0-9 _-]")
)

// block is a fenced block of a page.
type block struct{ page, language, text string }

// blocks are those of one language that are not marked as not run.
func blocks(t *testing.T, language string) []block {
	t.Helper()
	var found []block
	for page, text := range pages(t) {
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			if m[1] == "" && m[2] == language {
				found = append(found, block{page, language, m[3]})
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("no page has a block of %s", language)
	}
	return found
}

// anchors are the fragments that a page's headings have on GitHub.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		all[strings.ReplaceAll(omitted.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return all
}

func TestLinksResolve(t *testing.T) {
	all := pages(t)
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, fragment, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(page), path))
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, m[1])
			} else if fragment != "" && !anchors(all[target])[fragment] {
				t.Errorf("%s: %s has no heading for #%s", page, target, fragment)
			}
		}
	}
}

func TestCommandsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles and runs the demonstration")
	}
	if runtime.GOOS == "windows" {
		t.Skip("the commands are for a POSIX shell")
	}
	for _, b := range blocks(t, "sh") {
		for command := range strings.Lines(b.text) {
			if serves(command) {
				continue // see TestServersStart
			}
			t.Run(strings.TrimSpace(command), func(t *testing.T) {
				sh := exec.CommandContext(t.Context(), "sh", "-ec", command)
				sh.Dir = ".."
				if out, err := sh.CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", b.page, err, out)
				}
			})
		}
	}
}

// The secrets that pages show are ones that the function takes.
func TestSecretsAreAccepted(t *testing.T) {
	policy, err := dbuser.PolicyFrom(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	engine := &dbuser.Engine{Policy: policy, Drivers: map[string]dbuser.Driver{
		"postgres": postgres.Driver{}, "mysql": mysql.Driver{}, "redshift": redshift.Driver{},
	}}
	seen := 0
	for _, b := range blocks(t, "json") {
		if !strings.Contains(b.text, `"engine"`) || !strings.HasPrefix(b.page, "docs/engines/") {
			continue
		}
		seen++
		r := rotation.NewRequest(rotation.Rotation{}, rotation.TextValue(strings.TrimSpace(b.text)), rotation.Value{}, nil)
		if _, err := engine.Create(t.Context(), r); err != nil {
			t.Errorf("%s: %v", b.page, err)
		}
	}
	if seen < 2 {
		t.Errorf("%d secrets, want one for each engine's page", seen)
	}
}

func TestStatementsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("needs database servers")
	}
	servers := map[string][]database.Engine{
		"docs/engines/postgres.md": {database.Postgres},
		"docs/engines/mysql.md":    {database.MySQL, database.MariaDB},
	}
	for _, b := range blocks(t, "sql") {
		engines := servers[b.page]
		if len(engines) == 0 {
			t.Errorf("%s: SQL for which server?", b.page)
		}
		for _, engine := range engines {
			t.Run(fmt.Sprintf("%s on %s", b.page, engine), func(t *testing.T) {
				server := databasetest.Shared(t, engine, "")
				for statement := range strings.SplitSeq(strings.TrimSpace(b.text), ";\n") {
					if err := server.Exec(t.Context(), strings.TrimSuffix(statement, ";")); err != nil {
						t.Errorf("%s: %v", statement, err)
					}
				}
			})
		}
	}
}
