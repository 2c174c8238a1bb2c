package execute

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/mask"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// run starts the command and stays beside it, until it has ended: for its output, its files
// and its rotations.
func (j *job) run(ctx context.Context) (err error) {
	signals, release := forwarded()
	defer release()
	if ctx.Err() != nil {
		return errInterrupted
	}
	if j.command.Files != "" {
		if j.folder, err = openFolder(j.command.Files, j.command.AllowDisk, j.environ); err != nil {
			return err
		}
		defer func() {
			if left := j.folder.remove(); err == nil {
				err = left
			} else if left != nil {
				j.complain("%v", left) // and the command's own exit code
			}
		}()
	}
	environ, err := j.deliver()
	if err != nil {
		return err
	}
	out, err := j.output()
	if err != nil {
		return err
	}
	defer out.close()
	watching, stop := context.WithCancel(context.WithoutCancel(ctx)) // signals are the command's
	defer stop()
	first, err := j.start(watching, environ, out)
	if err != nil {
		return err
	}
	r := &running{job: j, out: out, child: first, environ: environ, signals: signals}
	if j.command.Refresh > 0 {
		r.news = make(chan news)
		go j.watch(watching, r.news)
	}
	return r.untilItEnds(watching)
}

// deliver has the values masked, writes the files, and is the environment.
func (j *job) deliver() ([]string, error) {
	environ, err := j.environment()
	if err != nil {
		return nil, err
	}
	if j.command.Mask {
		if err := j.hide(); err != nil {
			return nil, err
		}
	}
	if j.folder == nil {
		return environ, nil
	}
	variables, err := j.variables()
	if err != nil {
		return nil, err
	}
	return environ, j.folder.write(variables)
}

// child is the command as a process.
type child struct {
	process *os.Process
	ended   chan struct{} // closed then
	code    int           // after that
}

func (j *job) start(ctx context.Context, environ []string, out *output) (*child, error) {
	// It does not end with the context: signals are passed on to it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), j.program, j.command.Command[1:]...)
	cmd.Args[0] = j.command.Command[0]
	cmd.Env = environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, out.stdout, out.stderr
	if err := cmd.Start(); err != nil {
		return nil, startFailed(j.program, errors.Unwrap(err))
	}
	c := &child{process: cmd.Process, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its files are files: nothing but the end can be said
		c.code = codeOf(cmd.ProcessState)
		close(c.ended)
	}()
	return c, nil
}

// output is where the command writes to.
type output struct {
	stdout, stderr *os.File
	copies         sync.WaitGroup // of what is masked
	reading        []*os.File
}

// output is rekey's own, or pipes with a mask. They outlive restarts.
func (j *job) output() (*output, error) {
	o := &output{stdout: os.Stdout, stderr: os.Stderr}
	if !j.command.Mask {
		return o, nil
	}
	for _, stream := range []**os.File{&o.stdout, &o.stderr} {
		to := *stream
		reading, writing, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("making a pipe for the command's output: %w", err)
		}
		*stream = writing
		o.reading = append(o.reading, reading)
		o.copies.Go(func() {
			masked := mask.NewWriter(to, &j.masked)
			_, _ = io.Copy(masked, reading)
			_ = masked.Flush()
			// If nobody reads what is written, the command learns it as it would without rekey.
			_ = reading.Close()
		})
	}
	return o, nil
}

// lingering is how long others that the command started may write after its end.
const lingering = 5 * time.Second

// close waits for the rest of the output.
func (o *output) close() {
	if o.reading == nil {
		return
	}
	_, _ = o.stdout.Close(), o.stderr.Close()
	done := make(chan struct{})
	go func() { o.copies.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(lingering):
		for _, reading := range o.reading {
			if reading.SetReadDeadline(time.Now()) != nil {
				return // Windows' pipes have none: what is held back is lost
			}
		}
		<-done
	}
}

// running is the command while it runs.
type running struct {
	job     *job
	out     *output
	child   *child
	environ []string
	signals <-chan os.Signal
	news    chan news

	restarting bool
	ending     bool        // by a signal to rekey: it is not started again
	patience   *time.Timer // of a restart
	said       string      // why the last rotation was not handed over
}

func (r *running) untilItEnds(ctx context.Context) (err error) {
	r.patience = time.NewTimer(0)
	<-r.patience.C
	for {
		select {
		case s := <-r.signals:
			r.pass(s)
		case n := <-r.news:
			r.hear(n)
		case <-r.patience.C:
			r.job.complain("the command did not end within %v of --grace: killed", r.job.command.Grace)
			_ = r.child.process.Kill()
		case <-r.child.ended:
			r.patience.Stop()
			if !r.restarting || r.ending {
				return r.end()
			}
			r.restarting = false
			if r.child, err = r.job.start(ctx, r.environ, r.out); err != nil {
				return err
			}
		}
	}
}

func (r *running) end() error {
	if r.child.code == 0 {
		return nil
	}
	return ended(r.child.code)
}

// pass passes a signal on.
func (r *running) pass(s os.Signal) {
	r.ending = r.ending || ends(s)
	if !reachesAll(s) {
		_ = r.child.process.Signal(s) // it may have ended
	}
}

// hear takes the secrets that were rotated, and tells the command.
func (r *running) hear(n news) {
	j := r.job
	if n.err != nil {
		j.complain("looking for rotated secrets: %v; the command keeps what it has", n.err)
	}
	before := j.secrets.current
	names := changed(before, n.current)
	if len(names) == 0 {
		return
	}
	j.secrets.current = n.current
	environ, err := j.deliver()
	if err != nil { // until the next look, which may find room in the folder
		if said := err.Error(); said != r.said {
			j.complain("%s was rotated, and cannot be handed over: %s; the command keeps what it has", terminal.List(names), said)
			r.said = said
		}
		j.secrets.current = before
		_, _ = j.deliver() // the files as they were
		return
	}
	r.environ, r.said = environ, ""
	switch {
	case !j.command.Restart:
		_ = r.child.process.Signal(j.command.signal)
	case !r.restarting:
		if errors.Is(terminate(r.child.process), os.ErrProcessDone) {
			return // it ended by itself: it is not started again
		}
		r.restarting = true
		r.patience.Reset(j.command.Grace)
	}
}

// news is what came of looking for rotated secrets.
type news struct {
	current []held
	err     error // the first since it went well
}

// watch looks for rotated secrets until ctx ends.
func (j *job) watch(ctx context.Context, to chan<- news) {
	failing := false
	looking := reader{cache: j.secrets.cache, wanted: j.secrets.wanted, current: j.secrets.current}
	for {
		every := j.command.Refresh
		select {
		case <-ctx.Done():
			return
		// A fleet that was started at once does not ask at once.
		case <-time.After(every - rand.N(every/10+1)): //nolint:gosec // when to ask is nobody's secret
		}
		current, err := looking.newer(ctx)
		looking.current = current
		n := news{current: current, err: err}
		if failing {
			n.err = nil // was said
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case to <- n:
		}
	}
}
