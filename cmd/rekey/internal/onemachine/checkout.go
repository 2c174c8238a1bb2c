package onemachine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rekey-aws/rekey/local/lambda"
)

const module = "github.com/rekey-aws/rekey"

// ErrNoCheckout is wrapped by the error of what needs rekey's source and does not find it.
var ErrNoCheckout = errors.New("not inside rekey's checkout")

// Checkout is the root of rekey's source around a folder.
func Checkout(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if moduleOf(filepath.Join(at, "go.mod")) == module {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("finding the functions' source: %s is %w: change to the checkout, or name a built function with --function", dir, ErrNoCheckout)
		}
	}
}

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

// Available are the names of the functions in a checkout.
func Available(checkout string) ([]string, error) {
	mains, err := filepath.Glob(filepath.Join(checkout, "functions", "*", "main.go"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, path := range mains {
		names = append(names, filepath.Base(filepath.Dir(path)))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("finding the functions' source: %s has none: restore it, or name a built function with --function", filepath.Join(checkout, "functions"))
	}
	return names, nil
}

// Build compiles a function of a checkout for this machine, with the deployment's flags,
// into a folder, and returns the executable.
func Build(ctx context.Context, checkout, name, folder string) (string, error) {
	binary, err := lambda.Build(ctx, lambda.BuildOptions{
		Package: "./functions/" + name, Dir: checkout,
		Out: filepath.Join(folder, name) + string(os.PathSeparator),
	})
	if err != nil && ctx.Err() == nil {
		return "", fmt.Errorf("%w: or name a built function with --function", err)
	}
	return binary, err
}
