package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

func TestRunFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--runs", "0"}, exitUsage, "--runs is 0"},
		{[]string{"--runs", "many"}, exitUsage, "invalid value"},
		{[]string{"extra"}, exitUsage, `unexpected argument "extra"`},
		{[]string{"--function", ""}, exitUsage, "a name is empty"},
		{[]string{"--only", "init,end"}, exitUsage, `there is no "end": choose from init`},
		{[]string{"--check", "zip,speed"}, exitUsage, `there is no "speed": choose from init, zip, peak`},
		{[]string{"--only", "client", "--check", "zip"}, exitUsage, "--check needs the section init"},
		{[]string{"--help"}, exitDone, "-runs"},
		{[]string{"--peer", "testdata"}, exitFailed, "testdata has no template"},
		{[]string{"--peer", "testdata/broken"}, exitFailed, "there_is_no_such_module"},
		{[]string{"--only", "init", "--function", "no-such-function"}, exitFailed, "./functions/no-such-function"},
	} {
		var stderr bytes.Buffer
		if code := run(t.Context(), tt.args, "", io.Discard, &stderr); code != tt.code || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("%q: exit code %d, %q; want %d, %q", tt.args, code, &stderr, tt.code, tt.want)
		}
	}
}

// The whole way, on the smallest function there is beside the floor.
func TestInitIsMeasuredBesideTheFloor(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles two functions for two machines")
	}
	var stdout, stderr bytes.Buffer
	args := []string{"--only", "init", "--runs", "1", "--json", "--function", "./local/lambda/testdata/handler"}
	if code := run(t.Context(), args, "", &stdout, &stderr); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	var got report
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, &stdout)
	}
	rows := got.Tables[0].Rows
	if len(rows) != 2 || rows[0].Name != "floor" || rows[1].Name != "handler" || len(got.Tables[0].Aims) < 2 {
		t.Fatalf("got %s", &stdout)
	}
	for _, r := range rows {
		zip, _ := r.find("zip MB")
		binary, _ := r.find("binary MB")
		if init, _ := r.find("init ms"); init.Value <= 0 || zip.Value < 0.5 || binary.Value <= zip.Value {
			t.Errorf("got %+v", r)
		}
	}
}
