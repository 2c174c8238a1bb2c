package output

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cell is what a table has in a row's column.
type cell struct {
	painted string // with colours
	width   int    // in characters, without colours
}

// newCell is a cell on one line: a control character in it would move the table, or the
// terminal.
func newCell(text string) cell {
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
	if text == "" {
		text = "-"
	}
	return cell{text, utf8.RuneCountInString(text)}
}

// title is a column's name as a heading.
func title(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "_", " ")) }

// pageSize is how many rows wait at most: as many as AWS lists at once.
const pageSize = 100

// gap stands between columns.
const gap = "  "

// page are the rows of a table that wait until the widths of the columns are known.
type page struct {
	rows   [][]cell
	widths []int // grow from page to page
}

func (p *page) add(row []cell) { p.rows = append(p.rows, row) }

func (p *page) full() bool { return len(p.rows) >= pageSize }

// lines are those of the page, which is empty then. Without a heading there is none.
func (p *page) lines(heading []cell) []string {
	rows := p.rows
	p.rows = nil
	if heading != nil {
		rows = append([][]cell{heading}, rows...)
	}
	for _, row := range rows {
		for i, c := range row {
			if i == len(p.widths) {
				p.widths = append(p.widths, 0)
			}
			p.widths[i] = max(p.widths[i], c.width)
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = p.line(row)
	}
	return lines
}

// line has its cells in their columns, and no blanks at its end.
func (p *page) line(row []cell) string {
	var line strings.Builder
	for i, c := range row {
		line.WriteString(c.painted)
		if i < len(row)-1 {
			line.WriteString(strings.Repeat(" ", p.widths[i]-c.width) + gap)
		}
	}
	return line.String()
}
