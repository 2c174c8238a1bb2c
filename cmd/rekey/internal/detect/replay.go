package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/shared/audit"
)

// Replay is the command line of rekey audit replay.
type Replay struct {
	Paths     []string `arg:"" name:"path" help:"Log files, plain or gzip; folders of them, such as a copy of a trail's bucket; - is standard input." type:"string"`
	Config    string   `help:"What is ordinary, as JSON: rotation roles, known readers, thresholds; or the settings of the audit forwarder. Without it, nobody is known." placeholder:"FILE"`
	State     string   `help:"Remember who was seen and what was counted in this file, so that the next replay goes on from there. Slower." type:"path" placeholder:"FILE"`
	Severity  string   `help:"Show findings of this severity and above: informational, low, medium, high or critical." default:"low" placeholder:"LEVEL"`
	Detection []string `help:"Show findings of this detection only; may be repeated." placeholder:"ID"`
	Since     string   `help:"Show findings from this time on: 2026-07-15, or 2026-07-15T15:20:00Z." placeholder:"TIME"`
	Until     string   `help:"Show findings before this time." placeholder:"TIME"`
	JSON      bool     `name:"json" help:"Print one JSON object a finding, and a summary as the last."`
	OCSF      bool     `name:"ocsf" help:"Print one OCSF Detection Finding a finding, as JSON."`
	Fail      bool     `help:"Exit with 3 if there are findings."`

	least        audit.Severity
	since, until time.Time
	only         map[string]bool
}

// Help is the text below the usage of rekey audit replay --help.
func (Replay) Help() string {
	return `Reads log files of CloudTrail as S3 has them ({"Records": [...]}), what aws cloudtrail lookup-events prints, and events one after another. Folders are read by day, all Regions and accounts together, so that what is counted is counted in its order; digest files are left out, and not verified (aws cloudtrail validate-logs does that). Nothing is sent anywhere. Memory does not grow with the logs.

Exit codes: 0 done; 1 a file is damaged or cannot be read (the others were read); 2 wrong usage; 3 findings, with --fail.`
}

// Validate checks what can be checked before anything is read.
func (r *Replay) Validate() (err error) {
	if r.least, err = audit.ParseSeverity(r.Severity); err != nil {
		return usage.Errorf("--severity: %v", err)
	}
	if r.JSON && r.OCSF {
		return usage.Errorf("--json and --ocsf are two forms: give one")
	}
	r.only = map[string]bool{}
	for _, id := range r.Detection {
		if _, known := audit.Find(id); !known {
			return usage.Errorf("--detection: %q is none: rekey audit test lists them", id)
		}
		r.only[id] = true
	}
	if r.since, err = moment(r.Since); err != nil {
		return usage.Errorf("--since: %v", err)
	}
	if r.until, err = moment(r.Until); err != nil {
		return usage.Errorf("--until: %v", err)
	}
	if !r.since.IsZero() && !r.until.IsZero() && !r.since.Before(r.until) {
		return usage.Errorf("--since: %s is not before --until", r.Since)
	}
	return nil
}

// moment reads a day or a time in UTC; zero if it is empty.
func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: give one such as 2026-07-15 or 2026-07-15T15:20:00Z", text)
}

// Run reads, and prints what it finds when it finds it.
func (r *Replay) Run(ctx context.Context, stdout io.Writer, screen *terminal.Terminal) (err error) {
	config, err := r.config()
	if err != nil {
		return err
	}
	memory, end, err := r.memory()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	detector, err := audit.NewDetector(config, memory)
	if err != nil {
		return usage.Errorf("--config: %v", err)
	}
	out := newOutput(r, stdout, screen)
	run := &replay{Replay: r, detector: detector, out: out}
	err = run.all(ctx)
	screen.Stop()
	if ctx.Err() != nil {
		return errors.New("interrupted: what is above is what was found until then")
	}
	if err == nil {
		err = out.summary(&run.totals)
	}
	switch {
	case err != nil:
		return err
	case run.damaged > 0:
		return fmt.Errorf("%d of %s could not be read to the end", run.damaged, terminal.Count(run.files, "file"))
	case run.files == 0:
		return errors.New("there is no log file there: give files or folders of .json or .json.gz, or - for standard input")
	case r.Fail && run.findings > 0:
		return &FoundError{terminal.Count(run.findings, "finding")}
	}
	return nil
}

