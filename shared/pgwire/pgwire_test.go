package pgwire

import (
	"slices"
	"testing"
)

func TestNames(t *testing.T) {
	for list, want := range map[string][]string{
		``: nil, `public`: {"public"}, `"$user", public`: {"$user", "public"}, `""`: {""},
		`"with ""quote"", and comma",x`: {`with "quote", and comma`, "x"}, `a,b`: {"a", "b"},
	} {
		if got := Names(list); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", list, got, want)
		}
	}
}
