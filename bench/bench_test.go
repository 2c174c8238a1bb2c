package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
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

// The whole way on one server, beside what stands in for a template, and what no rotation may do.
func TestRotationsAreMeasured(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a database server")
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--only", "rotation,wire", "--target", "postgres", "--peer", "testdata/templates", "--runs", "1", "--json"}, "", &stdout, &stderr); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	var got report
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, &stdout)
	}
	times, sent := got.Tables[0].Rows, got.Tables[1].Rows
	if len(times) != 3 || len(sent) != 3 || sent[0].Name != "PostgreSQL, single" || sent[1].Name != "PostgreSQL, single, official" {
		t.Fatalf("got %s", &stdout)
	}
	if x, ok := times[1].find("x rekey, cold"); !ok || x.Value <= 0 {
		t.Errorf("the peer is not compared: %+v", times[1])
	}
	for _, r := range times {
		for _, name := range []string{"cold ms", "warm ms", "create ms", "set ms", "test ms", "finish ms"} {
			if f, _ := r.find(name); f.Value <= 0 {
				t.Errorf("%s: %s is %v", r.Name, name, f.Value)
			}
		}
	}
	page := published(t)
	for name, want := range map[string][3]float64{"calls": {8, 3, 11}, "logins": {2, 0, 5}, "refused": {}, "open": {}} {
		for i, r := range sent {
			f, ok := r.find(name)
			if !ok || f.Value != want[i] {
				t.Errorf("%s: %s is %v, want %v", r.Name, name, f.Value, want[i])
			}
			if said := page[r.Name][name]; r.Name != sent[1].Name && said != f.String() {
				t.Errorf("%s: %s is %s, docs/performance.md says %q", r.Name, name, f, said)
			}
		}
	}
	if turns, _ := sent[0].find("turns"); turns.Value < 8 || turns.Value > 40 { // two logins over TLS at least
		t.Errorf("%v turns", turns.Value)
	}
}

// published is the table of docs/performance.md that says what rotations send: by row and column.
func published(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "<!-- bench wire -->\n")
	table, _, _ := strings.Cut(rest, tableEnds)
	said := map[string]map[string]string{}
	var head []string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(line, "|")
		if head == nil {
			head = cells
		}
		row := map[string]string{}
		for i, cell := range cells {
			row[strings.TrimSpace(head[i])] = strings.TrimSpace(cell)
		}
		said[strings.TrimSpace(cells[1])] = row
	}
	return said
}
