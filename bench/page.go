package main

import (
	"fmt"
	"os"
	"strings"
)

// A page has tables of this bench between two comments each:
//
//	<!-- bench init -->
//	<!-- end -->
const (
	tableBegins = "<!-- bench %s -->\n"
	tableEnds   = "<!-- end -->\n"
)

// writePage puts the tables into the page, those that it has a place for. Other text stays.
func (r *report) writePage(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the page: %w", err)
	}
	page, err := r.into(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(page), 0o644) //nolint:gosec // a page is public
}

func (r *report) into(page string) (string, error) {
	placed := 0
	for _, t := range r.Tables {
		before, rest, found := strings.Cut(page, fmt.Sprintf(tableBegins, t.Section))
		if !found {
			continue
		}
		_, after, ended := strings.Cut(rest, tableEnds)
		if !ended {
			return "", fmt.Errorf("the table %s does not end: put %q after it", t.Section, strings.TrimSpace(tableEnds))
		}
		page = before + fmt.Sprintf(tableBegins, t.Section) + r.heading() + ": " + t.made() + "\n\n" + t.markdown() + tableEnds + after
		placed++
	}
	if placed == 0 {
		return "", fmt.Errorf("it has no place for a table: put %q there", fmt.Sprintf(strings.TrimSpace(tableBegins), "init"))
	}
	return page, nil
}

func (t *table) markdown() string {
	var b strings.Builder
	head, lines := t.grid()
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(head)
	b.WriteString("|---" + strings.Repeat("|---:", len(head)-1) + "|\n")
	for _, cells := range lines {
		line(cells)
	}
	b.WriteByte('\n')
	for _, r := range t.Rows {
		if r.Failed != "" {
			fmt.Fprintf(&b, "- %s failed: `%s`\n", r.Name, r.Failed)
		}
	}
	for _, note := range t.Notes {
		b.WriteString("- " + note + "\n")
	}
	return b.String()
}
