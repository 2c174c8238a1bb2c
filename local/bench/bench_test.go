package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

func TestRunMeasuresAFunctionBesideTheFloor(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles two functions for two machines")
	}
	var stdout, stderr bytes.Buffer
	args := []string{"--runs", "3", "--json", "--function", "./local/lambda/testdata/handler"}
	if code := run(t.Context(), args, &stdout, &stderr); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	var got result
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, &stdout)
	}
	if got.Runs != 3 || got.Function.Name != "handler" || got.Floor.Name != "floor" || len(got.Aims) != 3 {
		t.Errorf("got %+v", got)
	}
	for _, f := range []figures{got.Function, got.Floor} {
		if f.InitMS <= 0 || f.ZipBytes < 500_000 || f.BinaryBytes <= f.ZipBytes {
			t.Errorf("got %+v", f)
		}
	}
}

func TestRunFails(t *testing.T) {
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--runs", "0"}, exitUsage, "--runs is 0"},
		{[]string{"--runs", "many"}, exitUsage, "invalid value"},
		{[]string{"extra"}, exitUsage, `unexpected argument "extra"`},
		{[]string{"--function", ""}, exitUsage, "--function is empty"},
		{[]string{"--check", "zip,speed"}, exitUsage, `--check names "speed"`},
		{[]string{"--help"}, exitDone, "-runs"},
		{[]string{"--function", "no-such-function"}, exitFailed, "./functions/no-such-function"},
	}
	for _, tt := range tests {
		var stderr bytes.Buffer
		if code := run(t.Context(), tt.args, io.Discard, &stderr); code != tt.code || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("%q: exit code %d, %q; want %d, %q", tt.args, code, &stderr, tt.code, tt.want)
		}
	}
}

func TestAims(t *testing.T) {
	subjectOf := func(name string, init time.Duration, zip, peak int64) *subject {
		return &subject{name: name, zip: zip, inits: []time.Duration{init, 9 * init, init}, peaks: []int64{peak}}
	}
	floor := subjectOf("floor", 2*time.Millisecond, 1, 1)
	tests := []struct {
		measured *subject
		states   string
		missed   string // of zip and peak
	}{
		{subjectOf("f", 3*time.Millisecond, 4_000_000, 20_000_000), "ok ok ok", ""},
		{subjectOf("f", 3100*time.Microsecond, 4_100_000, 20_100_000), "over over over", "zip is 4.10, over 4 MB; peak is 20.10, over 20 MB"},
		{subjectOf("f", time.Millisecond, 1, 0), "ok ok unknown", ""},
	}
	for _, tt := range tests {
		r := newResult(tt.measured, floor)
		var states []string
		for _, a := range r.Aims {
			states = append(states, a.State)
		}
		var table bytes.Buffer
		if err := r.writeTable(&table); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(states, " "); got != tt.states || r.missed("zip,peak") != tt.missed || !strings.Contains(table.String(), states[2]) {
			t.Errorf("got %s, want %s\n%s", got, tt.states, &table)
		}
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[int64][]int64{2: {3, 1, 2}, 3: {4, 2}, 7: {7}} {
		if got := median(values); got != want {
			t.Errorf("median of %v is %d, want %d", values, got, want)
		}
	}
}
