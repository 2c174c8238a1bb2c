package main

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata")

// example has everything that a report can have.
func example() *report {
	return &report{Date: "2027-01-02", Machine: "linux/arm64, 4 processors", Go: "go1.26", Tables: []*table{{
		Section: "init", Title: "From here to there", Runs: 3,
		Rows: []row{
			{Name: "floor", Figures: []figure{spread("init ms", []float64{2.25, 2, 3}), exactly("x floor", 1)}},
			{Name: "rotate-rds", Figures: []figure{spread("init ms", []float64{20, 10.04, 30}), spread("x floor", []float64{5, 10.001, 9.999}), exactly("bytes", 1234567)}},
			{Name: "theirs", Failed: "it is not here"},
		},
		Aims:  []aim{{Name: "init", Of: "rotate-rds", Value: 9.999, Limit: 2, Unit: "x floor"}, {Name: "zip", Of: "rotate-rds", Value: 1, Limit: 4, Unit: "MB"}},
		Notes: []string{"init: as it is."},
	}}}
}

func TestForms(t *testing.T) {
	t.Parallel()
	for file, write := range map[string]func(*report, *strings.Builder) error{
		"report.txt":  func(r *report, b *strings.Builder) error { return r.writeText(b) },
		"report.json": func(r *report, b *strings.Builder) error { return r.writeJSON(b) },
	} {
		var b strings.Builder
		if err := write(example(), &b); err != nil {
			t.Fatal(err)
		}
		path := "testdata/" + file
		if *update {
			if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || b.String() != string(want) {
			t.Errorf("%v; %s is not (-update writes it)\n%s", err, path, &b)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	got, err := example().into("# Page\n\n<!-- bench init -->\nold\n<!-- end -->\n\n<!-- bench wire -->\nkept\n<!-- end -->\n")
	want, missing := os.ReadFile("testdata/page.md")
	if *update {
		missing = os.WriteFile("testdata/page.md", []byte(got), 0o644)
	}
	if err != nil || missing != nil || got != string(want) {
		t.Errorf("%v, %v\n%s", err, missing, got)
	}
	again, err := example().into(got)
	if err != nil || again != got {
		t.Errorf("written again it differs: %v\n%s", err, again)
	}
	for page, says := range map[string]string{"# Page\n": "no place", "<!-- bench init -->\nold\n": "does not end"} {
		if _, err := example().into(page); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", page, err)
		}
	}
}

// The published table says what TestCounts holds rotations to.
func TestPublishedRotations(t *testing.T) {
	t.Parallel()
	page := published(t)
	for name, want := range counts {
		if name == standIn {
			continue
		}
		said := map[string]string{"calls": strconv.Itoa(want.allCalls()), "logins": strconv.Itoa(want.logins), "refused": "0", "open": "0", "requests": "–"}
		if want.requests > 0 {
			said = map[string]string{"calls": strconv.Itoa(want.allCalls()), "logins": "–", "requests": strconv.Itoa(want.requests)}
		}
		for column, is := range said {
			if page[name][column] != is {
				t.Errorf("%s: %s are %q, and are to be %s", name, column, page[name][column], is)
			}
		}
		if turns, _ := strconv.Atoi(page[name]["turns"]); turns > want.turns {
			t.Errorf("%s: %d turns, more than %d", name, turns, want.turns)
		}
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

// A head says of each table how its figures were made.
func TestMade(t *testing.T) {
	t.Parallel()
	for runs, want := range map[int]string{0: "computed", 1: "measured once", 7: "medians of 7, in brackets where the middle half lies"} {
		if got := (&table{Runs: runs}).made(); got != want {
			t.Errorf("%d runs: %s, want %s", runs, got, want)
		}
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	for want, values := range map[figure][]int{
		{"x", 2, 1.5, 2.5}: {3, 1, 2},
		{"x", 3, 2.5, 3.5}: {4, 2},
		{"x", 7, 7, 7}:     {7},
		{"x", 0, 0, 0}:     nil,
	} {
		if got := spread("x", values); got != want {
			t.Errorf("of %v: %+v, want %+v", values, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]float64{"0": 0, "8": 8, "12345": 12345, "2.25": 2.25, "99.9": 99.94, "1234": 1234.4, "0.0000712": 0.00007123, "-1.50": -1.5} {
		if got := number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

func TestMissed(t *testing.T) {
	t.Parallel()
	if got := example().missed([]string{"init", "zip"}); got != "init of rotate-rds is 10.00, over 2 x floor" {
		t.Error(got)
	}
	if got := example().missed([]string{"zip"}); got != "" {
		t.Error(got)
	}
}
