package dbusertest_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
)

var update = flag.Bool("update", false, "write the results into docs/crash-matrix.md")

// kinds are the columns of the table.
var kinds = []string{"not done", "reply lost", "stalled", "killed before", "killed after", "twice at once, one reply lost", "throttled"}

// TestCrashMatrix prints the number of cases and of failures, and compares the
// table in the documentation with them.
func TestCrashMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("needs database servers")
	}
	all := append(rows(), retiring()...)
	results := make([]map[string]*dbusertest.Outcome, len(all))
	var wg sync.WaitGroup
	for i, row := range all {
		wg.Go(func() {
			t.Run(row.server+" "+row.what(), func(t *testing.T) {
				if row.retire {
					results[i] = dbusertest.RetireMatrix(t, row.target)
				} else {
					results[i] = dbusertest.CrashMatrix(t, row.target)
				}
			})
		})
	}
	wg.Wait()
	var total dbusertest.Outcome
	for i, row := range all {
		var sum dbusertest.Outcome
		for _, o := range results[i] {
			sum.Cases += o.Cases
			sum.Meanwhile += o.Meanwhile
			sum.LockedOut += o.LockedOut
			sum.Stuck += o.Stuck
			sum.Wrong += o.Wrong
		}
		t.Logf("%-14s %-6s %4d cases, AWSCURRENT refused until the rotation ran again in %d, locked out %d, stuck %d, otherwise wrong %d",
			row.server, row.what(), sum.Cases, sum.Meanwhile, sum.LockedOut, sum.Stuck, sum.Wrong)
		total.Cases += sum.Cases
		total.LockedOut += sum.LockedOut
		total.Stuck += sum.Stuck
		total.Wrong += sum.Wrong
	}
	t.Logf("%d cases, failures: locked out %d, stuck %d, otherwise wrong %d", total.Cases, total.LockedOut, total.Stuck, total.Wrong)
	compare(t, table(all, results))
}

// table has no counts of cases: how many turns a rotation takes depends on the
// server's minor version and on how TLS packs its records.
func table(all []row, results []map[string]*dbusertest.Outcome) string {
	var out strings.Builder
	fmt.Fprintf(&out, "| Server | Strategy | AWSCURRENT refused before the rotation runs again | %s |\n|---|---|---|%s\n",
		strings.Join(kinds, " | "), strings.Repeat("---|", len(kinds)))
	for i, row := range all {
		refused, cells := 0, ""
		for _, kind := range kinds {
			o := results[i][kind]
			if o == nil {
				cells += " not tried |"
				continue
			}
			refused += o.Meanwhile
			cells += fmt.Sprintf(" %d / %d / %d |", o.LockedOut, o.Stuck, o.Wrong)
		}
		meanwhile := "never"
		if refused > 0 {
			meanwhile = "yes, the window"
		}
		fmt.Fprintf(&out, "| %s | %s | %s |%s\n", row.server, row.what(), meanwhile, cells)
	}
	return out.String()
}

// compare holds the documentation to the results.
func compare(t *testing.T, table string) {
	const page, begin, end = "../../../docs/crash-matrix.md", "<!-- results: written by the test -->\n", "<!-- end of results -->\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the results", page)
	}
	if old == table {
		return
	}
	if !*update {
		t.Errorf("%s says otherwise. Run: go test ./shared/dbuser/dbusertest -run CrashMatrix -update\n%s", page, table)
		return
	}
	if err := os.WriteFile(page, []byte(head+begin+table+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
