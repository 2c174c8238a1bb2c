package main_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// What the function may need to be allowed is what it called in all tests together: the
// deployment's role is compared with testdata/actions.txt.

var update = flag.Bool("update", false, "write testdata/actions.txt")

const actionsFile = "testdata/actions.txt"

var actions struct {
	mu   sync.Mutex
	seen map[string]bool
}

// called notes an action of IAM.
func called(action string) {
	actions.mu.Lock()
	defer actions.mu.Unlock()
	if actions.seen == nil {
		actions.seen = map[string]bool{}
	}
	actions.seen[action] = true
}

// wholeRun tells a run of all tests from one of some.
func wholeRun() bool {
	return !testing.Short() && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && flag.Lookup("test.list").Value.String() == ""
}

func compareActions() error {
	var all []string
	for action := range actions.seen {
		all = append(all, action+"\n")
	}
	slices.Sort(all)
	got := strings.Join(all, "")
	want, err := os.ReadFile(actionsFile)
	if err == nil && string(want) == got {
		return nil
	}
	if *update {
		return os.WriteFile(actionsFile, []byte(got), 0o644)
	}
	return fmt.Errorf("%s says otherwise (-update writes it). The function called:\n%s", actionsFile, got)
}
