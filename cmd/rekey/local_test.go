package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// entry is a line of rekey local --json.
type entry struct {
	Type, Operation, Event, Secret, Caller, Version, Step, Error string
	Endpoint, Region, Database                                   string
	DeadLetters                                                  string `json:"dead_letters"`
	Functions                                                    []string
	Status                                                       int
	MS                                                           *float64
	Time                                                         time.Time
}

// local is rekey local as a process, in its JSON form.
type local struct {
	cmd       *exec.Cmd
	ready     entry
	complaint bytes.Buffer
	done      chan struct{} // closed when its output has ended

	mu    sync.Mutex
	text  strings.Builder
	lines []entry
}

// startLocal starts the command on any free port, and ends it with the test.
func startLocal(t *testing.T, args ...string) *local {
	t.Helper()
	l := &local{cmd: rekey(t, append([]string{"local", "--json", "--port", "0", "--function", "rotate-rds=" + rotateRDS}, args...)...), done: make(chan struct{})}
	l.cmd.Stderr = &l.complaint
	output, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.cmd.Process.Kill(); <-l.done; _ = l.cmd.Wait() })
	ready := make(chan entry, 1)
	go l.read(output, ready)
	select {
	case l.ready = <-ready:
	case <-l.done:
		t.Fatalf("it ended before it was ready: %s", l.complaint.String())
	case <-time.After(time.Minute):
		t.Fatal("it is not ready after a minute")
	}
	return l
}

func (l *local) read(output io.Reader, ready chan<- entry) {
	defer close(l.done)
	for scanner := bufio.NewScanner(output); scanner.Scan(); {
		var e entry
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			e = entry{Type: "no JSON", Error: scanner.Text()}
		}
		l.mu.Lock()
		l.text.WriteString(scanner.Text() + "\n")
		l.lines = append(l.lines, e)
		l.mu.Unlock()
		if e.Type == "ready" {
			ready <- e
		}
	}
}

func (l *local) all() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// await waits for a turn of a rotation.
func (l *local) await(t *testing.T, event, secret string, times int) entry {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		n := times
		for _, e := range l.all() {
			if e.Type == "rotation" && e.Event == event && e.Secret == secret {
				if n--; n == 0 {
					return e
				}
			}
		}
	}
	t.Fatalf("no %s of %s in:\n%s", event, secret, l.text.String())
	return entry{}
}

// stop ends it as Ctrl-C does.
func (l *local) stop(t *testing.T) {
	t.Helper()
	interrupt(t, l.cmd)
	l.ended(t)
}

// ended waits for the end after one Ctrl-C: a second would not wait for anything.
func (l *local) ended(t *testing.T) {
	t.Helper()
	<-l.done
	if err := l.cmd.Wait(); err != nil || l.complaint.Len() > 0 {
		t.Errorf("after Ctrl-C: %v, stderr %q", err, l.complaint.String())
	}
	nothingLeft(t, l.cmd)
}

// awsProgram is the AWS CLI: the first in PATH that works, or the system's.
var awsProgram = sync.OnceValue(func() string {
	candidates := []string{"/usr/bin/aws"}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		candidates = append(candidates, filepath.Join(dir, "aws"))
	}
	for _, program := range candidates {
		if exec.Command(program, "--version").Run() == nil {
			return program
		}
	}
	return ""
})

// client is the AWS CLI for one endpoint.
type client struct {
	endpoint string
	home     string
}

func newClient(t *testing.T, endpoint string) client {
	t.Helper()
	if awsProgram() == "" {
		t.Fatal("the AWS CLI is missing: run scripts/install-test-servers as root (Debian), or install it and put it into PATH")
	}
	return client{endpoint, t.TempDir()}
}

// run is the CLI's own result.
func (c client) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), awsProgram(), append([]string{"secretsmanager", "--endpoint-url", c.endpoint}, args...)...)
	cmd.Env = []string{
		"HOME=" + c.home, "PATH=" + os.Getenv("PATH"), "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=tester", "AWS_SECRET_ACCESS_KEY=none", "AWS_DEFAULT_REGION=us-east-1",
	}
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	return out.String() + complaint.String(), err
}

