package declarative

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// InvalidError is why a file is no provider: all that is wrong with it. It is
// ErrConfig.
type InvalidError struct {
	File     string
	Problems []Problem
}

// Problem is one thing that is wrong, and where.
type Problem struct {
	Line   int    // 0: the file as a whole
	Path   string // "issue.json.name", as the file nests; "" for the whole
	Reason string
}

// Error has one line for each problem: file:line: path: reason.
func (i *InvalidError) Error() string {
	lines := make([]string, 0, len(i.Problems))
	for _, p := range i.Problems {
		lines = append(lines, i.File+p.String())
	}
	return strings.Join(lines, "\n")
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	return b.String() + p.Reason
}

// Unwrap makes it ErrConfig.
func (i *InvalidError) Unwrap() error { return rotation.ErrConfig }

// problems collects what is wrong.
type problems struct {
	found []Problem
	lines map[string]int // by path
}

// add takes the line of the nearest place around path that has one.
func (p *problems) add(path, format string, args ...any) {
	p.found = append(p.found, Problem{Line: p.line(path), Path: path, Reason: fmt.Sprintf(format, args...)})
}

func (p *problems) line(path string) int {
	for path != "" {
		if n := p.lines[path]; n > 0 {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

func (p *problems) err(file string) error {
	if len(p.found) == 0 {
		return nil
	}
	slices.SortStableFunc(p.found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
	// What all requests share is looked at with each of them.
	return &InvalidError{File: file, Problems: slices.Compact(p.found)}
}
