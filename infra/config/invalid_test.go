package config_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/infra/config"
)

var update = flag.Bool("update", false, "write testdata anew")

// Each file of testdata/invalid is refused with exactly the words beside it.
func TestEverythingWrongIsTold(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = config.Parse(filepath.Base(file), text)
			var invalid *config.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("%v, want an InvalidError", err)
			}
			if strings.Contains(strings.ToLower(err.Error()), "not-for-the-eyes") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			got := []byte(err.Error() + "\n")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("go test -update, if this is meant (-want +got):\n%s", cmp.Diff(string(want), string(got)))
			}
		})
	}
}
