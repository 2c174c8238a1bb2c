package unstick

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/doctor"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/output"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// outcome is what came of it, for programs. It holds no secret.
type outcome struct {
	Secret   string                  `json:"secret"` // the ARN
	Verdict  string                  `json:"verdict"`
	Because  string                  `json:"because"`
	Person   string                  `json:"person,omitempty"` // what a person has to do
	Cause    *doctor.Finding         `json:"cause,omitempty"`  // what the diagnosis names first
	Steps    []stepWritten           `json:"steps"`
	Versions []rotation.VersionLogin `json:"versions"` // as they are at the end
}

// The verdicts of an outcome.
const (
	healthyBefore = "healthy" // nothing was stuck
	mended        = "mended"
	planned       = "planned"
	refused       = "refused"
)

type stepWritten struct {
	Act     act    `json:"act"`
	Version string `json:"version,omitempty"`
	From    string `json:"from,omitempty"`
	Said    string `json:"said"`
	Done    bool   `json:"done"`
}

func written(steps []step, done bool) []stepWritten {
	all := make([]stepWritten, len(steps))
	for i, s := range steps {
		all[i] = stepWritten{Act: s.act, Version: s.version, From: s.from, Said: s.said(), Done: done}
	}
	return all
}

func (s step) said() string {
	switch {
	case s.act == move:
		return "move AWSCURRENT from version " + s.from + " to " + s.version
	case s.act == discard:
		return "take AWSPENDING from version " + s.from
	case s.version == "":
		return "begin a new rotation"
	}
	return "run the rotation to version " + s.version + " again"
}

// sides tells who logs in.
func (r *repair) sides() {
	r.screen.Println(r.screen.Bold(r.report.Name))
	doctor.Versions(r.report.Versions, r.screen)
}

// show tells who logs in, and what is to be done about it.
func (r *repair) show(p plan) {
	r.sides()
	r.screen.Println(r.screen.Dim("  what to do"))
	r.screen.Println("  " + p.because + ".")
	for i, s := range p.steps {
		r.screen.Println(fmt.Sprintf("  %d. %s", i+1, s.said()))
	}
}

func (r *repair) finish(changed bool) {
	r.outcome.Verdict = healthyBefore
	text := "nothing is stuck: "
	if changed {
		r.outcome.Verdict = mended
		text = "mended: "
		r.screen.Println("")
	}
	r.screen.Println(r.report.Name + ": " + text + r.outcome.Because)
}

func (r *repair) write(form output.Format, stdout io.Writer) error {
	if r.outcome.Secret == "" {
		return r.screen.Err() // there was nothing to look at
	}
	if r.outcome.Steps == nil {
		r.outcome.Steps = []stepWritten{}
	}
	switch form {
	case output.JSON:
		e := json.NewEncoder(stdout)
		e.SetEscapeHTML(false)
		if err := e.Encode(r.outcome); err != nil { //nolint:gosec // G117: the ARN of the secret, not its value
			return fmt.Errorf("writing the output: %w", err)
		}
	case output.CSV:
		rows := output.New(form, stdout, r.screen, columns...)
		for _, s := range r.outcome.Steps {
			if err := rows.Write(s); err != nil {
				return err
			}
		}
		return rows.Close()
	case output.Table:
	}
	return r.screen.Err()
}

var columns = []output.Column[stepWritten]{
	{Name: "act", Text: func(s stepWritten) string { return string(s.Act) }},
	{Name: "version", Text: func(s stepWritten) string { return s.Version }},
	{Name: "from", Text: func(s stepWritten) string { return s.From }},
	{Name: "said", Text: func(s stepWritten) string { return s.Said }},
	{Name: "done", Text: func(s stepWritten) string { return fmt.Sprint(s.Done) }},
}

// sentence ends with one full stop.
func sentence(text string) string {
	text = strings.TrimRight(strings.TrimSpace(text), ".")
	if text == "" {
		return ""
	}
	return text + "."
}

func smithyCode(err error, code string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == code
}
