package execute

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// automatic is the folder that rekey makes itself.
const automatic = "auto"

// folder holds values in files, of mode 0600.
type folder struct {
	path string
	root *os.Root
	made bool // by this rekey: it goes with its files
	has  map[string]bool
	held *os.File // the lock
}

// openFolder makes the folder of --files, or takes one that nobody else can read.
func openFolder(path string, allowDisk bool, environ []string) (*folder, error) {
	if path == automatic {
		return ownFolder(allowDisk, environ)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("--files: %w", err)
	}
	err = os.Mkdir(path, 0o700)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the folder of --files: %w: give one in a folder that is there", err)
	}
	f := &folder{path: path, made: made}
	if err := f.open(allowDisk); err != nil {
		if made {
			err = errors.Join(err, os.Remove(path))
		}
		return nil, err
	}
	return f, nil
}

// ownFolder makes one in memory.
func ownFolder(allowDisk bool, environ []string) (*folder, error) {
	places := []string{variableOf(environ, "XDG_RUNTIME_DIR"), "/dev/shm"}
	if allowDisk {
		places = append(places, os.TempDir())
	}
	for _, place := range places {
		if place == "" || !allowDisk && !inMemory(place) {
			continue
		}
		sweep(place)
		// Another rekey may take it for one that was left behind, until it is locked.
		for range 3 {
			path, err := os.MkdirTemp(place, ownFolders)
			if err != nil {
				break
			}
			f := &folder{path: path, made: true}
			if err := f.open(allowDisk); err == nil {
				return f, nil
			}
			_ = os.Remove(path)
		}
	}
	return nil, errors.New("there is no folder in memory here that can be written to: give one (--files DIR), or let the files be on a disk (--allow-disk)")
}

// ownFolders is how they are called.
const ownFolders = "rekey-exec-"

func (f *folder) open(allowDisk bool) error {
	if !allowDisk && !inMemory(f.path) {
		return fmt.Errorf("the folder %s is not in memory: what is written to a disk can stay there. Give one on tmpfs, such as below /dev/shm, or --files auto; or --allow-disk", f.path)
	}
	if err := private(f.path); err != nil {
		return err
	}
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return fmt.Errorf("opening the folder of --files: %w", err)
	}
	f.root, f.has = root, map[string]bool{}
	return f.lock()
}

// variable is the one that names the file of another.
func (f *folder) variable(v variable) variable {
	v.value = rotation.TextValue(filepath.Join(f.path, v.name))
	v.name += "_FILE"
	return v
}

// write replaces the files, each at once: a reader sees the old value or the new one. Files of
// values that are no more are removed.
func (f *folder) write(variables []variable) error {
	now := map[string]bool{}
	for _, v := range variables {
		now[v.name] = true
		if err := f.replace(v); err != nil {
			return fmt.Errorf("writing the file of %s: %w", v.place(), err)
		}
		f.has[v.name] = true
	}
	for name := range f.has {
		if !now[name] {
			if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("removing a file of --files: %w", err)
			}
			delete(f.has, name)
		}
	}
	return nil
}

func (f *folder) replace(v variable) error {
	fresh := "." + v.name + ".new"
	if err := f.root.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := f.root.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(v.value.Reveal())
	if err = errors.Join(err, file.Close()); err == nil {
		err = f.root.Rename(fresh, v.name)
	}
	if err != nil {
		_ = f.root.Remove(fresh)
	}
	return err
}

// remove removes the files, and the folder if it was made for them.
func (f *folder) remove() error {
	var failed error
	for name := range f.has {
		if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = fmt.Errorf("removing the file %s: %w: remove it, it holds a secret", filepath.Join(f.path, name), err)
		}
	}
	if f.made {
		if err := os.Remove(f.path); failed == nil && err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = fmt.Errorf("removing the folder of --files: %w", err)
		}
	}
	if f.held != nil {
		_ = f.held.Close()
	}
	_ = f.root.Close()
	return failed
}

func variableOf(environ []string, name string) (value string) {
	for _, v := range environ {
		if rest, found := strings.CutPrefix(v, name+"="); found {
			value = rest
		}
	}
	return value
}
