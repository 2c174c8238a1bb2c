package lambda

import (
	"slices"
	"strings"
	"testing"
)

func TestLineReader(t *testing.T) {
	long := strings.Repeat("y", maxLineBytes+100)
	tests := []struct {
		name   string
		writes []string
		want   []string
	}{
		{"lines", []string{"a\nb\n"}, []string{"a", "b"}},
		{"a line in parts", []string{"a", "b", "\nc\n"}, []string{"ab", "c"}},
		{"no end", []string{"a\nb"}, []string{"a", "b"}},
		{"carriage return", []string{"a\r\n"}, []string{"a"}},
		{"empty lines", []string{"\n\n"}, []string{"", ""}},
		{"too long", []string{long}, []string{long[:maxLineBytes], long[maxLineBytes:]}},
		{"nothing", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			logs := &lines{t: t}
			r, err := newLineReader(&logWriter{w: logs})
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range tt.writes {
				if _, err := r.end().WriteString(text); err != nil {
					t.Fatal(err)
				}
			}
			r.flush()
			if got := logs.all(); !slices.Equal(got, tt.want) {
				t.Errorf("got %.200q, want %.200q", got, tt.want)
			}
			r.close()
			r.flush() // harmless
			if got := logs.all(); len(got) != len(tt.want) {
				t.Errorf("closing added %q", got[len(tt.want):])
			}
		})
	}
}
