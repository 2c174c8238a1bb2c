// Command bench measures what a rotation costs on this machine, side by side with what it is
// compared with, because seconds of different runs do not compare:
//
//	go run ./bench [--only SECTIONS] [--runs N] [--peer DIR] [--json] [--write PAGE] [--check AIMS]
//
// It exits with 0, with 1 when measuring failed or, under --check, an aim is missed, and
// with 2 when it was called wrongly. docs/performance.md says what its figures mean.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Getenv("PYTHONPATH"), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const (
	exitDone = iota
	exitFailed
	exitUsage
)

type options struct {
	runs      int
	only      []string // sections; empty: all
	functions []string // of the section init; empty: all
	targets   []string // of the rotations; empty: all
	peer      peer
	json      bool
	page      string   // to write the tables to
	check     []string // names of aims
}

// run is main. modules are where Python finds what a peer needs.
func run(ctx context.Context, args []string, modules string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	o.peer.modules = modules
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err != nil {
		return exitUsage
	}
	r, err := measure(ctx, o, stderr)
	if err == nil {
		err = o.publish(r, stdout)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	if missed := r.missed(o.check); missed != "" {
		_, _ = fmt.Fprintln(stderr, "bench: missed:", missed)
		return exitFailed
	}
	return exitDone
}

func (o *options) publish(r *report, stdout io.Writer) error {
	if o.page != "" {
		if err := r.writePage(o.page); err != nil {
			return err
		}
	}
	if o.json {
		return r.writeJSON(stdout)
	}
	return r.writeText(stdout)
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.runs, "runs", 21, "measurements of each figure")
	flags.Func("only", "sections to run, separated by commas: "+strings.Join(names(sections), ", "), list(&o.only, names(sections)))
	flags.Func("function", "folders of ./functions whose start is measured, or paths of main packages that begin with ./, separated by commas", list(&o.functions, nil))
	flags.Func("target", "what rotations run on, separated by commas: "+strings.Join(targetNames(), ", "), list(&o.targets, targetNames()))
	flags.Func("peer", "a `folder` with the official Python templates, a checkout of aws-samples/aws-secrets-manager-rotation-lambdas, to run beside ours; PYTHONPATH names where their modules are",
		func(dir string) (err error) { o.peer.dir, err = filepath.Abs(dir); return err })
	flags.BoolVar(&o.json, "json", false, "print JSON")
	flags.StringVar(&o.page, "write", "", "a `page` whose tables are replaced, such as docs/performance.md")
	flags.Func("check", "aims that must be met, else the exit code is 1: "+strings.Join(aimNames, ", ")+", separated by commas; init is noisy on a shared machine", list(&o.check, aimNames))
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.runs < 1:
		err = fmt.Errorf("--runs is %d: it must be 1 or more", o.runs)
	case len(o.check) > 0 && len(o.only) > 0 && !slices.Contains(o.only, "init"):
		err = errors.New("--check needs the section init, which --only leaves out")
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
	}
	return o, err
}

// list reads words separated by commas; nil lets all through.
func list(to *[]string, allowed []string) func(string) error {
	return func(text string) error {
		for word := range strings.SplitSeq(text, ",") {
			switch {
			case word == "":
				return errors.New("a name is empty")
			case allowed != nil && !slices.Contains(allowed, word):
				return fmt.Errorf("there is no %q: choose from %s", word, strings.Join(allowed, ", "))
			}
			*to = append(*to, word)
		}
		return nil
	}
}
