package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/output"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// write prints a report: text for people, one JSON document, or a row for each finding.
func write(r *Report, form output.Format, stdout io.Writer, screen *terminal.Terminal) error {
	switch form {
	case output.JSON:
		e := json.NewEncoder(stdout)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil { //nolint:gosec // G117: the ARN of the secret, not its value
			return fmt.Errorf("writing the output: %w", err)
		}
		return nil
	case output.CSV:
		rows := output.New(form, stdout, screen, columns...)
		for _, f := range r.Findings {
			if err := rows.Write(f); err != nil {
				return err
			}
		}
		return rows.Close()
	case output.Table:
	}
	screen.Println(screen.Bold(r.Name) + screen.Dim(r.kind()))
	r.writeFindings(screen)
	Versions(r.Versions, screen)
	if said := r.conclusion(); said != "" {
		screen.Println("")
		screen.Println(r.Name + ": " + said)
	}
	return screen.Err()
}

// conclusion is the last line; a failure is told as the command's error.
func (r *Report) conclusion() string {
	var unseen []string
	for _, f := range r.Findings {
		if f.Verdict == rotation.Skipped {
			unseen = append(unseen, f.Check)
		}
	}
	switch {
	case r.Verdict == rotation.Fail:
		return ""
	case r.Verdict == rotation.Warn:
		return "nothing fails. First look at " + r.First.Check + ": " + terminal.Tame(r.First.Remedy)
	case len(unseen) > 0:
		return "nothing is found to be wrong; not looked at: " + terminal.List(unseen)
	}
	return "all is well"
}

var columns = []output.Column[Finding]{
	{Name: "from", Text: func(f Finding) string { return f.From }},
	{Name: "check", Text: func(f Finding) string { return f.Check }},
	{Name: "verdict", Text: func(f Finding) string { return string(f.Verdict) }},
	{Name: "said", Text: func(f Finding) string { return f.Said }},
	{Name: "remedy", Text: func(f Finding) string { return f.Remedy }},
}

func (r *Report) kind() string {
	var parts []string
	for _, part := range []string{r.Engine, r.Strategy} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "  " + strings.Join(parts, ", ")
}

func (r *Report) writeFindings(screen *terminal.Terminal) {
	width := 0
	for _, f := range r.Findings {
		width = max(width, len(f.Check))
	}
	from, begun := "", map[string]bool{}
	for _, f := range r.Findings {
		if f.From != from {
			from = f.From
			title := heading[from]
			if begun[from] {
				title = "what came of it"
			}
			begun[from] = true
			screen.Println(screen.Dim("  " + title))
		}
		screen.Println(fmt.Sprintf("  %s  %-*s  %s", screen.Verdict(string(f.Verdict)), width, f.Check, terminal.Tame(f.Said)))
		if f.Verdict != rotation.OK && f.Remedy != "" {
			screen.Println(fmt.Sprintf("  %s  %-*s  %s", screen.Verdict(""), width, "", screen.Dim("→ ")+terminal.Tame(f.Remedy)))
		}
	}
}

var heading = map[string]string{
	"outside": "from outside", "inside": "inside the function", "here": "from here",
}

// Versions prints which version's credential the target accepts.
func Versions(versions []rotation.VersionLogin, screen *terminal.Terminal) {
	if len(versions) == 0 {
		return
	}
	screen.Println(screen.Dim("  who logs in"))
	for _, v := range versions {
		labels := slices.Clone(v.Stages)
		slices.Sort(labels)
		name := strings.Join(labels, ", ")
		if name == "" {
			name = "without a label"
		}
		mark := "skipped"
		switch {
		case v.Login == rotation.LoginWorks:
			mark = "ok"
		case v.Login == rotation.LoginRefused && slices.Contains(v.Stages, rotation.Current):
			mark = "fail"
		case v.Login == rotation.LoginRefused:
			mark = "" // as it should be, for most
		}
		screen.Println(fmt.Sprintf("  %s  %-7s  %-15s  %s  %s", screen.Verdict(mark), v.Login, name, v.ID, screen.Dim(terminal.Tame(v.Said))))
	}
}
