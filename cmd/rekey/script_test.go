package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/lambda"
)

// Scripts in testdata/script try the commands out as a person types them, each file a test
// of its own; all run at once. Their language is that of
// https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript. A command's scripts are
// called after it: status.txtar, status_watch.txtar.
//
//	go test ./cmd/rekey -run 'TestScripts/^status'
//
// The scripts share one rekey local with the functions rotate-rds and rotate-apikey, and one
// PostgreSQL server. A script has in its environment what the AWS CLI and the SDKs need for
// that, an empty HOME, and $S, a prefix for the names of secrets that no other script has.
//
//	rekey ARG…              the command, as a process of its own; ! rekey ARG… must fail
//	exits CODE PROGRAM ARG… it must exit with that code
//	typed TEXT PROGRAM ARG… on a terminal, where TEXT is typed (\n: Enter); stdout has what
//	                        the terminal showed (Linux only: [!linux] skip)
//	dbsecret NAME           a user of PostgreSQL, and its secret, whose rotation is turned on:
//	                        it was tried (a first RotationSucceeded), and has not taken
//	                        place; skips the script with -short
//	dbsecret -off NAME      the same without rotation
//	[!] dblogin NAME STAGE  the secret's version with the label STAGE logs in (must be refused)
//	sm create NAME VALUE    a secret; VALUE may be @FILE, and is binary after -binary
//	sm put NAME VALUE       a version more, which becomes AWSCURRENT; with -stage STAGE it has
//	                        that label only
//	sm get NAME STAGE       to stdout, as it is
//	sm label NAME STAGE FROM [TO]  move a label from one version to another: FROM and TO are
//	                        labels of theirs or ids, - is none
//	sm describe NAME        to stdout, as JSON
//	sm rotate NAME [ARG…]   start a rotation, await its end; must succeed, or fail after !
//	sm delete NAME          with a recovery window
//	sm tag NAME KEY=VALUE…
//	await EVENT NAME [N]    for the Nth such event of a rotation: RotationSucceeded, …
//	local ARG…              a rekey local of the script's own, which its further commands reach
//	secretless FILE…        none of stdout, stderr, files and folders has a value that the
//	                        script's commands above stored
//
// Further commands: scriptCommands.
func TestScripts(t *testing.T) {
	shared := &stage{t: t}
	testscript.RunT(scriptT{t}, testscript.Params{
		Dir: filepath.Join("testdata", "script"), Deadline: deadline(t),
		RequireUniqueNames: true,
		Setup:              func(env *testscript.Env) error { return setUp(env, shared) },
		Cmds:               scriptCommands(),
	})
}

// scriptCommand is a command of the scripts' language; not: a ! stands before it.
type scriptCommand = func(ts *testscript.TestScript, not bool, args []string)

// scriptCommands are all that are added to the language. Each subject has a map in its file.
func scriptCommands() map[string]scriptCommand {
	all := map[string]scriptCommand{}
	for _, some := range []map[string]scriptCommand{
		programCommands,
		terminalCommands,
		secretCommands,
		doctorCommands,
		fleetCommands,
		operatorCommands,
		execCommands,
	} {
		maps.Copy(all, some)
	}
	return all
}

// scriptT lets a script's commands reach the *testing.T of its test.
type scriptT struct{ *testing.T }

func (t scriptT) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(scriptT{t}) })
}

func (scriptT) Verbose() bool { return testing.Verbose() }

// script is what is known of a script that runs: scriptOf(ts).
type script struct {
	t      *testing.T
	shared *stage
	local  *local // the one that its commands reach
	aws    *secretsmanager.Client

	mu     sync.Mutex
	values []string // that were stored, for secretless
}

type scriptKey struct{}

func scriptOf(ts *testscript.TestScript) *script { return ts.Value(scriptKey{}).(*script) }

// stage is what scripts share, begun by the one that needs it first.
type stage struct {
	t    *testing.T // of all scripts: what is begun ends with it
	once sync.Once
	main *local
	keys string // the function rotate-apikey, built
}

