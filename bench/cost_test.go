package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrices(t *testing.T) {
	t.Parallel()
	p := prices{call: 1, keyUse: 1, invocation: 1, gigabyteSecond: 4}
	for name, tt := range map[string]struct {
		processor float64
		want      []figure
	}{
		// 10 ms of a whole processor take longer on the share that the memory brings; 8 calls take 80 ms more.
		"of Linux": {10, []figure{
			exactly("billed ms, 128 MB", 50+10*(1769./128-1)+80), exactly("256 MB", 50+10*(1769./256-1)+80),
			exactly("$ calls", 16000), exactly("$ Lambda", 4000+50+10*(1769./256-1)+80), exactly("$ both", 20000+50+10*(1769./256-1)+80),
		}},
		"where the processor time is not told": {0, []figure{exactly("$ calls", 16000)}},
	} {
		if d := cmp.Diff(tt.want, p.figures(50, tt.processor, 8), cmp.Comparer(func(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 })); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
