package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// grid is a table's head and lines as text.
func (t *table) grid() (head []string, lines [][]string) {
	head = []string{""}
	for _, r := range t.Rows {
		for _, f := range r.Figures {
			if !slices.Contains(head, f.Name) {
				head = append(head, f.Name)
			}
		}
	}
	for _, r := range t.Rows {
		line := []string{r.Name}
		for _, name := range head[1:] {
			cell := "–"
			if f, ok := r.find(name); ok {
				cell = f.String()
			}
			line = append(line, cell)
		}
		lines = append(lines, line)
	}
	return head, lines
}

// heading says when and where the report was made.
func (r *report) heading() string { return fmt.Sprintf("%s, %s, %s", r.Date, r.Machine, r.Go) }

// made says what the figures are.
func (t *table) made() string {
	switch t.Runs {
	case 0:
		return "computed"
	case 1:
		return "measured once"
	}
	return fmt.Sprintf("medians of %d, in brackets where the middle half lies", t.Runs)
}

// writeText is for a person: a table to each section.
func (r *report) writeText(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.heading() + "\n")
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "\n%s: %s (%s)\n\n", t.Section, t.Title, t.made())
		head, lines := t.grid()
		writeAligned(&b, append([][]string{head}, lines...))
		for _, r := range t.Rows {
			if r.Failed != "" {
				fmt.Fprintf(&b, "  %s failed: %s\n", r.Name, r.Failed)
			}
		}
		for _, a := range t.Aims {
			if a.Value > a.Limit {
				fmt.Fprintf(&b, "  over the aim: %s\n", a)
			}
		}
		for _, note := range t.Notes {
			fmt.Fprintf(&b, "  %s\n", note)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeAligned puts names to the left and figures to the right of their columns.
func writeAligned(b *strings.Builder, lines [][]string) {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		for i, cell := range line {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("  " + cell + pad)
			} else {
				b.WriteString("  " + pad + cell)
			}
		}
		b.WriteByte('\n')
	}
}
