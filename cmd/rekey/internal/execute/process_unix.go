//go:build unix

package execute

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

// canBecome: this process can become the command, so that none is left beside it.
const canBecome = true

// ignoresInterrupt: as in the background of a script, where the shell has Ctrl-C ignored. It is
// read before main asks for the signal.
var ignoresInterrupt = signal.Ignored(os.Interrupt)

// become does not return, unless it fails.
func become(program string, args, environ []string) error {
	// What this process ignores, the command would ignore too. What it receives, it does not.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if ignoresInterrupt {
		signal.Ignore(os.Interrupt)
	}
	return syscall.Exec(program, args, environ)
}

// passedOn are the signals that people and service managers send.
var passedOn = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGWINCH,
}

// forwarded are the signals to pass on, from now until release.
func forwarded() (signals <-chan os.Signal, release func()) {
	if ignoresInterrupt {
		signal.Ignore(os.Interrupt)
	}
	c := make(chan os.Signal, 32)
	for _, s := range passedOn {
		if !signal.Ignored(s) { // as under nohup: the command shall ignore it too
			signal.Notify(c, s)
		}
	}
	// Ignored, it would be so for the command too. Received, writing fails as it does now.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return c, func() {
		signal.Stop(c)
		signal.Stop(broken)
		signal.Ignore(syscall.SIGPIPE)
	}
}

// ends says whether a signal asks for the end. QUIT may: on it a JVM shows its threads and goes on.
func ends(s os.Signal) bool { return s == syscall.SIGINT || s == syscall.SIGTERM }

// reachesAll says whether the command has had the signal already. A terminal sends what comes
// of its keys to all of the group of processes that it is in the hands of, and the command is
// in rekey's: so that Ctrl-Z, fg and pipes of shells work as they do without rekey.
func reachesAll(s os.Signal) bool {
	if s != syscall.SIGINT && s != syscall.SIGQUIT && s != syscall.SIGWINCH {
		return false
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false // there is none
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// signalNamed knows HUP and SIGHUP.
func signalNamed(name string) (os.Signal, error) {
	full := "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if s := unix.SignalNum(full); s != 0 {
		return s, nil
	}
	return nil, usage.Errorf("--signal %s: there is no such signal: give one such as HUP or USR1", name)
}

// codeOf is what shells make of an end.
func codeOf(state *os.ProcessState) int {
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return state.ExitCode()
}

// private makes sure that nobody else can read in a folder.
func private(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("looking at the folder of --files: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("--files: %s is no folder: give one, or one that does not exist yet", path)
	case ok && int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("--files: the folder %s is another user's: give one that does not exist yet", path)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("--files: others may read in the folder %s: chmod 700 it, or give one that does not exist yet", path)
	}
	return nil
}

// lock keeps the folder from being swept, as long as this process lives.
func (f *folder) lock() error {
	dir, err := f.root.Open(".")
	if err != nil {
		return fmt.Errorf("opening the folder of --files: %w", err)
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("--files: the folder %s is in use by another rekey exec: give each its own, or auto", f.path), dir.Close())
	}
	if _, err := os.Stat(f.path); err != nil {
		return errors.Join(fmt.Errorf("opening the folder of --files: %w", err), dir.Close())
	}
	f.held = dir
	return nil
}

// sweep removes what a rekey left behind that was killed and could not.
func sweep(place string) {
	left, _ := filepath.Glob(filepath.Join(place, ownFolders+"*")) // the pattern is right
	for _, path := range left {
		if private(path) != nil {
			continue
		}
		f := &folder{path: path}
		var err error
		if f.root, err = os.OpenRoot(path); err != nil {
			continue
		}
		if f.lock() == nil {
			_ = os.RemoveAll(path)
			_ = f.held.Close()
		}
		_ = f.root.Close()
	}
}
