// Package lambdatest runs the tests of a function on the function compiled as the deployment
// compiles it, and holds what it calls to a list.
//
// The list, testdata/actions.txt, has the actions of IAM that the function was seen to call in
// all of its tests together; the deployment's tests compare the function's role with it.
package lambdatest

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rekey-aws/rekey/local/lambda"
)

var update = flag.Bool("update", false, "write testdata/actions.txt")

// Binary is the compiled function. Main sets it.
var Binary string

// Main is the TestMain of a folder of functions: it compiles the function, runs the tests,
// compares the actions if all tests ran, and ends the process. stop ends what tests share.
func Main(m *testing.M, function string, stop ...func() error) {
	dir, err := os.MkdirTemp("", function+"-")
	if err == nil {
		Binary, err = lambda.Build(context.Background(), lambda.BuildOptions{Package: "./functions/" + function, Out: filepath.Join(dir, "bootstrap")})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 && whole() {
		stop = append(stop, actions.compare)
	}
	for _, end := range append(stop, func() error { return os.RemoveAll(dir) }) {
		if err := end(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Called notes an action of IAM, such as secretsmanager:GetSecretValue. Safe for several
// goroutines.
func Called(action string) {
	actions.mu.Lock()
	defer actions.mu.Unlock()
	actions.seen[action] = true
}

var actions = list{seen: map[string]bool{}}

type list struct {
	mu   sync.Mutex
	seen map[string]bool
}

const file = "testdata/actions.txt"

func (l *list) compare() error {
	got := strings.Join(slices.Sorted(maps.Keys(l.seen)), "\n") + "\n"
	want, err := os.ReadFile(file)
	if err == nil && string(want) == got {
		return nil
	}
	if *update {
		return os.WriteFile(file, []byte(got), 0o644)
	}
	return fmt.Errorf("%s says otherwise (-update writes it). The function called:\n%s", file, got)
}

// whole tells a run of all tests from one of some.
func whole() bool {
	chosen := false
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		chosen = chosen || flag.Lookup(name).Value.String() != ""
	}
	return !chosen && !testing.Short()
}
