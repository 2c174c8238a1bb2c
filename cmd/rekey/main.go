// Command rekey is the command line of rekey: it demonstrates a rotation, and serves a local
// stand-in for AWS Secrets Manager whose rotations run the functions that are deployed.
//
// It exits with 0 when it is done, 1 when it failed, 2 when it was called wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/completion"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/demo"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/detect"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/doctor"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/execute"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/fetch"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/inject"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/plan"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/provider"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/reference"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/rotating"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/serve"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/status"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/submit"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/unstick"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

//go:generate go run . reference ../../docs/cli.md

// commands are all, in the order of rekey --help and of docs/cli.md.
type commands struct {
	Exec   execute.Command `cmd:"" group:"Secrets in use" help:"Start a command with secrets in its environment, or in files in memory."`
	Get    fetch.Command   `cmd:"" group:"Secrets in use" help:"Write a secret, or a field of it, to a pipe or a file."`
	Inject inject.Command  `cmd:"" group:"Secrets in use" help:"Fill secrets into a template."`

	Status   status.Command           `cmd:"" group:"Operation" help:"Show the state of every secret: rotating, stuck, overdue, off."`
	Rotate   rotating.Command         `cmd:"" group:"Operation" help:"Rotate secrets now, and follow each rotation to its end."`
	Rehearse rotating.RehearseCommand `cmd:"" group:"Operation" help:"Try a rotation's test on the current value; nothing is changed."`
	Doctor   doctor.Command           `cmd:"" group:"Operation" help:"Find out what is wrong with a secret's rotation, and what mends it."`
	Unstick  unstick.Command          `cmd:"" group:"Operation" help:"Say which side holds which credential of a stuck secret, and mend it."`
	Submit   submit.Command           `cmd:"" group:"Operation" help:"Hand over the new key that a rotation waits for."`
	Audit    detect.Command           `cmd:"" group:"Operation" help:"Find in recorded CloudTrail what someone should act on."`

	Init     plan.InitCommand  `cmd:"" group:"Deployment" help:"Write an example of rekey.yaml, which says what to deploy."`
	Cost     plan.CostCommand  `cmd:"" group:"Deployment" help:"Check a rekey.yaml, and say what it costs a month."`
	Value    plan.ValueCommand `cmd:"" group:"Deployment" help:"Write the first value of a secret, as rekey.yaml describes it, to a pipe."`
	Provider provider.Command  `cmd:"" group:"Deployment" help:"List the vendors whose keys are rotated, and try out a file for another."`

	Demo       demo.Command       `cmd:"" group:"On this machine" help:"Rotate a real database password on this machine, and prove it."`
	Local      serve.Command      `cmd:"" group:"On this machine" help:"Serve Secrets Manager on this machine, for the AWS CLI and the SDKs."`
	Completion completion.Command `cmd:"" group:"On this machine" help:"Print what completes command lines in bash, zsh or fish."`

	Complete  completion.AnswerCommand `cmd:"" hidden:""`
	Reference reference.Command        `cmd:"" hidden:""`
	Version   kong.VersionFlag         `help:"Print the version."`
}

// The exit codes.
const (
	exitDone = iota
	exitFailed
	exitUsage
)

func main() {
	// A closed pipe shall be an error of writing, so that what was started is ended.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	// Kong ends the process after --help and --version: here that is a panic.
	type exit int
	defer func() {
		switch p := recover().(type) {
		case nil:
		case exit:
			code = int(p)
		default:
			panic(p)
		}
	}()
	parser := commandLine(stdout, stderr, func(code int) { panic(exit(code)) })
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err == nil {
		err = refuseEmpty(parsed.Path)
	}
	if err != nil {
		if wrong := (*usage.Error)(nil); errors.As(err, &wrong) {
			complain(stderr, wrong.Error())
		} else {
			complain(stderr, misunderstood(err))
		}
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.BindTo(stdout, (*io.Writer)(nil))
	parsed.Bind(terminal.New(stdout, os.LookupEnv), terminal.Aside{Terminal: terminal.New(stderr, os.LookupEnv)})
	if err := parsed.Run(); err != nil {
		if err.Error() != "" { // else a command that was started has said it
			complain(stderr, err.Error())
		}
		if coded := (interface {
			error
			ExitCode() int
		})(nil); errors.As(err, &coded) {
			return coded.ExitCode()
		}
		return exitFailed
	}
	return exitDone
}

// refuseEmpty refuses values that were given and are empty, as that of a shell's variable that is
// not set. Without a value a flag would mean the usual profile, or the environment instead of
// files, and rekey get without a field the whole secret.
func refuseEmpty(given []*kong.Path) error {
	for _, p := range given {
		var v *kong.Value
		name := ""
		switch {
		case p.Flag != nil:
			v, name = p.Flag.Value, "--"+p.Flag.Name
		case p.Positional != nil && p.Positional.PassthroughMode == kong.PassThroughModeNone:
			v, name = p.Positional, p.Positional.Tag.PlaceHolder
		default:
			continue
		}
		empty := v.Target.Kind() == reflect.String && v.Target.Len() == 0
		if list, ok := v.Target.Interface().([]string); ok {
			empty = slices.Contains(list, "")
		}
		if empty {
			return usage.Errorf("%s is given, and empty: give it a value, or leave it out", name)
		}
	}
	return nil
}

// misunderstood says what is wrong with a command line, and where help is. An argument too many
// is not repeated: it may be a secret that somebody hands over in the wrong place.
func misunderstood(err error) string {
	text, command := err.Error(), "rekey"
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context.Selected() != nil {
		n := wrong.Context.Selected()
		command = n.FullPath()
		if n.Leaf() && strings.HasPrefix(text, "unexpected argument") {
			text = "an argument too many"
		}
	}
	return fmt.Sprintf("%s: see %s --help", text, command)
}

// commandLine reads command lines. Kong ends the process by exit.
func commandLine(stdout, stderr io.Writer, exit func(code int)) *kong.Kong {
	parser, err := kong.New(&commands{},
		kong.Name("rekey"), kong.Description("Rotates secrets of AWS Secrets Manager."),
		kong.Writers(stdout, stderr), kong.Vars{"version": version()}, kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
	if err != nil {
		panic(err) // the commands above are malformed
	}
	return parser
}

// complain writes an error: its first line is the error, further ones are what another
// program said and are set off from it.
func complain(stderr io.Writer, text string) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = terminal.Tame(line)
	}
	_, _ = fmt.Fprintln(stderr, "rekey: "+strings.Join(lines, "\n  "))
}

func version() string {
	number := "devel"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		number = strings.Trim(info.Main.Version, "()")
	}
	return fmt.Sprintf("rekey %s (%s %s/%s)", number, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
