package database

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// process is a server's main process, started and waited for by this package.
type process struct {
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended
	outcome error         // how it ended; valid after done, never nil
	guard   *guard        // nil where the system itself ends it with us
}

var errEndedWell = errors.New("exit status 0")

// startProcess starts a server in its folder, as the server's user, with its
// output in server.log.
func startProcess(f *folder, argv []string, engine Engine) (*process, error) {
	if err := f.touch("server.log"); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(f.path("server.log"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	cmd := serverCommand(f, argv)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = serverAttributes(immediateSignal(engine))
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// Linux ends the child when the thread that made it ends: keep the thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = log.Close() // the child has its own
		started <- err
		if err != nil {
			return
		}
		if p.outcome = cmd.Wait(); p.outcome == nil {
			p.outcome = errEndedWell
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, explainStart(argv[0], err)
	}
	if !endsWithUs {
		if p.guard, err = newGuard(cmd.Process.Pid); err != nil {
			return nil, errors.Join(err, p.kill())
		}
	}
	return p, nil
}

// serverCommand prepares a program of a server: in its folder, as its user, with
// an environment that holds nothing of ours.
func serverCommand(f *folder, argv []string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = f.dir
	cmd.Env = serverEnvironment(f)
	cmd.SysProcAttr = serverAttributes(nil)
	return cmd
}

// runTool runs a server's tool to its end; its output becomes the error's text.
func runTool(f *folder, stdin io.Reader, argv ...string) error {
	cmd := serverCommand(f, argv)
	cmd.Stdin = stdin
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if len(out) == 0 {
		return explainStart(argv[0], err)
	}
	return fmt.Errorf("running %s: %w:\n%s", argv[0], err, out)
}

func explainStart(program string, err error) error {
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() == 0 {
		return fmt.Errorf("starting %s: %w; as root, servers run as user nobody, who must be able to read the program: not under a home folder", program, err)
	}
	return fmt.Errorf("starting %s: %w", program, err)
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// end asks the process to end and, when it has not after patience, kills it.
func (p *process) end(signal os.Signal, patience time.Duration) error {
	if p.ended() {
		return p.kill()
	}
	if err := p.cmd.Process.Signal(signal); err == nil {
		select {
		case <-p.done:
		case <-time.After(patience):
		}
	}
	return p.kill()
}

// kill ends the process with its children at once and waits until it is gone.
func (p *process) kill() error {
	if !p.ended() {
		family := p.family()
		// Its children end with it, unless they are stopped.
		_ = p.cmd.Process.Kill()
		killAll(family)
	}
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		return fmt.Errorf("process %d does not end, though killed", p.cmd.Process.Pid)
	}
	if p.guard != nil {
		p.guard.release()
		p.guard = nil
	}
	return nil
}

// touch makes an empty file, if it is not there.
func (f *folder) touch(name string) error {
	if f.exists(name) {
		return nil
	}
	return f.write(name, nil)
}
