package database

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// folder is a server's private folder: configuration, certificates, data, logs. It
// belongs to the user that the server runs as. Its lock tells other processes that
// its owner lives: what a killed process left behind, the next one sweeps away.
type folder struct {
	dir  string
	lock *os.File
}

const folderPrefix = "rekey-db-"

var sweep sync.Once

// newFolder makes a folder: in memory where it can, since a data directory is a
// thousand small files.
func newFolder(e Engine) (*folder, error) {
	sweep.Do(sweepFolders)
	root := memoryFolder()
	if root == "" || e == Embedded { // whose program is copied there, and memory may be noexec
		root = os.TempDir()
	}
	dir, err := os.MkdirTemp(root, folderPrefix)
	if err != nil {
		return nil, fmt.Errorf("making a folder for the server: %w", err)
	}
	f := &folder{dir: dir}
	if f.lock, err = lockFile(f.path("lock")); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := giveToServer(dir); err != nil {
		return nil, errors.Join(err, f.remove())
	}
	if err := f.mkdir("tmp"); err != nil {
		return nil, errors.Join(err, f.remove())
	}
	return f, nil
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// write makes a file that only the server's user can read.
func (f *folder) write(name string, content []byte) error {
	path := f.path(name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	return giveToServer(path)
}

func (f *folder) mkdir(name string) error {
	if err := os.MkdirAll(f.path(name), 0o700); err != nil {
		return err
	}
	return giveToServer(f.path(name))
}

func (f *folder) exists(name string) bool {
	_, err := os.Stat(f.path(name))
	return err == nil
}

// discard removes a file, if it is there.
func (f *folder) discard(name string) error {
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// remove removes the folder with everything in it. A second time does nothing.
func (f *folder) remove() error {
	if f.lock == nil {
		return nil
	}
	var err error
	// A process that was just killed may still be writing its last file.
	for range 20 {
		if err = os.RemoveAll(f.dir); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	err = errors.Join(err, f.lock.Close())
	f.lock = nil
	return err
}

// sweepFolders removes the folders whose owner is gone. Failing to is no harm.
func sweepFolders() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if root := memoryFolder(); root != "" {
		more, _ := filepath.Glob(filepath.Join(root, folderPrefix+"*"))
		dirs = append(dirs, more...)
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < time.Minute {
			continue // perhaps being made this moment, and not locked yet
		}
		if lock := tryLock(filepath.Join(dir, "lock")); lock != nil {
			_ = os.RemoveAll(dir)
			_ = lock.Close()
		}
	}
}

// copyTree copies files and folders, for the server's user alone. Sockets, pipes
// and what vanishes meanwhile are left out.
func copyTree(from, to string, skip func(name string) bool) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		switch {
		case skip != nil && skip(name):
			return nil
		case entry.IsDir():
			if err := os.MkdirAll(target, 0o700); err != nil {
				return err
			}
		case entry.Type().IsRegular():
			if err := copyFile(path, target); err != nil {
				return err
			}
		default:
			return nil
		}
		return giveToServer(target)
	})
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(copySparse(target, source), target.Close())
}

// copySparse leaves holes where the source has only zeros, as most of a fresh data
// directory is: nothing is written there, and nothing is kept in memory.
func copySparse(target *os.File, source io.Reader) error {
	var zeros, buffer [64 << 10]byte
	var size int64
	for {
		n, err := io.ReadFull(source, buffer[:])
		if n > 0 && !bytes.Equal(buffer[:n], zeros[:n]) {
			if _, err := target.WriteAt(buffer[:n], size); err != nil {
				return err
			}
		}
		size += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return target.Truncate(size)
		}
		if err != nil {
			return err
		}
	}
}
