package main

import (
	"context"
	"time"
)

// measureRotation is what rotations take.
func measureRotation(ctx context.Context, b *bench) (*table, error) {
	all, err := b.measureRotations(ctx)
	if err != nil {
		return nil, err
	}
	t := &table{Runs: b.runs, Notes: []string{
		"cold: a new process's start and four steps. warm: four steps of one that runs, and each of them, without the time between them.",
		"CPU: of the function, for a warm rotation. peak: its highest resident memory.",
	}}
	for i, c := range all {
		r := row{Name: c.name}
		if c.failed != nil {
			r.Failed = c.failed.Error()
			t.Rows = append(t.Rows, r)
			continue
		}
		warm, cold := each(c.warm, total(duration)), each(c.cold, total(duration))
		r.Figures = []figure{spread("cold ms", cold), spread("warm ms", warm)}
		for s, name := range []string{"create", "set", "test", "finish"} {
			r.Figures = append(r.Figures, median(name+" ms", each(c.warm, func(r rotated) float64 { return duration(r.steps[s]) })))
		}
		if processor := c.processorMS(); processor > 0 {
			r.Figures = append(r.Figures, exactly("CPU ms", processor))
		}
		if peak := median("peak MB", each(c.warm, peak)); peak.Value > 0 {
			r.Figures = append(r.Figures, peak)
		}
		if c.handler != "" { // it took turns with the one before it
			r.Figures = append(r.Figures, spread("x rekey, cold", ratios(cold, each(all[i-1].cold, total(duration)))),
				spread("x rekey, warm", ratios(warm, each(all[i-1].warm, total(duration)))))
		}
		t.Rows = append(t.Rows, r)
	}
	return t, nil
}

// processorMS is what a warm rotation uses, on the average; zero where the system does not
// tell.
func (c *contestant) processorMS() float64 {
	last := len(c.warm) - 1
	if last < 1 {
		return 0
	}
	return milliseconds(c.warm[last].processor-c.warm[0].processor) / float64(last)
}

// measureWire is what rotations send.
func measureWire(ctx context.Context, b *bench) (*table, error) {
	all, err := b.measureRotations(ctx)
	if err != nil {
		return nil, err
	}
	t := &table{Runs: b.runs, Notes: []string{
		"calls, kB: of and with Secrets Manager. logins: connections to the database; refused: by the server's own account; open: sent without TLS.",
		"turns: requests to the database that were answered, TLS and login included. requests: to the vendor.",
	}}
	for _, c := range all {
		r := row{Name: c.name}
		if c.failed == nil {
			r.Figures = c.counts()
		} else {
			r.Failed = c.failed.Error()
		}
		t.Rows = append(t.Rows, r)
	}
	return t, nil
}

func (c *contestant) counts() []figure {
	count := func(name string, measure func(step) float64) figure {
		return median(name, each(c.warm, total(measure)))
	}
	figures := []figure{
		count("calls", callsOf),
		count("kB", func(s step) float64 { return float64(s.manager.bytes) / 1000 }),
	}
	if c.target.vendor != nil {
		return append(figures, count("requests", func(s step) float64 { return float64(s.requests) }))
	}
	return append(figures,
		count("logins", func(s step) float64 { return float64(s.wires.connections) }),
		median("refused", each(c.warm, func(r rotated) float64 { return float64(r.refused) })),
		count("open", func(s step) float64 { return float64(s.wires.plaintext) }),
		count("turns", func(s step) float64 { return float64(s.wires.turns) }),
		count("database kB", func(s step) float64 { return float64(s.wires.bytes) / 1000 }),
	)
}

func callsOf(s step) float64 { return float64(s.calls) }

func duration(s step) float64 { return milliseconds(s.report.InitDuration + s.report.Duration) }

// peak is the highest memory in the last step of a rotation, in MB.
func peak(r rotated) float64 { return float64(r.steps[len(r.steps)-1].report.MaxMemoryUsed) / megabyte }

// median is a figure whose spread is not worth a place.
func median(name string, values []float64) figure { return exactly(name, spread(name, values).Value) }

// ratios are of values that were measured in the same turn.
func ratios(of, by []float64) []float64 {
	all := make([]float64, len(of))
	for i := range of {
		all[i] = of[i] / by[i]
	}
	return all
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
