// Package output writes rows for people and for programs: a table, JSON or CSV. Rows are
// written as they come, so that half a million of them need no more memory than a page.
package output

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// Format is a form of output.
type Format string

// The formats.
const (
	Table Format = "table" // for people
	JSON  Format = "json"  // JSON Lines (https://jsonlines.org): an object per row, each on its line
	CSV   Format = "csv"   // with a heading; quoted as RFC 4180 has it
)

// Flags are those of a command that writes rows: embed them.
type Flags struct {
	Output Format `help:"How to print: table, json (an object per line) or csv." enum:"table,json,csv" default:"table" placeholder:"FORM"`
	Lines  bool   `name:"json" help:"The same as --output json."`
}

// Format is the one that was asked for.
func (f Flags) Format() Format {
	if f.Lines {
		return JSON
	}
	return f.Output
}

// Column is a column of a table and of CSV. JSON has the row itself, with its own names.
type Column[Row any] struct {
	Name string           // the heading: lower case, _ between words
	Text func(Row) string // what CSV has: for programs, complete

	Show  func(Row) string               // what a table has instead, for people; nil: Text
	Paint func(row Row, s string) string // colours what a table has; nil: it stays as it is
}

// Rows writes rows of one kind. It is for one goroutine.
type Rows[Row any] struct {
	format  Format
	columns []Column[Row]
	screen  *terminal.Terminal
	begun   bool

	json  *json.Encoder
	csv   *csv.Writer
	table page
}

// New writes to stdout; a table goes to screen, which writes there too.
func New[Row any](format Format, stdout io.Writer, screen *terminal.Terminal, columns ...Column[Row]) *Rows[Row] {
	r := &Rows[Row]{format: format, columns: columns, screen: screen}
	switch format {
	case JSON:
		r.json = json.NewEncoder(stdout)
		r.json.SetEscapeHTML(false)
	case CSV:
		r.csv = csv.NewWriter(stdout)
	case Table:
	}
	return r
}

// Write writes a row. A table's first rows wait for others, up to a page of them, so that the
// columns are as wide as they need to be: see Flush. The error is of writing, such as a closed
// pipe.
func (r *Rows[Row]) Write(row Row) error {
	switch r.format {
	case JSON:
		if err := r.json.Encode(row); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
		return nil
	case CSV:
		r.begin()
		if err := r.csv.Write(r.cells(row)); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
		return nil
	case Table:
	}
	r.table.add(r.shown(row))
	if r.table.full() {
		return r.Flush()
	}
	return nil
}

// Flush writes what waits. Call it when the next row may take a while; further rows keep the
// columns' widths.
func (r *Rows[Row]) Flush() error {
	switch r.format {
	case JSON:
		return nil
	case CSV:
		r.begin()
		r.csv.Flush()
		if err := r.csv.Error(); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
		return nil
	case Table:
	}
	if len(r.table.rows) == 0 {
		return r.screen.Err()
	}
	for _, line := range r.table.lines(r.heading()) {
		r.screen.Println(line)
	}
	return r.screen.Err()
}

// Close writes the rest. CSV without rows has its heading; a table without rows is nothing.
func (r *Rows[Row]) Close() error { return r.Flush() }

// begin writes the heading of CSV.
func (r *Rows[Row]) begin() {
	if r.begun {
		return
	}
	r.begun = true
	names := make([]string, len(r.columns))
	for i, c := range r.columns {
		names[i] = c.Name
	}
	_ = r.csv.Write(names) // its error stays until Flush
}

func (r *Rows[Row]) cells(row Row) []string {
	cells := make([]string, len(r.columns))
	for i, c := range r.columns {
		cells[i] = c.Text(row)
	}
	return cells
}

func (r *Rows[Row]) shown(row Row) []cell {
	cells := make([]cell, len(r.columns))
	for i, c := range r.columns {
		show := c.Show
		if show == nil {
			show = c.Text
		}
		cells[i] = newCell(show(row))
		if c.Paint != nil {
			cells[i].painted = c.Paint(row, cells[i].painted)
		}
	}
	return cells
}

// heading is nil once it was asked for.
func (r *Rows[Row]) heading() []cell {
	if r.begun {
		return nil
	}
	r.begun = true
	cells := make([]cell, len(r.columns))
	for i, c := range r.columns {
		cells[i] = newCell(title(c.Name))
		cells[i].painted = r.screen.Bold(cells[i].painted)
	}
	return cells
}
