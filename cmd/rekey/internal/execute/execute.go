// Package execute is the command rekey exec: it starts a program with secrets in its
// environment, or in files in memory.
package execute

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/rekey-aws/rekey/client"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/mask"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

// Command is the command line of rekey exec.
type Command struct {
	Secret   []string `help:"A secret: its name or ARN, one KEY of it only, and what its variables' names begin with. Repeatable." short:"s" required:"" sep:"none" placeholder:"NAME[#KEY][=PREFIX]"`
	Override bool     `help:"Replace variables that the environment has already."`

	Files     string `help:"Give the values in files of this folder, which must be in memory; auto: in one of its own. PREFIX_KEY_FILE has the path." placeholder:"DIR"`
	AllowDisk bool   `help:"Let --files be on a disk."`

	Mask bool `help:"Replace the values by *** in what the command writes."`

	Refresh time.Duration `help:"Look for rotated secrets so often. Then write the --files anew and send --signal, or --restart." placeholder:"D"`
	Signal  string        `help:"What tells the command of a rotation; HUP if not given, with --files." placeholder:"NAME"`
	Restart bool          `help:"End the command after a rotation, and start it with the new values."`
	Grace   time.Duration `help:"How long --restart lets it end by itself; ${default} if not given." default:"10s" placeholder:"D"`

	Command []string `arg:"" help:"The command, and its arguments." passthrough:"partial" placeholder:"COMMAND"`

	account.Flags `embed:""`

	secrets []wanted
	signal  os.Signal
}

// Help is the text below the usage of rekey exec --help.
func (Command) Help() string {
	return `A secret that is a JSON object becomes one variable for each key, PREFIX_KEY in capitals; any other becomes PREFIX. Without =PREFIX it is the last part of the secret's name: prod/app gives APP_PASSWORD. With an empty one (prod/app=) keys stand alone. With #KEY the variable is called PREFIX: prod/app#password=PGPASSWORD.

With --files, PREFIX_KEY_FILE names a file of mode 0600, and PREFIX_FILE one with the whole value. They are removed at the end.

The exit code is the command's; 128 and the signal's number if a signal ended it; 127 if there is no such command, 126 if it cannot be started. Before it is started, 1 and 2 are as for other commands.

It needs secretsmanager:GetSecretValue on the secrets, and kms:Decrypt on a key of your own.`
}

// ended is the end of the command, which has said itself what there was to say.
type ended int

func (e ended) Error() string { return "" }

// ExitCode is what rekey exits with.
func (e ended) ExitCode() int { return int(e) }

// startError is a command that cannot be.
type startError struct {
	error
	code int
}

func (e startError) ExitCode() int { return e.code }

// The exit codes of programs that start others:
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/env.html
const (
	cannotStart = 126
	notFound    = 127
)

// soonest is how often may be looked for rotated secrets: each time is a call that costs.
const soonest = time.Second

// Validate checks what can be checked before anything is asked for.
func (c *Command) Validate() error {
	if len(c.Command) > 0 && c.Command[0] == "--" {
		c.Command = c.Command[1:]
	}
	if len(c.Command) == 0 {
		return usage.Errorf("there is no command: give it after --, such as rekey exec --secret prod/app -- make deploy")
	}
	c.secrets = nil
	for _, given := range c.Secret {
		w, err := parse(given)
		if err != nil {
			return err
		}
		c.secrets = append(c.secrets, w)
	}
	if c.AllowDisk && c.Files == "" {
		return usage.Errorf("--allow-disk is about --files: give that too, or leave it out")
	}
	return c.validateRefresh()
}

