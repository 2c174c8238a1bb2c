package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// The aims: an init time near that of any Go function, a package that is fetched quickly,
// and memory far below the smallest size that Lambda sells.
const (
	aimInitRatio = 1.5
	aimPeakMB    = 20
)

// aimZipMB is for a rotation function of one kind of system. Those that speak to more services
// and run templates (jq) may be larger.
func aimZipMB(function string) float64 {
	if function == "rotate-apikey" || function == "audit-forwarder" {
		return 4.5
	}
	return 4
}

const megabyte = 1e6

// result is what one run of the bench found. Its JSON form is for machines.
type result struct {
	Runs     int      `json:"runs"`
	Function figures  `json:"function"`
	Floor    figures  `json:"floor"`
	Ratio    float64  `json:"initRatio"`
	Aims     []aim    `json:"aims"`
	Notes    []string `json:"notes"`
}

// figures are those of one function: medians over the runs, sizes of the build for Lambda.
type figures struct {
	Name        string  `json:"name"`
	InitMS      float64 `json:"initMs"`
	BinaryBytes int64   `json:"binaryBytes"`
	ZipBytes    int64   `json:"zipBytes"`
	PeakBytes   int64   `json:"peakBytes,omitempty"` // absent where the system does not tell
}

type aim struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Unit  string  `json:"unit"`
	State string  `json:"state"` // ok, over, or unknown where it could not be measured
}

func newResult(measured, floor *subject) *result {
	r := &result{
		Runs:     len(measured.inits),
		Function: measured.figures(),
		Floor:    floor.figures(),
		Notes: []string{
			"init: start of the process to its first request for an invocation, median, binary in the page cache",
			"binary and zip: the build for linux/arm64",
			"peak: highest resident memory after one invocation with an empty event, median",
		},
	}
	r.Ratio = r.Function.InitMS / r.Floor.InitMS
	r.Aims = []aim{
		newAim("init", r.Ratio, aimInitRatio, "x floor"),
		newAim("zip", float64(r.Function.ZipBytes)/megabyte, aimZipMB(measured.name), "MB"),
		newAim("peak", float64(r.Function.PeakBytes)/megabyte, aimPeakMB, "MB"),
	}
	return r
}

func (s *subject) figures() figures {
	return figures{
		Name:        s.name,
		InitMS:      float64(median(s.inits)) / float64(time.Millisecond),
		BinaryBytes: s.binary,
		ZipBytes:    s.zip,
		PeakBytes:   median(s.peaks),
	}
}

func median[T ~int64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func newAim(name string, value, limit float64, unit string) aim {
	state := "ok"
	switch {
	case value == 0:
		state = "unknown"
	case value > limit:
		state = "over"
	}
	return aim{Name: name, Value: value, Limit: limit, Unit: unit, State: state}
}

// missed tells which of the aims named are.
func (r *result) missed(names string) string {
	var missed []string
	for _, a := range r.Aims {
		if a.State == "over" && slices.Contains(strings.Split(names, ","), a.Name) {
			missed = append(missed, fmt.Sprintf("%s is %.2f, over %g %s", a.Name, a.Value, a.Limit, a.Unit))
		}
	}
	return strings.Join(missed, "; ")
}

func (r *result) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

func (r *result) writeTable(w io.Writer) error {
	if err := r.writeFigures(w); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	t := newTable(w)
	for _, a := range r.Aims {
		_, _ = fmt.Fprintf(t, "%s\t%.2f\tof %g\t%s\t%s\t\n", a.Name, a.Value, a.Limit, a.Unit, a.State)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, note := range r.Notes {
		if _, err := fmt.Fprintln(w, "  "+note); err != nil {
			return err
		}
	}
	return nil
}

func newTable(w io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
}

func (r *result) writeFigures(w io.Writer) error {
	t := newTable(w)
	_, _ = fmt.Fprintf(t, "%d starts each\tinit ms\tbinary MB\tzip MB\tpeak MB\t\n", r.Runs)
	for _, f := range []figures{r.Function, r.Floor} {
		peak := "unknown"
		if f.PeakBytes > 0 {
			peak = fmt.Sprintf("%.1f", float64(f.PeakBytes)/megabyte)
		}
		_, _ = fmt.Fprintf(t, "%s\t%.2f\t%.1f\t%.1f\t%s\t\n", f.Name, f.InitMS,
			float64(f.BinaryBytes)/megabyte, float64(f.ZipBytes)/megabyte, peak)
	}
	return t.Flush()
}
