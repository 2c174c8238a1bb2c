package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// InvalidError is everything that is wrong with a file, in the order of its lines.
type InvalidError struct {
	File     string    `json:"file"`
	Problems []Problem `json:"problems"`
}

// Problem is one thing that is wrong, where, and what to do about it.
type Problem struct {
	Line   int    `json:"line,omitempty"`   // from 1; 0: the file as a whole
	Column int    `json:"column,omitempty"` // from 1, in characters; 0: the line as a whole
	Path   string `json:"path,omitempty"`   // such as databases.orders.engine
	Wrong  string `json:"wrong"`
	Remedy string `json:"remedy,omitempty"`
}

// Error has a line for each problem: file:line:column: path: wrong: remedy.
func (i *InvalidError) Error() string {
	lines := make([]string, len(i.Problems))
	for n, p := range i.Problems {
		lines[n] = i.File + p.String()
	}
	return strings.Join(lines, "\n")
}

func (p Problem) String() string {
	var b strings.Builder
	for _, n := range []int{p.Line, p.Column} {
		if n > 0 {
			fmt.Fprintf(&b, ":%d", n)
		}
	}
	for _, part := range []string{p.Path, p.Wrong, p.Remedy} {
		if part != "" {
			b.WriteString(": " + part)
		}
	}
	return b.String()
}

// add finds a problem at a path, or the nearest place around it that the file has.
func (t *tree) add(at path, wrong, remedy string) {
	for n := len(at); ; n-- {
		if p, ok := t.places[at[:n].key()]; ok || n == 0 {
			t.at(p, at, wrong, remedy)
			return
		}
	}
}

func (t *tree) at(where place, at path, wrong, remedy string) {
	p := Problem{Line: where.line, Column: where.column, Path: at.String(), Wrong: wrong, Remedy: remedy}
	if !slices.Contains(t.found, p) {
		t.found = append(t.found, p)
	}
}

func (t *tree) err(file string) error {
	if len(t.found) == 0 {
		return nil
	}
	slices.SortFunc(t.found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Wrong, b.Wrong))
	})
	return &InvalidError{File: file, Problems: t.found}
}
