package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/rekey-aws/rekey/local/lambda"
)

// functions are the compiled ones, by the last element of their package's path.
var functions = map[string]string{}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rekey-demo-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, pkg := range []string{
		"./functions/rotate-rds", "./cmd/rekey/internal/demo/testdata/leaky", "./bench/floor",
	} {
		name := filepath.Base(pkg)
		functions[name], err = lambda.Build(context.Background(), lambda.BuildOptions{
			Package: pkg, Out: filepath.Join(dir, name) + string(os.PathSeparator),
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