// must runs an operation, and reads its answer into the fields it is asked for.
func (c client) must(t *testing.T, into any, args ...string) {
	t.Helper()
	out, err := c.run(t, args...)
	if err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// refused runs an operation that the service must refuse with a code.
func (c client) refused(t *testing.T, code string, args ...string) {
	t.Helper()
	if out, err := c.run(t, args...); err == nil || !strings.Contains(out, code) {
		t.Errorf("aws %s: %v, want %s in:\n%s", strings.Join(args, " "), err, code, out)
	}
}

// secretValue is what get-secret-value gives of a version.
type secretValue struct {
	VersionID, SecretString string
	VersionStages           []string
}

func (c client) value(t *testing.T, id, stage string) secretValue {
	t.Helper()
	var v secretValue
	c.must(t, &v, "get-secret-value", "--secret-id", id, "--version-stage", stage)
	return v
}

func (v secretValue) password(t *testing.T) string {
	t.Helper()
	var document struct{ Password string }
	if err := json.Unmarshal([]byte(v.SecretString), &document); err != nil || document.Password == "" {
		t.Fatalf("the value has no password (%v)", err)
	}
	return document.Password
}

func needsEverything(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a database server and the AWS CLI")
	}
}

// A port that is taken is told before anything is built or started.
func TestPortTaken(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	stdout, stderr, code := result(t, rekey(t, "local", "--port", port))
	if code != exitFailed || stdout != "" || strings.Count(stderr, "\n") != 1 ||
		!strings.Contains(stderr, "127.0.0.1:"+port) || !strings.Contains(stderr, "--port") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// Whatever is refused at the start is one line, and leaves nothing running.
func TestLocalRefuses(t *testing.T) {
	state := t.TempDir()
	if err := os.WriteFile(filepath.Join(state, "secrets.db"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"reserved variable": {[]string{"--function", "rotate-rds=" + rotateRDS, "--env", "AWS_REGION=x"}, "AWS_REGION"},
		"no program":        {[]string{"--function", "rotate-rds=/nowhere"}, "/nowhere"},
		"no such function":  {[]string{"--function", "rotate-nothing"}, "rotate-nothing"},
		"twice":             {[]string{"--function", "a=" + rotateRDS, "--function", "a=" + rotateRDS}, "there is one already"},
		"state without key": {[]string{"--function", "a=" + rotateRDS, "--state", state}, "key file"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := rekey(t, append([]string{"local", "--port", "0"}, test.args...)...)
			stdout, stderr, code := result(t, cmd)
			if code != exitFailed || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.says) {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
			}
			nothingLeft(t, cmd)
		})
	}
}

// The text that a person reads.
func TestLocalText(t *testing.T) {
	cmd := rekey(t, "local", "--port", "0", "--function", "rotate-rds="+rotateRDS)
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text := readUntil(t, output, "AWSPREVIOUS\n")
	for _, want := range []string{
		"rekey local: Secrets Manager on http://127.0.0.1:", "arn:aws:lambda:us-east-1:123456789012:function:rotate-rds",
		"in memory", "--endpoint-url http://127.0.0.1:", "create-secret", "rotate-secret", "describe-secret",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	interrupt(t, cmd)
	rest, _ := io.ReadAll(output)
	if err := cmd.Wait(); err != nil || complaint.Len() > 0 || !strings.HasSuffix(string(rest), "stopped\n") {
		t.Errorf("%v, stderr %q, the end of stdout %q", err, complaint.String(), rest)
	}
	nothingLeft(t, cmd)
}

// The commands that are printed work as they stand.
func TestPrintedCommands(t *testing.T) {
	needsEverything(t)
	awsFirst := t.TempDir()
	if newClient(t, ""); os.Symlink(awsProgram(), filepath.Join(awsFirst, "aws")) != nil {
		t.Fatal("cannot put the AWS CLI first into PATH")
	}
	cmd := rekey(t, "local", "--port", "0", "--function", "rotate-rds="+rotateRDS, "--database", "auto")
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		interrupt(t, cmd)
		rest, _ := io.ReadAll(output)
		if err := cmd.Wait(); err != nil {
			t.Errorf("after Ctrl-C: %v", err)
		}
		for _, want := range []string{"RotateSecret", "begins, version", "createSecret", "finishSecret", "succeeded"} {
			if !strings.Contains(string(rest), want) {
				t.Errorf("no %q in:\n%s", want, rest)
			}
		}
		nothingLeft(t, cmd)
	}()
	_, commands, _ := strings.Cut(readUntil(t, output, "AWSPREVIOUS\n"), "In another shell\n")
	// A person types slower than a rotation takes.
	script := strings.ReplaceAll(commands, "  sm describe-secret", "  sleep 3; sm describe-secret")
	shell := exec.CommandContext(t.Context(), "bash", "-euc", script)
	shell.Env = []string{"PATH=" + awsFirst + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_PAGER="}
	out, err := shell.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"AWSPREVIOUS"`) || !strings.Contains(string(out), "LastRotatedDate") {
		t.Errorf("%v\n%s\n%s", err, script, out)
	}
}

func kill(t *testing.T, l *local) {
	t.Helper()
	if err := l.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-l.done
	_ = l.cmd.Wait()
}
