// Package demo is the command rekey demo: it rotates the password of a real database user on
// this machine, with the function that is deployed, and proves what it shows.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// Command is the command line of rekey demo.
type Command struct {
	Engine   string `help:"Database to start: postgres, mysql, mariadb, embedded, or auto, which takes the first that is installed, else the embedded one." enum:"auto,postgres,mysql,mariadb,embedded" default:"auto" placeholder:"NAME"`
	Function string `help:"Use this built rotate-rds instead of building it." type:"path" placeholder:"FILE"`
	JSON     bool   `name:"json" help:"Print one JSON document instead of text."`
}

// Help is the text below the usage of rekey demo --help.
func (Command) Help() string {
	return `Starts a throw-away database and a local stand-in for AWS Secrets Manager, makes a user and a secret, rotates the secret, and checks the result against both. Nothing outside this machine is used, and nothing stays behind. Exit code 1 if a check fails.`
}

// Run rotates, shows and proves. It returns an error if any of that did not succeed; whatever
// it started has ended by then.
func (c Command) Run(ctx context.Context, stdout io.Writer, screen *terminal.Terminal) (err error) {
	if c.JSON {
		screen = terminal.Plain(io.Discard)
	}
	report, err := c.perform(ctx, &view{Terminal: screen})
	screen.Stop()
	if ctx.Err() != nil {
		return errors.New("interrupted: what the demo had started is gone, run it again at any time")
	}
	if c.JSON {
		if writeErr := report.write(stdout, err); writeErr != nil {
			return writeErr
		}
	}
	if err == nil {
		err = screen.Err()
	}
	return err
}

// perform carries everything out; the report holds as much as there came to be.
func (c Command) perform(ctx context.Context, v *view) (r *report, err error) {
	r = &report{}
	dir, err := os.MkdirTemp("", "rekey-demo-")
	if err != nil {
		return r, fmt.Errorf("making a folder for the function: %w", err)
	}
	s := &stage{view: v, report: r, dir: dir}
	defer func() { err = errors.Join(err, s.close()) }() //nolint:contextcheck // also after Ctrl-C

	v.title()
	if err := s.build(ctx, c.Function); err != nil {
		return r, err
	}
	if err := s.startDatabase(ctx, c.Engine); err != nil {
		return r, err
	}
	if err := s.startAWS(ctx); err != nil {
		return r, err
	}
	if err := s.rotate(ctx); err != nil {
		return r, err
	}
	e, err := s.gather(ctx)
	if err != nil {
		return r, fmt.Errorf("collecting the evidence: %w", err)
	}
	r.Checks = prove(e)
	v.proof(r)
	return r, verdict(r.Checks)
}

// report is the JSON document. It holds no value of the secret.
type report struct {
	OK       bool             `json:"ok"`
	Error    string           `json:"error,omitempty"`
	Engine   string           `json:"engine,omitempty"`
	Server   string           `json:"server,omitempty"`
	Function string           `json:"function,omitempty"`
	Secret   string           `json:"secret,omitempty"`
	Setup    []phase          `json:"setup"`
	Steps    []step           `json:"steps"`
	Rotation rotationSummary  `json:"rotation"`
	Calls    callSummary      `json:"calls"`
	Logins   int              `json:"logins"`
	Versions []versionSummary `json:"versions"`
	Checks   []check          `json:"checks"`
}

type phase struct {
	Name   string       `json:"name"`
	Millis milliseconds `json:"ms"`
}

type rotationSummary struct {
	Version    string       `json:"version,omitempty"`
	Millis     milliseconds `json:"ms"`
	InitMillis milliseconds `json:"init_ms"`
	PeakMemory int64        `json:"peak_memory_bytes,omitempty"` // not told by every system
}

type callSummary struct {
	Total             int            `json:"total"`
	OfficialTemplates int            `json:"official_templates"`
	ByOperation       map[string]int `json:"by_operation"`
}

type versionSummary struct {
	ID     string   `json:"id"`
	Stages []string `json:"stages"`
}

func (r *report) write(w io.Writer, failure error) error {
	r.OK = failure == nil
	if failure != nil {
		r.Error = failure.Error()
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil { //nolint:gosec // the name of the secret, not its value
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
