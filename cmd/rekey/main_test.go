package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/lambda"
)

// asCommand makes the test program the command itself.
const asCommand = "REKEY_TEST_AS_COMMAND"

// rotateRDS is the compiled function.
var rotateRDS string

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	testscript.Main(tests{m}, map[string]func(){"rekey": main})
}

// tests are all, with what they share.
type tests struct{ m *testing.M }

// Run runs them.
func (t tests) Run() int {
	// Under nohup SIGHUP is ignored, and behind a script's & SIGINT, by programs that are started
	// too, and exec respects that: but the scripts are about what it does otherwise.
	for _, s := range []os.Signal{syscall.SIGHUP, os.Interrupt} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	dir, err := os.MkdirTemp("", "rekey-cmd-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	rotateRDS, err = lambda.Build(context.Background(), lambda.BuildOptions{
		Package: "./functions/rotate-rds", Out: dir + string(os.PathSeparator),
	})
	if err != nil {
		panic(err)
	}
	code := t.m.Run()
	if err := databasetest.StopShared(); err != nil {
		panic(err)
	}
	return code
}

// rekey is the command as a process of its own, with a folder of its own for temporary files.
func rekey(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "TMPDIR="+temporary(t), "AWS_REGION=", "AWS_DEFAULT_REGION=")
	return cmd
}

// temporary is a folder that any user may pass through: as root, servers run as another.
func temporary(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rekey-test-") //nolint:usetesting // whose folder is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// result runs the command to its end.
func result(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
}

func TestUsage(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"no such command":     {[]string{"turn"}, "turn"},
		"no such flag":        {[]string{"demo", "--fast"}, "--fast"},
		"no such engine":      {[]string{"demo", "--engine", "oracle"}, "--engine"},
		"argument":            {[]string{"local", "secret"}, "an argument too many: see rekey local --help"},
		"port no number":      {[]string{"local", "--port", "x"}, "--port"},
		"port out of range":   {[]string{"local", "--port", "70000"}, "0 to 65535"},
		"region":              {[]string{"local", "--region", "Mars"}, "us-east-1"},
		"env without value":   {[]string{"local", "--env", "KEY"}, "KEY=VALUE"},
		"env without name":    {[]string{"local", "--env", "=x"}, "KEY=VALUE"},
		"env names no file":   {[]string{"local", "--env", "SSL_CERT_FILE=/nowhere"}, "SSL_CERT_FILE"},
		"env of no function":  {[]string{"local", "--port", "0", "--function", "rotate-rds=" + rotateRDS, "--env", "other:KEY=secret"}, `"other"`},
		"env and database":    {[]string{"local", "--database", "auto", "--env", "SSL_CERT_FILE=" + rotateRDS}, "--database"},
		"function's name":     {[]string{"local", "--function", "a/b"}, "a/b"},
		"no such detection":   {[]string{"audit", "replay", "--detection", "x", "-"}, "--detection"},
		"no such database":    {[]string{"local", "--database", "oracle"}, "--database"},
		"empty field":         {[]string{"get", "app", ""}, "FIELD is given, and empty"},
		"empty label":         {[]string{"get", "app", "--stage="}, "--stage is given, and empty"},
		"empty profile":       {[]string{"rotate", "app", "--profile", ""}, "--profile is given, and empty"},
		"empty folder":        {[]string{"exec", "-s", "app", "--files", "", "--", "true"}, "--files is given, and empty"},
		"one of several":      {[]string{"rotate", "app", ""}, "SECRET is given, and empty"},
		"empty function file": {[]string{"local", "--function", "=x"}, "--function"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := result(t, rekey(t, test.args...))
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "rekey: ") {
				t.Errorf("stdout %q, stderr %q: want one line on stderr", stdout, stderr)
			}
			if !strings.Contains(stderr, test.says) || strings.Contains(stderr, "secret") {
				t.Errorf("stderr %q, want %q in it and no value", stderr, test.says)
			}
		})
	}
}

