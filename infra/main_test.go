package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The CDK's command line runs the app in infra, a person in the repository's root: both name
// the file as they see it.
func TestFilesAreFoundFromBothFolders(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"infra", "examples"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "examples", "minimal.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{".": "examples/minimal.yaml", "infra": "../examples/minimal.yaml"} {
		t.Chdir(filepath.Join(root, dir))
		if got := filepath.ToSlash(find("examples/minimal.yaml")); got != want {
			t.Errorf("in %s: %s, want %s", dir, got, want)
		}
		if got := find("missing.yaml"); got != "missing.yaml" {
			t.Errorf("in %s: a file that is nowhere becomes %s", dir, got)
		}
	}
}

func TestContextIsKeyAndValue(t *testing.T) {
	v := values{}
	if err := v.Set("config=a=b.yaml"); err != nil || v["config"] != "a=b.yaml" {
		t.Errorf("%v, error %v", v, err)
	}
	if err := v.Set("config"); err == nil {
		t.Error("a key without a value passed")
	}
}
