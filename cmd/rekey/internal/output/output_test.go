package output

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

type row struct {
	Name string `json:"name"`
	Days int    `json:"days"`
	Said string `json:"said,omitempty"`
}

var columns = []Column[row]{
	{Name: "name", Text: func(r row) string { return r.Name }},
	{
		Name: "next_rotation", Text: func(r row) string { return fmt.Sprint(r.Days) },
		Show:  func(r row) string { return fmt.Sprintf("in %d d", r.Days) },
		Paint: func(_ row, s string) string { return "<" + s + ">" },
	},
	{Name: "said", Text: func(r row) string { return r.Said }},
}

func written(t *testing.T, format Format, rows ...row) string {
	t.Helper()
	var out bytes.Buffer
	w := New(format, &out, terminal.Plain(&out), columns...)
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var sample = []row{{"a", 3, "fine"}, {"a/long/name", 12, ""}, {"ü", 1, "two\nlines \x1b[31m"}}

func TestTable(t *testing.T) {
	t.Parallel()
	want := strings.Join([]string{
		"NAME         NEXT ROTATION  SAID",
		"a            <in 3 d>         fine",
		"a/long/name  <in 12 d>        -",
		"ü            <in 1 d>         two lines  [31m",
		"",
	}, "\n")
	if got := written(t, Table, sample...); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := written(t, Table); got != "" {
		t.Errorf("without rows: %q", got)
	}
}

// The heading comes once; a page's rows are not kept; later rows keep the widths.
func TestTableInPages(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := New(Table, &out, terminal.Plain(&out), columns...)
	for i := range 2*pageSize + 1 {
		if err := w.Write(row{Name: strings.Repeat("n", 5), Days: i}); err != nil {
			t.Fatal(err)
		}
		if waiting := len(w.table.rows); waiting >= pageSize {
			t.Fatalf("%d rows wait", waiting)
		}
	}
	if got := strings.Count(out.String(), "\n"); got != 2*pageSize+1 {
		t.Errorf("%d lines are written before the end", got)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2*pageSize+2 || strings.Count(out.String(), "NAME") != 1 {
		t.Errorf("%d lines, %d headings", len(lines), strings.Count(out.String(), "NAME"))
	}
	if first, last := strings.Index(lines[1], "<"), strings.Index(lines[len(lines)-1], "<"); first != last {
		t.Errorf("the second column begins at %d, and then at %d", first, last)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(written(t, JSON, sample...)), "\n")
	if len(lines) != len(sample) {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines {
		var got row
		if err := json.Unmarshal([]byte(line), &got); err != nil || got != sample[i] {
			t.Errorf("%s: %v", line, err)
		}
	}
	if got := written(t, JSON); got != "" {
		t.Errorf("without rows: %q", got)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	records, err := csv.NewReader(strings.NewReader(written(t, CSV, sample...))).ReadAll()
	if err != nil || len(records) != 4 {
		t.Fatalf("%v: %v", records, err)
	}
	if got := strings.Join(records[0], " "); got != "name next_rotation said" {
		t.Errorf("heading %s", got)
	}
	if got := records[3]; got[0] != "ü" || got[1] != "1" || got[2] != sample[2].Said {
		t.Errorf("row %q", got)
	}
	if got := written(t, CSV); got != "name,next_rotation,said\n" {
		t.Errorf("without rows: %q", got)
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("closed pipe") }

func TestClosedPipe(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{Table, JSON, CSV} {
		w := New(format, closed{}, terminal.Plain(closed{}), columns...)
		if err := errors.Join(w.Write(sample[0]), w.Close()); err == nil || !strings.Contains(err.Error(), "writing the output") {
			t.Errorf("%s: %v", format, err)
		}
	}
}