// What a server said shall not move the terminal, in an error either.
func TestComplaintIsTame(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if complain(&out, "doctor: \x1b[2Jsaid\r\u009b\nand more\n"); out.String() != "rekey: doctor:  [2Jsaid  \n  and more\n" {
		t.Errorf("%q", out.String())
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	lines := [][]string{nil, {"--help"}, {"--version"}}
	for _, n := range commandLine(io.Discard, io.Discard, nil).Model.Leaves(true) {
		lines = append(lines, append(strings.Fields(n.Path()), "--help"))
		if parent := n.Parent; parent.Type == kong.CommandNode {
			lines = append(lines, append(strings.Fields(parent.Path()), "--help"))
		}
	}
	for _, args := range lines {
		var out, complaint bytes.Buffer
		code := run(t.Context(), args, &out, &complaint)
		stdout := out.String()
		if code != exitDone || complaint.Len() > 0 || !strings.Contains(stdout, "rekey") {
			t.Errorf("%v: exit code %d, stderr %q, stdout %q", args, code, complaint.String(), stdout)
		}
		for line := range strings.Lines(stdout) {
			if len([]rune(line)) > 81 {
				t.Errorf("%v: a line of %d columns: %s", args, len([]rune(line))-1, line)
			}
		}
	}
}

// Outside the checkout, and without go: the cause and the remedy, in one line.
func TestNoSource(t *testing.T) {
	for _, command := range []string{"demo", "local"} {
		elsewhere := rekey(t, command)
		elsewhere.Dir = t.TempDir()
		withoutGo := rekey(t, command)
		withoutGo.Env = append(withoutGo.Env, "PATH="+t.TempDir())
		for cmd, says := range map[*exec.Cmd]string{elsewhere: "change to a clone of rekey", withoutGo: "https://go.dev/dl"} {
			if command == "local" {
				cmd.Args = append(cmd.Args, "--port", "0")
			}
			_, stderr, code := result(t, cmd)
			if code != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, says) || !strings.Contains(stderr, "--function") {
				t.Errorf("%s: exit code %d, stderr %q, want %q", command, code, stderr, says)
			}
		}
	}
}

// The whole command line, from the source: what the README tells a newcomer to do.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database server")
	}
	cmd := rekey(t, "demo")
	stdout, stderr, code := result(t, cmd)
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "built rotate-rds") || !strings.Contains(stdout, "Rotated in") {
		t.Errorf("exit code %d, stderr %q, stdout:\n%s", code, stderr, stdout)
	}
	nothingLeft(t, cmd)
}

// Ctrl-C leaves nothing behind, however far the demonstration was.
func TestDemoInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database server")
	}
	for _, after := range []string{"rekey demo", "took rotate-rds", "started ", "RotateSecret", "setSecret"} {
		t.Run(after, func(t *testing.T) {
			cmd := rekey(t, "demo", "--function", rotateRDS)
			var complaint bytes.Buffer
			cmd.Stderr = &complaint
			output, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			readUntil(t, output, after)
			interrupt(t, cmd)
			_, _ = io.Copy(io.Discard, output)
			// The last step may end before the signal arrives: then it is done.
			err = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != exitDone && (code != exitFailed || !strings.HasPrefix(complaint.String(), "rekey: interrupted: ")) {
				t.Errorf("%v, stderr %q", err, complaint.String())
			}
			nothingLeft(t, cmd)
		})
	}
}

// A reader that goes away is an error, after which everything is cleaned up too.
func TestDemoIntoClosedPipe(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database server")
	}
	cmd := rekey(t, "demo", "--function", rotateRDS)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	output.Close()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(complaint.String(), "writing the output") {
		t.Errorf("exit code %d, stderr %q", code, complaint.String())
	}
	nothingLeft(t, cmd)
}

func interrupt(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// readUntil reads output until it has a text.
func readUntil(t *testing.T, output io.Reader, text string) string {
	t.Helper()
	var seen strings.Builder
	buffer := make([]byte, 1)
	deadline := time.Now().Add(2 * time.Minute)
	for !strings.Contains(seen.String(), text) {
		n, err := output.Read(buffer)
		seen.Write(buffer[:n])
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("no %q in the output (%v):\n%s", text, err, seen.String())
		}
	}
	return seen.String()
}

// nothingLeft looks for temporary files of the command.
func nothingLeft(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	for _, variable := range cmd.Env {
		if dir, ok := strings.CutPrefix(variable, "TMPDIR="); ok && strings.HasPrefix(dir, os.TempDir()) {
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		}
	}
}
