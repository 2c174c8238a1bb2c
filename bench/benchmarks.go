package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// measureForwarder runs the Go benchmarks of what audit-forwarder is made of.
func measureForwarder(ctx context.Context, b *bench) (*table, error) {
	t, err := b.benchmarks(ctx, "^Benchmark(Handle|Normalize)$", "./shared/audit/forwarder", "./shared/audit")
	if err == nil {
		t.Notes = []string{"Handle is the whole of an ordinary event, without its calls to AWS; Normalize is the reading of it."}
	}
	return t, err
}

// measureClient runs the client's benchmark, which has AWS's own cache for Go beside it.
func measureClient(ctx context.Context, b *bench) (*table, error) {
	const ours, theirs = "rekey", "aws-secretsmanager-caching-go"
	t, err := b.benchmarks(ctx, "^BenchmarkHit$", "./client")
	if err != nil {
		return nil, err
	}
	t.Notes = []string{"parallel: as many at once as there are processors. x rekey: the medians' ratio."}
	for i := range t.Rows {
		r := &t.Rows[i]
		if !strings.Contains(r.Name, theirs) {
			continue
		}
		beside := slices.IndexFunc(t.Rows, func(o row) bool { return o.Name == strings.Replace(r.Name, theirs, ours, 1) })
		if beside < 0 {
			continue
		}
		took, _ := r.find("ns/op")
		base, _ := t.Rows[beside].find("ns/op")
		r.Figures = append(r.Figures, exactly("x rekey", took.Value/base.Value))
	}
	first := func(name string) string { return strings.Replace(name, ours, "", 1) }
	slices.SortFunc(t.Rows, func(a, b row) int { return strings.Compare(first(a.Name), first(b.Name)) })
	return t, nil
}

// mostTurns is how often a benchmark is run, which measures many times itself.
const mostTurns = 7

// benchmarks runs the benchmarks of packages that a pattern names, all of them once a turn:
// go test -count would measure each at a time of its own.
func (b *bench) benchmarks(ctx context.Context, pattern string, packages ...string) (*table, error) {
	args := append([]string{"test", "-run", "^$", "-bench", pattern, "-benchmem", "-benchtime", "200ms"}, packages...)
	b.say("go %s", strings.Join(args, " "))
	runs := min(b.runs, mostTurns)
	var all []byte
	for range runs {
		out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("running the benchmarks of %s: %w:\n%s", strings.Join(packages, ", "), err, bytes.TrimSpace(out))
		}
		all = append(all, out...)
	}
	rows := parseBenchmarks(all)
	if len(rows) == 0 {
		return nil, fmt.Errorf("no benchmark of %s is like %s", strings.Join(packages, ", "), pattern)
	}
	return &table{Runs: runs, Rows: rows}, nil
}

// benchmarkName leaves out the number of processors.
var benchmarkName = regexp.MustCompile(`^Benchmark(.+?)(-\d+)?$`)

// parseBenchmarks reads what go test prints:
// https://go.googlesource.com/proposal/+/master/design/14313-benchmark-format.md
// A benchmark that ran several times is one row.
func parseBenchmarks(out []byte) []row {
	values := map[string]map[string][]float64{}
	var names, units []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || len(fields)%2 != 0 || !benchmarkName.MatchString(fields[0]) {
			continue
		}
		name := benchmarkName.FindStringSubmatch(fields[0])[1]
		if values[name] == nil {
			values[name] = map[string][]float64{}
			names = append(names, name)
		}
		for i := 2; i < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				continue
			}
			unit := fields[i+1]
			if !slices.Contains(units, unit) {
				units = append(units, unit)
			}
			values[name][unit] = append(values[name][unit], v)
		}
	}
	var rows []row
	for _, name := range names {
		r := row{Name: name}
		for _, unit := range units {
			if measured := values[name][unit]; len(measured) > 0 {
				if f := spread(unit, measured); unit == "ns/op" {
					r.Figures = append(r.Figures, f)
				} else {
					r.Figures = append(r.Figures, exactly(unit, f.Value))
				}
			}
		}
		rows = append(rows, r)
	}
	return rows
}
