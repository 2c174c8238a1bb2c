package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBenchmarksAreRead(t *testing.T) {
	t.Parallel()
	got := parseBenchmarks([]byte(`goos: linux
pkg: example.com/x
BenchmarkHit/ours-2         	 3000	        60.0 ns/op	       0 B/op
BenchmarkHit/ours-2         	 3000	        64.0 ns/op	       0 B/op
BenchmarkOther   	  10	  2000 ns/op	  12.50 MB/s
BenchmarkBroken-2	--- FAIL
PASS
ok  	example.com/x	1.2s
`))
	want := []row{
		{Name: "Hit/ours", Figures: []figure{{"ns/op", 62, 61, 63}, exactly("B/op", 0)}},
		{Name: "Other", Figures: []figure{exactly("ns/op", 2000), exactly("MB/s", 12.5)}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
