package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
)

// subject is one of the two functions that are compared.
type subject struct {
	name, pkg string
	function  *lambda.Function // as it runs here
	binary    int64            // bytes, of the deployed build
	zip       int64
	inits     []time.Duration
	peaks     []int64
}

// measure builds both functions and starts them in turns, so that whatever else the machine
// does falls on both.
func measure(ctx context.Context, o options, progress io.Writer) (_ *result, err error) {
	dir, err := os.MkdirTemp("", "rekey-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the binaries: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	measured, floor := newSubject(o.function), &subject{name: "floor", pkg: "./local/bench/floor"}
	for _, s := range []*subject{measured, floor} {
		_, _ = fmt.Fprintln(progress, "building", s.pkg)
		if err := s.build(ctx, filepath.Join(dir, s.name)); err != nil {
			return nil, err
		}
		defer func() { _ = s.function.Close() }()
	}
	_, _ = fmt.Fprintf(progress, "starting each of the two %d times\n", o.runs)
	for i := range o.runs + 1 {
		for _, s := range []*subject{measured, floor} {
			if err := s.start(ctx); err != nil {
				return nil, err
			}
			if i == 0 { // the first start reads the binary from the disk
				s.inits, s.peaks = nil, nil
			}
		}
	}
	return newResult(measured, floor), nil
}

func newSubject(function string) *subject {
	if strings.HasPrefix(function, "./") {
		return &subject{name: path.Base(function), pkg: function}
	}
	return &subject{name: function, pkg: "./functions/" + function}
}

// build compiles the function twice: for Lambda, to weigh it, and for this machine.
func (s *subject) build(ctx context.Context, dir string) error {
	deployed, err := lambda.Build(ctx, lambda.BuildOptions{
		Package: s.pkg, Out: filepath.Join(dir, "deploy") + string(os.PathSeparator), GOOS: "linux", GOARCH: "arm64",
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(deployed)
	if err != nil {
		return fmt.Errorf("weighing %s: %w", deployed, err)
	}
	s.binary = info.Size()
	if s.zip, err = lambda.Zip(deployed, deployed+".zip"); err != nil {
		return err
	}
	local, err := lambda.Build(ctx, lambda.BuildOptions{Package: s.pkg, Out: filepath.Join(dir, "local") + string(os.PathSeparator)})
	if err != nil {
		return err
	}
	// Nothing of this process's environment reaches the function: an AWS_CA_BUNDLE of many
	// roots, for one, would cost the start of anything that uses the SDK milliseconds.
	s.function, err = lambda.New(lambda.Config{Name: s.name, Binary: local, Timeout: time.Minute, MemoryMB: 256})
	return err
}

// errFirstStart stands for a start that went well only when it was tried again.
var errFirstStart = errors.New("only the second one succeeded: see what it writes to its log")

// start makes one cold start and one invocation. The event is empty, so a rotation refuses
// it: its answer does not matter here, that it gave one does.
func (s *subject) start(ctx context.Context) error {
	s.function.Recycle()
	_, report, err := s.function.InvokeReport(ctx, nil)
	if failure := (*lambda.FunctionError)(nil); err != nil && !errors.As(err, &failure) {
		return err
	}
	if report.InitDuration == 0 {
		return fmt.Errorf("starting %s: its first start failed: %w", s.name, cmp.Or(err, errFirstStart))
	}
	s.inits = append(s.inits, report.InitDuration)
	s.peaks = append(s.peaks, report.MaxMemoryUsed)
	return nil
}
