package lambda

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestBuildIsReproducibleForTheDeployment(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for another processor")
	}
	var builds [2][]byte
	for i := range builds {
		dir := t.TempDir()
		t.Setenv("GOFLAGS", []string{"", "-tags=other"}[i])
		path, err := Build(t.Context(), BuildOptions{Package: "./local/lambda/testdata/raw", Out: dir, GOOS: "linux", GOARCH: "arm64"})
		if err != nil {
			t.Fatal(err)
		}
		if path != filepath.Join(dir, "bootstrap") {
			t.Errorf("built %s in %s", path, dir)
		}
		if goos, goarch := platformOf(path); goarch != "arm64" || runtime.GOOS == "linux" && goos != "linux" {
			t.Errorf("built for %s/%s", goos, goarch)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*partial*")); left != nil {
			t.Errorf("left behind: %v", left)
		}
		if builds[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(builds[0], builds[1]) {
		t.Error("two builds differ")
	}
}

func TestBuildErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module broken\n\ngo 1.26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { lost() }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	tests := []struct {
		name string
		o    BuildOptions
		want string
	}{
		{"nothing", BuildOptions{}, "set Package and Out"},
		{"outside a module", BuildOptions{Package: "./x", Out: out, Dir: os.TempDir()}, "is not inside a Go module"},
		{"no such folder", BuildOptions{Package: "./functions/nothing", Out: out}, "has no such folder"},
		{"does not compile", BuildOptions{Package: ".", Out: out, Dir: dir}, "undefined: lost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Build(t.Context(), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	t.Run("no go command", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, err := Build(t.Context(), BuildOptions{Package: "./x", Out: out}); err == nil || !strings.Contains(err.Error(), "the go command is not in PATH") {
			t.Errorf("error %v", err)
		}
	})
}

func TestZipIsDeterministic(t *testing.T) {
	dir := t.TempDir()
	var archives [2][]byte
	for i := range archives {
		binary, out := filepath.Join(dir, "binary"), filepath.Join(dir, "out.zip")
		if err := os.WriteFile(binary, bytes.Repeat([]byte("code "), 1000), []os.FileMode{0o600, 0o755}[i]); err != nil {
			t.Fatal(err)
		}
		size, err := Zip(binary, out)
		if err != nil {
			t.Fatal(err)
		}
		if archives[i], err = os.ReadFile(out); err != nil || int64(len(archives[i])) != size || size > 1000 {
			t.Errorf("size %d of %d bytes, error %v", size, len(archives[i]), err)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two archives differ")
	}
	archive, err := zip.NewReader(bytes.NewReader(archives[0]), int64(len(archives[0])))
	if err != nil || len(archive.File) != 1 {
		t.Fatalf("%d files, error %v", len(archive.File), err)
	}
	entry := archive.File[0]
	if entry.Name != "bootstrap" || entry.Mode() != 0o755 || !entry.Modified.Equal(zipTime) {
		t.Errorf("%s %v %s", entry.Name, entry.Mode(), entry.Modified)
	}
	content, err := entry.Open()
	if err != nil {
		t.Fatal(err)
	}
	if code, err := io.ReadAll(content); err != nil || len(code) != 5000 {
		t.Errorf("%d bytes, error %v", len(code), err)
	}
	if _, err := Zip(filepath.Join(dir, "missing"), filepath.Join(dir, "x.zip")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error %v", err)
	}
}
