package docs_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
)

// serves tells the commands that run until they are stopped.
func serves(command string) bool { return strings.HasPrefix(command, serving) }

const serving = "go run ./cmd/rekey local"

// Every command that serves starts, with the files that its page shows, and ends with Ctrl-C.
func TestServersStart(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("compiles the command; the commands are for a POSIX shell")
	}
	dir := t.TempDir()
	rekey := filepath.Join(dir, "rekey")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", rekey, "../cmd/rekey").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	audit, err := lambda.Build(t.Context(), lambda.BuildOptions{Package: "./cmd/rekey/testdata/keeper", Out: filepath.Join(dir, "audit")})
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.NewReplacer(
		"go run ./cmd/rekey local", "exec "+rekey+" local --port 0", "./audit", audit,
		"rotation-failed.json", fileOf(t, "json", `"EventPattern"`), "credentials credentials", "credentials "+fileOf(t, "ini", "aws_access_key_id"),
	)
	for _, b := range blocks(t, "sh") {
		for command := range strings.Lines(b.text) {
			if serves(command) {
				t.Run(strings.TrimSpace(command), func(t *testing.T) { startAndStop(t, shown.Replace(command)) })
			}
		}
	}
}

// fileOf is a file with the block of docs/local.md that has a text in it.
func fileOf(t *testing.T, language, text string) string {
	t.Helper()
	for _, b := range blocks(t, language) {
		if b.page == "docs/local.md" && strings.Contains(b.text, text) {
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			return file
		}
	}
	t.Fatalf("docs/local.md has no %s with %s", language, text)
	return ""
}

func startAndStop(t *testing.T, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	sh := exec.CommandContext(ctx, "sh", "-ec", command)
	sh.Dir = ".."
	var complaint strings.Builder
	sh.Stderr = &complaint
	output, err := sh.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sh.Start(); err != nil {
		t.Fatal(err)
	}
	ready := false
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if strings.Contains(lines.Text(), "until Ctrl-C") {
			ready = true
			if err := sh.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		}
	}
	if err := sh.Wait(); err != nil || !ready {
		t.Errorf("%v, ready: %t\n%s", err, ready, complaint.String())
	}
}
