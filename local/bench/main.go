// Command bench measures what starting a function costs, beside a floor that is
// aws-lambda-go alone, in one run, because seconds of different runs do not compare:
//
//	go run ./local/bench [--runs N] [--function NAME] [--json] [--check AIMS]
//
// It exits with 0, with 1 when measuring failed or, under --check, an aim is missed, and
// with 2 when it was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const (
	exitDone = iota
	exitFailed
	exitUsage
)

type options struct {
	runs     int
	function string
	json     bool
	check    string // names of aims, separated by commas
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err != nil {
		return exitUsage
	}
	result, err := measure(ctx, o, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	write := result.writeTable
	if o.json {
		write = result.writeJSON
	}
	if err := write(stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, "bench: writing the result:", err)
		return exitFailed
	}
	if missed := result.missed(o.check); missed != "" {
		_, _ = fmt.Fprintln(stderr, "bench: missed:", missed)
		return exitFailed
	}
	return exitDone
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.runs, "runs", 21, "cold starts of each of the two functions")
	flags.StringVar(&o.function, "function", "rotate-rds", "a folder of ./functions, or the path of a main package that begins with ./")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	flags.StringVar(&o.check, "check", "", "aims that must be met, else the exit code is 1: init, zip, peak, separated by commas; init is noisy on a shared machine")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	unknown := slices.DeleteFunc(strings.Split(o.check, ","), func(name string) bool { return slices.Contains([]string{"", "init", "zip", "peak"}, name) })
	switch {
	case len(unknown) > 0:
		err = fmt.Errorf("--check names %q: the aims are init, zip and peak", unknown[0])
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.runs < 1:
		err = fmt.Errorf("--runs is %d: it must be 1 or more", o.runs)
	case o.function == "":
		err = errors.New("--function is empty: name a folder of ./functions")
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
	}
	return o, err
}
