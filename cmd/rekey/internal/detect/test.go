package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/fixture"
)

// Test is the command line of rekey audit test.
type Test struct {
	JSON bool `name:"json" help:"Print one JSON document instead of text."`
}

// Help is the text below the usage of rekey audit test --help.
func (Test) Help() string {
	return `For every detection, generated events that must be found, and events that look like them and must not be. Exit code 1 if a case fails, or a detection lacks one of either kind.`
}

// tested is what came of a detection's cases.
type tested struct {
	Detection string         `json:"detection"`
	Title     string         `json:"title"`
	Severity  audit.Severity `json:"severity"`
	Is        int            `json:"found"`    // cases that must be found
	IsNot     int            `json:"notFound"` // cases that must not
	Failures  []string       `json:"failures,omitempty"`
}

// Run runs every case.
func (c Test) Run(ctx context.Context, stdout io.Writer, screen *terminal.Terminal) error {
	all, failures := results(ctx)
	if c.JSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(all); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
	} else {
		cases := 0
		for _, t := range all {
			cases += t.Is + t.IsNot
			screen.Println(fmt.Sprintf("%s %-26s %-9s %2d found  %2d not  %s", screen.Mark(len(t.Failures) == 0), t.Detection, t.Severity, t.Is, t.IsNot, screen.Dim(t.Title)))
			for _, f := range t.Failures {
				screen.Println("     " + screen.Red(f))
			}
		}
		screen.Println(fmt.Sprintf("%s, %s", terminal.Count(len(all), "detection"), terminal.Count(cases, "case")))
		if err := screen.Err(); err != nil {
			return err
		}
	}
	if failures > 0 {
		return errors.New(terminal.Count(failures, "case") + " failed")
	}
	return nil
}

func results(ctx context.Context) (all []*tested, failures int) {
	byID := map[string]*tested{}
	for _, d := range audit.Catalogue() {
		t := &tested{Detection: d.ID, Title: d.Title, Severity: d.Severity}
		byID[d.ID] = t
		all = append(all, t)
	}
	for _, c := range fixture.Cases() {
		t := byID[c.Detection]
		if c.Found {
			t.Is++
		} else {
			t.IsNot++
		}
		if err := c.Run(ctx); err != nil {
			t.Failures = append(t.Failures, err.Error())
		}
	}
	for _, t := range all {
		if t.Is == 0 || t.IsNot == 0 {
			t.Failures = append(t.Failures, t.Detection+": it needs a case that is one and a case that is not")
		}
		failures += len(t.Failures)
	}
	return all, failures
}
