package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
)

// The aims: a start near that of any Go function, a package that is fetched quickly, and
// memory far below the smallest size that Lambda sells.
const (
	aimInitRatio = 2
	aimPeakMB    = 20
)

var aimNames = []string{"init", "zip", "peak"}

// aimZipMB is for a rotation function of one kind of system. Those that speak to more services
// and run templates (jq) may be larger.
func aimZipMB(function string) float64 {
	if function == "rotate-apikey" || function == "audit-forwarder" {
		return 4.5
	}
	return 4
}

const megabyte = 1e6

// starter is a function whose start is measured.
type starter struct {
	name, pkg string           // a peer's has no package
	function  *lambda.Function // as it runs here
	binary    int64            // bytes, of the build for Lambda
	zip       int64
	inits     []float64 // ms
	peaks     []float64 // MB
}

const floorPackage = "./bench/floor"

// measureInit starts all functions in turns, so that whatever else the machine does falls on
// all of them; after them the peer's.
func measureInit(ctx context.Context, b *bench) (*table, error) {
	starters := []*starter{{name: "floor", pkg: floorPackage}}
	functions := b.functions
	if len(functions) == 0 {
		found, err := filepath.Glob(filepath.Join("functions", "*", "main.go"))
		if err != nil || len(found) == 0 {
			return nil, fmt.Errorf("no functions/*/main.go here: change to rekey's checkout (%w)", cmp.Or(err, os.ErrNotExist))
		}
		for _, path := range found {
			functions = append(functions, filepath.Base(filepath.Dir(path)))
		}
	}
	for _, name := range functions {
		starters = append(starters, newStarter(name))
	}
	for _, s := range starters {
		if err := s.build(ctx, b); err != nil {
			return nil, err
		}
	}
	official, err := b.peer.starters(b.dir)
	if err != nil {
		return nil, err
	}
	starters = append(starters, official...)
	for _, s := range starters {
		defer func() { _ = s.function.Close() }()
	}
	b.say("starting each of %d functions %d times", len(starters), b.runs)
	own := len(starters) - len(official)
	for _, group := range [][]*starter{starters[:own], starters[own:]} { // a start after one of Python's is slower
		if err := startInTurns(ctx, group, b.runs); err != nil {
			return nil, err
		}
	}
	return initTable(starters, b.runs), nil
}

// startInTurns starts each once a turn. The first turn reads the binaries from the disk, and
// does not count.
func startInTurns(ctx context.Context, all []*starter, runs int) error {
	for i := range runs + 1 {
		for _, s := range all {
			if err := s.start(ctx); err != nil {
				return err
			}
			if i == 0 {
				s.inits, s.peaks = nil, nil
			}
		}
	}
	return nil
}

func newStarter(function string) *starter {
	if strings.HasPrefix(function, "./") {
		return &starter{name: filepath.Base(function), pkg: function}
	}
	return &starter{name: function, pkg: "./functions/" + function}
}

// build compiles the function twice: for Lambda, to weigh it, and for this machine.
func (s *starter) build(ctx context.Context, b *bench) error {
	local, err := b.binary(ctx, s.pkg)
	if err != nil {
		return err
	}
	deployed, err := lambda.Build(ctx, lambda.BuildOptions{Package: s.pkg, Out: local + ".deployed", GOOS: "linux", GOARCH: "arm64"})
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
	// Nothing of this process's environment reaches the function: an AWS_CA_BUNDLE of many
	// roots, for one, would cost the start of anything that uses the SDK milliseconds.
	s.function, err = lambda.New(lambda.Config{Name: s.name, Binary: local, Timeout: time.Minute, MemoryMB: 256})
	return err
}

// errFirstStart stands for a start that went well only when it was tried again.
var errFirstStart = errors.New("only the second one succeeded: see what it writes to its log")

// start makes one cold start and one invocation. The event is empty, so a rotation refuses
// it: its answer does not matter here, that it gave one does.
func (s *starter) start(ctx context.Context) error {
	s.function.Recycle()
	_, report, err := s.function.InvokeReport(ctx, nil)
	if failure := (*lambda.FunctionError)(nil); err != nil && !errors.As(err, &failure) {
		return err
	}
	if report.InitDuration == 0 {
		return fmt.Errorf("starting %s: its first start failed: %w", s.name, cmp.Or(err, errFirstStart))
	}
	s.inits = append(s.inits, milliseconds(report.InitDuration))
	s.peaks = append(s.peaks, float64(report.MaxMemoryUsed)/megabyte)
	return nil
}

// initTable compares each start with the floor's of the turn that has the same number.
func initTable(starters []*starter, runs int) *table {
	t := &table{Runs: runs, Notes: []string{
		"init: with the binary in the page cache. x floor: beside aws-lambda-go alone, in the same turn; official templates start after all others.",
		"peak: highest resident memory after one invocation with an empty event.",
		"binary, zip: of the build for linux/arm64.",
	}}
	for _, s := range starters {
		r := row{Name: s.name, Figures: []figure{spread("init ms", s.inits), spread("x floor", ratios(s.inits, starters[0].inits))}}
		if peak := spread("peak MB", s.peaks); peak.Value > 0 { // not every system tells
			r.Figures = append(r.Figures, peak)
		}
		if s.pkg != "" {
			r.Figures = append(r.Figures, exactly("binary MB", float64(s.binary)/megabyte), exactly("zip MB", float64(s.zip)/megabyte))
		}
		t.Rows = append(t.Rows, r)
		if s == starters[0] || s.pkg == "" {
			continue
		}
		for _, bound := range []aim{
			{Name: "init", Unit: "x floor", Limit: aimInitRatio}, {Name: "zip", Unit: "zip MB", Limit: aimZipMB(s.name)}, {Name: "peak", Unit: "peak MB", Limit: aimPeakMB},
		} {
			if f, ok := r.find(bound.Unit); ok { // the column's name
				bound.Of, bound.Value = s.name, f.Value
				bound.Unit = strings.TrimPrefix(bound.Unit, bound.Name+" ")
				t.Aims = append(t.Aims, bound)
			}
		}
	}
	return t
}