// local is the shared rekey local.
func (s *stage) local() *local {
	s.once.Do(func() {
		dir := s.t.TempDir()
		keys, err := lambda.Build(s.t.Context(), lambda.BuildOptions{Package: "./functions/rotate-apikey", Out: dir + string(os.PathSeparator)})
		if err != nil {
			s.t.Error(err)
			return
		}
		s.keys = keys
		args := []string{"--function", "rotate-apikey=" + keys}
		if !testing.Short() {
			args = append(args, "--env", "rotate-rds:SSL_CERT_FILE="+databasetest.Shared(s.t, database.Postgres, "").CAFile())
		}
		s.main = startLocal(s.t, args...)
	})
	return s.main
}

var scriptsBegun atomic.Int64

// setUp is done before each script.
func setUp(env *testscript.Env, shared *stage) error {
	s := &script{t: env.T().(scriptT).T, shared: shared}
	env.Values[scriptKey{}] = s
	l := shared.local()
	if l == nil {
		return errors.New("rekey local did not start")
	}
	home := filepath.Join(env.WorkDir, ".home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("USERPROFILE", home)
	// One after another: a test may run several times in a process.
	name := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(s.t.Name()[strings.LastIndex(s.t.Name(), "/")+1:], "-")
	env.Setenv("S", fmt.Sprintf("%s-%d-", name, scriptsBegun.Add(1)))
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "",
	} {
		env.Setenv(name, value)
	}
	s.reach(l, env.Setenv)
	env.Defer(s.quiet)
	return nil
}

// quiet looks for secret values in what rekey local has told, at the end of each script.
func (s *script) quiet() {
	s.local.mu.Lock()
	told := s.local.text.String()
	s.local.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, value := range s.values {
		if len(value) >= 12 && strings.Contains(told, value) { // shorter ones may be words
			s.t.Error("rekey local has told a secret value")
		}
	}
}

// reach lets the script's commands reach a rekey local.
func (s *script) reach(l *local, setenv func(key, value string)) {
	s.local = l
	s.aws = secretsmanager.New(secretsmanager.Options{
		Region: l.ready.Region, BaseEndpoint: &l.ready.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("me", "none", ""),
	})
	setenv("AWS_ENDPOINT_URL", l.ready.Endpoint)
	setenv("AWS_REGION", l.ready.Region)
}

// deadline leaves scripts the time that go test leaves all tests.
func deadline(t *testing.T) time.Time {
	at, _ := t.Deadline()
	return at
}

// stored remembers a secret value.
func (s *script) stored(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = append(s.values, value)
}

// programCommands start programs, and look at what they wrote.
var programCommands = map[string]scriptCommand{
	"exits": func(ts *testscript.TestScript, not bool, args []string) {
		if not || len(args) < 2 {
			ts.Fatalf("usage: exits CODE PROGRAM ARG…")
		}
		want, err := strconv.Atoi(args[0])
		ts.Check(err)
		err = ts.Exec(args[1], args[2:]...)
		got := 0
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			got = exit.ExitCode()
		} else {
			ts.Check(err)
		}
		if got != want {
			ts.Fatalf("it exits with %d, want %d", got, want)
		}
	},
	"local": func(ts *testscript.TestScript, not bool, args []string) {
		s := scriptOf(ts)
		if not {
			ts.Fatalf("local cannot be negated")
		}
		s.reach(startLocal(s.t, args...), ts.Setenv)
	},
	"secretless": func(ts *testscript.TestScript, not bool, args []string) {
		s := scriptOf(ts)
		s.mu.Lock()
		values := slices.Clone(s.values)
		s.mu.Unlock()
		if not || len(args) == 0 || len(values) == 0 {
			ts.Fatalf("usage: secretless FILE…, after a value was stored")
		}
		for _, file := range args {
			s.secretless(ts, file, values)
		}
	},
}

// secretless looks for values in a file or in all files of a folder.
func (s *script) secretless(ts *testscript.TestScript, file string, values []string) {
	look := func(name string, content []byte) {
		for _, value := range values {
			if bytes.Contains(content, []byte(value)) {
				ts.Fatalf("%s has a secret value", name)
			}
		}
	}
	if file == "stdout" || file == "stderr" {
		look(file, []byte(ts.ReadFile(file)))
		return
	}
	ts.Check(filepath.WalkDir(ts.MkAbs(file), func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		look(path, content)
		return err
	}))
}
