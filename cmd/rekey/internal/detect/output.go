package detect

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/ocsf"
)

// fingerprint stands for a finding's key, which may be long.
type fingerprint [16]byte

func fingerprintOf(key string) fingerprint {
	sum := sha256.Sum256([]byte(key))
	return fingerprint(sum[:])
}

// output writes findings as they come, in the form that was asked for.
type output struct {
	screen  *terminal.Terminal // nil: for machines
	encoder *json.Encoder
	ocsf    bool
	shown   time.Time // when the progress was
	header  bool
	notes   []note
}

// note is a file that could not be read to the end.
type note struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

func newOutput(r *Replay, stdout io.Writer, screen *terminal.Terminal) *output {
	if !r.JSON && !r.OCSF {
		return &output{screen: screen}
	}
	o := &output{encoder: json.NewEncoder(stdout), ocsf: r.OCSF}
	o.encoder.SetEscapeHTML(false)
	return o
}

// finding writes one.
func (o *output) finding(f *audit.Finding) error {
	switch {
	case o.ocsf:
		return o.encode(ocsf.From(*f))
	case o.encoder != nil:
		return o.encode(f)
	}
	if !o.header {
		o.header = true
		o.screen.Println(o.screen.Dim(fmt.Sprintf("%-20s  %-8s  %-25s  %-28s  %s", "TIME (UTC)", "SEVERITY", "DETECTION", "SECRET", "WHO, WHERE")))
	}
	severity := fmt.Sprintf("%-8s", f.Detection.Severity)
	if f.Detection.Severity >= audit.High {
		severity = o.screen.Red(severity)
	}
	o.screen.Println(fmt.Sprintf("%-20s  %s  %-25s  %-28s  %s", f.Time.UTC().Format("2006-01-02 15:04:05Z"), severity, f.Detection.ID, subject(f), where(f)+o.screen.Dim(", event "+f.Event.ID)))
	return o.screen.Err()
}

// subject is what a finding is about: a secret, else how many, else a key or a trail.
func subject(f *audit.Finding) string {
	r := f.Event.Request
	switch {
	case f.Counted > 0:
		return fmt.Sprintf("%d %s", f.Counted, f.Detection.Counts)
	case f.Secret.Name != "":
		return f.Secret.Name
	}
	for _, s := range []string{r.Key, r.Trail, r.Rule, r.Function} {
		if s != "" {
			return s[strings.LastIndexAny(s, ":/")+1:] // of an ARN, what names the thing
		}
	}
	return "-"
}

func where(f *audit.Finding) string {
	parts := []string{}
	if f.Event.Kind == audit.Call {
		parts = append(parts, f.Actor.String())
		if f.Event.SourceIP != "" {
			parts = append(parts, f.Event.SourceIP)
		}
	} else if f.Event.Request.Step != "" {
		parts = append(parts, "in "+f.Event.Request.Step)
	}
	return strings.Join(append(parts, f.Event.Account+" "+f.Event.Region), ", ")
}

func (o *output) encode(v any) error {
	if err := o.encoder.Encode(v); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// damaged says that a file could not be read to the end.
func (o *output) damaged(file string, err error) error {
	reason := err.Error()
	if errors.Is(err, audit.ErrMalformed) {
		reason = "it is no log file of CloudTrail, or damaged: " + strings.TrimPrefix(reason, audit.ErrMalformed.Error()+": ")
	}
	if o.screen == nil {
		if len(o.notes) < 1000 {
			o.notes = append(o.notes, note{file, reason})
		}
		return nil
	}
	o.screen.Println(o.screen.Mark(false) + " " + file + ": " + reason)
	return o.screen.Err()
}

// progress tells how far the replay is, once in a while: read is what has been read of the
// file that is not among the totals yet.
func (o *output) progress(t *totals, read int64, begin time.Time) {
	if o.screen == nil || time.Since(o.shown) < time.Second {
		return
	}
	o.shown = time.Now()
	line := fmt.Sprintf("%s, %s, %s in %s", terminal.Count(t.files, "file"), size(t.bytes+read), terminal.Count(t.findings, "finding"), time.Since(begin).Round(time.Second))
	if !t.last.IsZero() {
		line += ", at " + t.last.Format("2006-01-02 15:04")
	}
	o.screen.Begin(line)
}

// summary is the end of a replay.
func (o *output) summary(t *totals) error {
	if o.encoder != nil {
		if o.ocsf {
			return nil
		}
		return o.encode(map[string]any{"summary": newSummary(t, o.notes)})
	}
	if t.findings > 0 {
		o.screen.Println("")
	}
	for _, d := range worstFirst(t.byDetection) {
		o.screen.Println(fmt.Sprintf("%6d  %-8s  %-25s  %s", t.byDetection[d.ID], d.Severity, d.ID, o.screen.Dim(d.Playbook())))
	}
	line := fmt.Sprintf("%s in %s of %s", o.screen.Bold(terminal.Count(t.findings, "finding")), terminal.Count(t.events, "event"), terminal.Count(t.files, "file"))
	if !t.first.IsZero() {
		line += fmt.Sprintf(", %s to %s", t.first.Format(time.DateOnly), t.last.Format(time.DateOnly))
	}
	line += fmt.Sprintf("; %s in %s", size(t.bytes), terminal.Duration(t.took))
	if seconds := t.took.Seconds(); seconds >= 1 {
		line += fmt.Sprintf(" (%s/s, %.0f events/s)", size(int64(float64(t.bytes)/seconds)), float64(t.events)/seconds)
	}
	o.screen.Println(line)
	if t.broken > 0 {
		o.screen.Println(fmt.Sprintf("%s had no event in them", terminal.Count(t.broken, "JSON object")))
	}
	if t.digests > 0 || t.left > 0 {
		o.screen.Println(o.screen.Dim(fmt.Sprintf("Left out: %s of digests and other kinds of events, %s that are no logs", terminal.Count(t.digests, "folder"), terminal.Count(t.left, "file"))))
	}
	return o.screen.Err()
}

// worstFirst are the detections that found something.
func worstFirst(found map[string]int) []*audit.Detection {
	list := slices.DeleteFunc(audit.Catalogue(), func(d *audit.Detection) bool { return found[d.ID] == 0 })
	slices.SortStableFunc(list, func(a, b *audit.Detection) int { return int(b.Severity - a.Severity) })
	return list
}

// summaryJSON is the last line of --json.
type summaryJSON struct {
	Findings    int            `json:"findings"`
	ByDetection map[string]int `json:"byDetection"`
	Files       int            `json:"files"`
	Damaged     []note         `json:"damaged,omitempty"`
	Events      int            `json:"events"`
	Others      int            `json:"eventsOfOtherServices"`
	Broken      int            `json:"noEvents"`
	Bytes       int64          `json:"bytes"`
	Digests     int            `json:"digests"`
	First       *time.Time     `json:"first,omitempty"`
	Last        *time.Time     `json:"last,omitempty"`
	Seconds     float64        `json:"seconds"`
}

func newSummary(t *totals, notes []note) summaryJSON {
	s := summaryJSON{
		Findings: t.findings, ByDetection: t.byDetection, Files: t.files, Damaged: notes, Events: t.events, Others: t.others,
		Broken: t.broken, Bytes: t.bytes, Digests: t.digests, Seconds: t.took.Seconds(),
	}
	if !t.first.IsZero() {
		s.First, s.Last = &t.first, &t.last
	}
	return s
}

// size is a number of bytes for people.
func size(n int64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 10_000 {
			return fmt.Sprintf("%d %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%d TB", n)
}
