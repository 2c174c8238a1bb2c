package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// report is what one run of the bench found. Its JSON form is for machines.
type report struct {
	Date    string   `json:"date"`
	Machine string   `json:"machine"`
	Go      string   `json:"go"`
	Tables  []*table `json:"tables"`
}

// table is what a section found. Section and Title are filled in by whoever runs it.
type table struct {
	Section string   `json:"section"`
	Title   string   `json:"title"`
	Runs    int      `json:"runs"` // how often each figure was measured; 0: it is computed
	Rows    []row    `json:"rows"`
	Aims    []aim    `json:"aims,omitempty"`
	Notes   []string `json:"notes,omitempty"` // what the figures are, and what they are not
}

// row is what was measured of one subject.
type row struct {
	Name    string   `json:"name"`
	Figures []figure `json:"figures,omitempty"`
	Failed  string   `json:"failed,omitempty"` // why there are no figures
}

// figure is one thing that was measured: its median, and between which values the middle half
// of the measurements lie. The name is the column's, and ends with the unit.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// exactly is a figure that does not vary.
func exactly(name string, value float64) figure { return figure{name, value, value, value} }

// spread is the figure of several measurements.
func spread[T ~int | ~int64 | ~float64](name string, values []T) figure {
	if len(values) == 0 {
		return figure{Name: name}
	}
	sorted := slices.Sorted(slices.Values(values))
	return figure{name, quantile(sorted, 0.5), quantile(sorted, 0.25), quantile(sorted, 0.75)}
}

// quantile is between the two values that are nearest to it.
func quantile[T ~int | ~int64 | ~float64](sorted []T, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return float64(sorted[below]) + (at-float64(below))*float64(sorted[above]-sorted[below])
}

// find is a row's figure; the second is false if it was not measured.
func (r *row) find(name string) (figure, bool) {
	i := slices.IndexFunc(r.Figures, func(f figure) bool { return f.Name == name })
	if i < 0 {
		return figure{}, false
	}
	return r.Figures[i], true
}

// aim is a bound that a row's figure is to keep.
type aim struct {
	Name  string  `json:"name"` // one of aimNames
	Of    string  `json:"of"`   // the row
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Unit  string  `json:"unit"`
}

// missed tells which of the aims named are.
func (r *report) missed(names []string) string {
	var missed []string
	for _, t := range r.Tables {
		for _, a := range t.Aims {
			if a.Value > a.Limit && slices.Contains(names, a.Name) {
				missed = append(missed, a.String())
			}
		}
	}
	return strings.Join(missed, "; ")
}

func (a aim) String() string {
	return fmt.Sprintf("%s of %s is %s, over %s %s", a.Name, a.Of, number(a.Value), number(a.Limit), a.Unit)
}

func (r *report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// number is as exact as it is worth reading: counts whole, else three digits.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return strconv.FormatFloat(v, 'f', digits, 64)
}

func (f figure) String() string {
	low, high := number(f.Low), number(f.High)
	if low == high {
		return number(f.Value)
	}
	return fmt.Sprintf("%s (%s–%s)", number(f.Value), low, high)
}