func (c *Command) validateRefresh() (err error) {
	switch {
	case c.Refresh == 0 && (c.Restart || c.Signal != ""):
		return usage.Errorf("--restart and --signal are for rotations: say with --refresh how often to look for them, such as --refresh 1m")
	case c.Refresh == 0:
		return nil
	case c.Refresh < soonest:
		return usage.Errorf("--refresh %v is too often: give %v or more", c.Refresh, soonest)
	case c.Restart && c.Signal != "":
		return usage.Errorf("--restart and --signal exclude each other: a command that is restarted needs no signal")
	case c.Restart:
		return nil
	case c.Signal == "" && c.Files == "":
		return usage.Errorf("--refresh cannot change the environment of a command that runs: give --restart, or --files, or a --signal on which it ends or fetches its secrets itself")
	case c.Signal == "":
		c.Signal = "HUP"
	}
	c.signal, err = signalNamed(c.Signal)
	return err
}

// patience is how long one secret may take: as many attempts as are made where calls are throttled.
const patience = 30 * time.Second

var errInterrupted = errors.New("interrupted before the command was started")

// Run starts the command, and returns at its end; or becomes it, where nothing is left to do.
func (c *Command) Run(ctx context.Context) error {
	program, err := find(c.Command[0])
	if err != nil {
		return err
	}
	cfg, err := c.Config(ctx)
	if err != nil {
		return err
	}
	cache := client.New(source{account.SecretsManager(cfg)}, client.Options{TTL: max(c.Refresh, time.Minute), Timeout: patience})
	defer cache.Close()
	j := &job{command: c, program: program, environ: os.Environ(), secrets: reader{cache: cache, wanted: c.secrets}, complain: toStderr}
	if err := j.secrets.first(ctx); ctx.Err() != nil {
		return errInterrupted
	} else if err != nil {
		return err
	}
	if alone := !c.Mask && c.Files == "" && c.Refresh == 0; alone && canBecome {
		environ, err := j.environment()
		if err != nil {
			return err
		}
		return startFailed(program, become(program, c.Command, environ))
	}
	return j.run(ctx)
}

// find looks the program up, before any secret is read for it.
func find(name string) (string, error) {
	program, err := exec.LookPath(name)
	switch {
	case err == nil:
		return program, nil
	case errors.Is(err, exec.ErrDot):
		return "", startError{fmt.Errorf("the command %s is in this folder only: say ./%s if you mean it", name, name), cannotStart}
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EISDIR):
		return "", startError{fmt.Errorf("the command %s is no program that may be started: check its name and its mode", name), cannotStart}
	}
	return "", startError{fmt.Errorf("the command %s was not found: check its name and PATH", name), notFound}
}

// startFailed is why a program that was found did not start.
func startFailed(program string, err error) error {
	return startError{fmt.Errorf("starting %s: %w: check that it is a program for this system, and that its interpreter is there", program, err), cannotStart}
}

func toStderr(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stderr, "rekey: "+format+"\n", args...)
}

// job is one command with its secrets.
type job struct {
	command  *Command
	program  string
	environ  []string // of rekey
	secrets  reader
	complain func(format string, args ...any) // to a person, a line

	folder *folder // of --files
	masked mask.Set
	bare   []string // variables that are not masked
}

// environment is that of the command, with what is known of the secrets. It has been checked.
// With --files it names them; they are not written yet.
func (j *job) environment() ([]string, error) {
	variables, err := j.variables()
	if err != nil {
		return nil, err
	}
	if j.folder != nil {
		for i, v := range variables {
			variables[i] = j.folder.variable(v)
		}
	}
	d := door{command: j.command.Command, environ: j.environ, override: j.command.Override}
	return d.admit(variables)
}

func (j *job) variables() ([]variable, error) {
	var all []variable
	for _, s := range j.secrets.current {
		some, err := variablesOf(s.wanted, s.secret, j.command.Files != "")
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, clash(all)
}

// hide has the values masked, and says once of which nothing is.
func (j *job) hide() error {
	variables, err := j.variables()
	if err != nil {
		return err
	}
	var short []string
	for _, v := range variables {
		if len(j.masked.Add(v.value.Reveal())) > 0 && !slices.Contains(j.bare, v.name) {
			short = append(short, v.name)
		}
	}
	j.bare = append(j.bare, short...)
	if len(short) > 0 {
		j.complain("not masked, because shorter than %d characters: %s", mask.Least, terminal.List(short))
	}
	return nil
}
