package inject

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

// checkFile refuses what is no file to be replaced, before anything is fetched.
func checkFile(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return fmt.Errorf("--out-file: the folder of %s cannot be used: %w", path, err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("--out-file: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return usage.Errorf("--out-file: %s is a symbolic link: name the file itself", path)
	case !info.Mode().IsRegular():
		return usage.Errorf("--out-file: %s is not a file: name one, or leave --out-file out for standard output", path)
	}
	return nil
}

// writeFile makes or replaces a file of mode 0600, which is there whole or not at all.
func writeFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
