//go:build unix

package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// nobody is who servers run as when we are root: they refuse to be root.
func asNobody() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: nobody, Gid: nobody}
}

// giveToServer makes a file or folder belong to the server's user.
func giveToServer(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, nobody, nobody)
}

func serverEnvironment(f *folder) []string {
	return []string{
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", "TZ=UTC",
		"HOME=" + f.dir, "TMPDIR=" + f.path("tmp"),
	}
}

// immediateSignal ends a server without tidying its data. PostgreSQL ends its
// children and gives its shared memory back on QUIT, which it could not on KILL.
func immediateSignal(e Engine) os.Signal {
	if e == Postgres {
		return syscall.SIGQUIT
	}
	return syscall.SIGKILL
}

// gracefulSignal ends a server's sessions and writes its data out.
func gracefulSignal(e Engine) os.Signal {
	if e == Postgres {
		return syscall.SIGINT
	}
	return syscall.SIGTERM
}

// family is the process and its descendants, parents first.
func (p *process) family() []int {
	family := []int{p.cmd.Process.Pid}
	parents := parentsOfAll()
	for i := 0; i < len(family); i++ {
		for child, parent := range parents {
			if parent == family[i] {
				family = append(family, child)
			}
		}
	}
	return family
}

// pause stops the process, then its children: a stopped parent makes no more of
// them. Stopped children would outlive us, so they get a guard.
func (p *process) pause() (*guard, error) {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return nil, err
	}
	family := p.family()
	g, err := newGuard(family...)
	if err != nil {
		return nil, errors.Join(err, p.resume())
	}
	for _, pid := range family[1:] {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // one that just ended is stopped enough
	}
	return g, nil
}

func (p *process) resume() error {
	family := p.family()
	for _, pid := range family[1:] {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	return p.cmd.Process.Signal(syscall.SIGCONT)
}

func killAll(pids []int) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// guard is a small process that kills others when we end, however we end: it
// waits for the end of a pipe whose other side is ours alone.
type guard struct {
	cmd  *exec.Cmd
	pipe io.Closer
}

const guardScript = `read -r line; kill -KILL "$@" 2>/dev/null`

func newGuard(pids ...int) (*guard, error) {
	arguments := []string{"-c", guardScript, "guard"}
	for _, pid := range pids {
		arguments = append(arguments, strconv.Itoa(pid))
	}
	cmd := exec.Command("/bin/sh", arguments...)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // out of reach of a terminal's Ctrl-C
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("making a guard: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("making a guard: %w", err)
	}
	return &guard{cmd, pipe}, nil
}

// release ends the guard without its doing anything.
func (g *guard) release() {
	_ = g.cmd.Process.Kill()
	_ = g.pipe.Close()
	_ = g.cmd.Wait() // killed: the error says so
}

// tryLock locks a file, if no living process has it locked.
func tryLock(path string) *os.File {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil
	}
	return f
}

// lockFile makes a file and locks it until it is closed or we end.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
	}
	return f, nil
}

// awaitLock is lockFile that waits while another process has it.
func awaitLock(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := lockFile(path)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for another process to release %s: %w", path, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