func (r *Replay) config() (audit.Config, error) {
	if r.Config == "" {
		return audit.Config{}, nil
	}
	text, err := os.ReadFile(r.Config)
	if err != nil {
		cause := (*os.PathError)(nil)
		errors.As(err, &cause)
		return audit.Config{}, usage.Errorf("--config: %s: %v", r.Config, cause.Err)
	}
	// The audit forwarder's settings hold the same under one member.
	var settings struct {
		Detect json.RawMessage `json:"detect"`
	}
	if json.Unmarshal(text, &settings) == nil && settings.Detect != nil {
		text = settings.Detect
	}
	c, err := audit.ParseConfig(text)
	if err != nil {
		return c, usage.Errorf("--config: %s: %s", r.Config, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return c, nil
}

// totals are what a replay has seen.
type totals struct {
	files, damaged, left int // left out: neither log nor digest
	digests              int // files and folders
	events, others       int
	broken               int
	bytes                int64
	findings             int
	first, last          time.Time
	byDetection          map[string]int
	took                 time.Duration
}

// replay is one under way.
type replay struct {
	*Replay
	totals
	detector *audit.Detector
	out      *output
	found    []audit.Finding
	printed  map[fingerprint]struct{}
	failed   error // of writing
}

// all reads every file, in its turn.
func (r *replay) all(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.printed, r.byDetection = map[fingerprint]struct{}{}, map[string]int{}
	begin := time.Now()
	defer func() { r.took = time.Since(begin) }()
	files := &finder{until: r.until, totals: &r.totals}
	ahead := readAhead(ctx, files.each(r.Paths))
	defer ahead.drain(cancel)
	ahead.after = func(read int64) { r.out.progress(&r.totals, read, begin) }
	var n audit.Normalizer
	for {
		f, more := ahead.next()
		if !more {
			return ctx.Err()
		}
		r.files++
		counts, err := n.Records(f, func(e *audit.Event) { r.examine(ctx, e) })
		f.skip()
		r.add(counts)
		if r.failed != nil {
			return r.failed
		}
		if err != nil {
			r.damaged++
			if err := r.out.damaged(f.name, err); err != nil {
				return err
			}
		}
		r.out.progress(&r.totals, 0, begin)
	}
}

func (r *replay) add(c audit.Counts) {
	r.events += c.Events
	r.others += c.Others
	r.broken += c.Broken
	r.bytes += c.Bytes
	if c.Digest {
		r.digests++
	}
}

func (r *replay) examine(ctx context.Context, e *audit.Event) {
	if r.first.IsZero() || e.Time.Before(r.first) {
		r.first = e.Time
	}
	if e.Time.After(r.last) {
		r.last = e.Time
	}
	r.found = r.detector.Examine(ctx, e, r.found[:0])
	for i := range r.found {
		f := &r.found[i]
		if !r.wants(f) || r.failed != nil {
			continue
		}
		key := fingerprintOf(f.Key)
		if _, again := r.printed[key]; again {
			continue
		}
		r.printed[key] = struct{}{}
		r.findings++
		r.byDetection[f.Detection.ID]++
		r.failed = r.out.finding(f)
	}
}

// wants says whether a finding is to be shown.
func (r *replay) wants(f *audit.Finding) bool {
	switch {
	case f.Detection == audit.Recovered || f.Detection.Severity < r.least:
		return false
	case len(r.only) > 0 && !r.only[f.Detection.ID]:
		return false
	case f.Time.Before(r.since):
		return false
	}
	return r.until.IsZero() || f.Time.Before(r.until)
}
