package lambda

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// BuildOptions tells what to compile, and for which machine.
type BuildOptions struct {
	// Package is the function's main package: a path from the module's root that begins
	// with "./", as in ./functions/rotate-rds, or an import path.
	Package string
	// Out is the file to write, or a folder (an existing one, or a path that ends with a
	// separator), which then gets the file bootstrap, or bootstrap.exe for Windows.
	Out string
	// GOOS and GOARCH default to this machine, where the function then runs. Lambda needs
	// linux and arm64.
	GOOS, GOARCH string
	// Dir is any folder inside the module. Default: the working directory.
	Dir string
}

// Build compiles a function exactly as the deployment does, and returns the absolute path
// of the executable. The bytes depend only on the sources, the Go release and the target. The
// file is replaced at once, so that several processes may build the same one.
func Build(ctx context.Context, o BuildOptions) (string, error) {
	o.setDefaults()
	if o.Package == "" || o.Out == "" {
		return "", errors.New("building a function: the package and the output are both needed: set Package and Out")
	}
	root, err := moduleRoot(ctx, o.Dir)
	if err != nil {
		return "", fmt.Errorf("building %s: %w", o.Package, err)
	}
	if err := checkPackage(root, o.Package); err != nil {
		return "", fmt.Errorf("building %s: %w", o.Package, err)
	}
	out, err := o.outputFile()
	if err != nil {
		return "", fmt.Errorf("building %s: %w", o.Package, err)
	}
	partial := out + ".partial-" + rand.Text()
	defer func() { _ = os.Remove(partial) }()
	if err := o.compile(ctx, root, partial); err != nil {
		return "", fmt.Errorf("building %s for %s/%s: %w", o.Package, o.GOOS, o.GOARCH, err)
	}
	if err := os.Rename(partial, out); err != nil {
		return "", fmt.Errorf("building %s: replacing %s: %w", o.Package, out, err)
	}
	return out, nil
}

func (o *BuildOptions) setDefaults() {
	setDefault(&o.GOOS, runtime.GOOS)
	setDefault(&o.GOARCH, runtime.GOARCH)
}

func (o *BuildOptions) compile(ctx context.Context, root, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
		"-ldflags", "-s -w -buildid=", "-o", out, o.Package)
	cmd.Dir = root
	cmd.Env = goEnvironment("CGO_ENABLED=0", "GOOS="+o.GOOS, "GOARCH="+o.GOARCH)
	return runGo(cmd)
}

// outputFile makes the folder and returns the absolute path of the file.
func (o *BuildOptions) outputFile() (string, error) {
	out, err := filepath.Abs(o.Out)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(out)
	if err == nil && info.IsDir() || os.IsPathSeparator(o.Out[len(o.Out)-1]) {
		name := "bootstrap"
		if o.GOOS == "windows" {
			name += ".exe"
		}
		out = filepath.Join(out, name)
	}
	return out, os.MkdirAll(filepath.Dir(out), 0o755)
}

// moduleRoot finds the module that holds the folder.
func moduleRoot(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOMOD")
	cmd.Dir = dir
	cmd.Env = goEnvironment()
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := runGo(cmd); err != nil {
		return "", err
	}
	mod := strings.TrimSpace(out.String())
	if mod == "" || mod == os.DevNull {
		if dir == "" {
			dir = "the working directory"
		}
		return "", fmt.Errorf("%s is not inside a Go module: functions are compiled from rekey's source, change to its checkout", dir)
	}
	return filepath.Dir(mod), nil
}

// checkPackage words the commonest mistake better than the compiler does.
func checkPackage(root, pkg string) error {
	if !strings.HasPrefix(pkg, "./") {
		return nil
	}
	info, err := os.Stat(filepath.Join(root, filepath.FromSlash(pkg)))
	if err != nil || !info.IsDir() {
		return fmt.Errorf("the module at %s has no such folder: change to rekey's checkout, or correct the name", root)
	}
	return nil
}

// goEnvironment is this process's environment without what would change the result.
func goEnvironment(extra ...string) []string {
	drop := []string{"GOAMD64", "GOARM64", "GOARM", "GOEXPERIMENT", "GOFIPS140", "GOFLAGS", "GOWORK", "GOOS", "GOARCH", "CGO_ENABLED"}
	env := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(drop, name)
	})
	return append(append(env, "GOFLAGS=", "GOWORK=off"), extra...)
}

// runGo runs a go command; its error holds what the command wrote to stderr.
func runGo(cmd *exec.Cmd) error {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("the go command is not in PATH: install Go (https://go.dev/dl): %w", err)
	}
	if err != nil && stderr.Len() > 0 {
		return fmt.Errorf("go %s: %w:\n%s", cmd.Args[1], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return err
}
