package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
)

// section is one part of the bench: a table of its own, that --only chooses by name.
type section struct {
	name, title string
	measure     func(context.Context, *bench) (*table, error)
}

// sections in the order in which they are run and printed.
var sections = []section{
	{"init", "From a process's start to its first request for an invocation", measureInit},
	{"rotation", "A rotation by the compiled function on a real server", measureRotation},
	{"wire", "What such a rotation sends", measureWire},
	{"cost", "What such a rotation costs in AWS", measureCost},
	{"fleet", "Rotating many secrets within the quotas of a Region", measureFleet},
	{"fleet-cost", "What a month of so many secrets costs", measureFleetCost},
	{"forwarder", "An event on its way to an alert", measureForwarder},
	{"client", "A secret that a program has in its cache", measureClient},
}

func names(of []section) []string {
	var all []string
	for _, s := range of {
		all = append(all, s.name)
	}
	return all
}

// bench is one run: what sections share.
type bench struct {
	options
	progress io.Writer
	dir      string            // for files of this run
	binaries map[string]string // by package

	rotations []*contestant // of the sections that tell of them
}

// measure runs the sections that were chosen.
func measure(ctx context.Context, o options, progress io.Writer) (_ *report, err error) {
	dir, err := os.MkdirTemp("", "rekey-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the binaries: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{options: o, progress: progress, dir: dir, binaries: map[string]string{}}
	if err := b.peer.prepare(ctx, dir); err != nil {
		return nil, err
	}
	r := &report{
		Date: time.Now().UTC().Format(time.DateOnly), Go: runtime.Version(),
		Machine: fmt.Sprintf("%s/%s, %d processors", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
	}
	for _, s := range sections {
		if len(o.only) > 0 && !slices.Contains(o.only, s.name) {
			continue
		}
		b.say("section %s", s.name)
		t, err := s.measure(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("section %s: %w", s.name, err)
		}
		t.Section, t.Title = s.name, s.title
		r.Tables = append(r.Tables, t)
	}
	return r, nil
}

// say tells whoever waits what is being done.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, format+"\n", args...)
}

// binary is a main package compiled for this machine, once a run.
func (b *bench) binary(ctx context.Context, pkg string) (string, error) {
	if path := b.binaries[pkg]; path != "" {
		return path, nil
	}
	b.say("building %s", pkg)
	path, err := lambda.Build(ctx, lambda.BuildOptions{Package: pkg, Out: filepath.Join(b.dir, filepath.Base(pkg)) + string(os.PathSeparator)})
	if err == nil {
		b.binaries[pkg] = path
	}
	return path, err
}
