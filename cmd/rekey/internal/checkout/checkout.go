// Package checkout finds rekey's source, and builds functions from it.
package checkout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rekey-aws/rekey/local/lambda"
)

const module = "github.com/rekey-aws/rekey"

// Find returns the root of rekey's source around a folder. Its error ends with what else
// the caller can do.
func Find(dir, otherwise string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if moduleOf(filepath.Join(at, "go.mod")) == module {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("finding rekey's source: %s is not inside it: change to a clone of rekey, or %s", dir, otherwise)
		}
	}
}

// NameFunction is what else can be done without the functions' source.
const NameFunction = "name a built function with --function"

func moduleOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// Functions are the names of the functions in a checkout.
func Functions(root string) ([]string, error) {
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "main.go"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, path := range mains {
		names = append(names, filepath.Base(filepath.Dir(path)))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("finding the functions' source: %s has none: restore it, or %s", filepath.Join(root, "functions"), NameFunction)
	}
	return names, nil
}

// Build compiles a function of a checkout for this machine, with the deployment's flags,
// into a folder, and returns the executable.
func Build(ctx context.Context, root, name, folder string) (string, error) {
	binary, err := lambda.Build(ctx, lambda.BuildOptions{
		Package: "./functions/" + name, Dir: root,
		Out: filepath.Join(folder, name) + string(os.PathSeparator),
	})
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("building %s: the go command is not in PATH: install Go (https://go.dev/dl), or %s", name, NameFunction)
	}
	return binary, err
}
