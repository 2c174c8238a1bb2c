package lambda

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// instance is one process of a function with its own Runtime API: Lambda's execution
// environment. One goroutine at a time owns it; kill and alive may be called by any.
type instance struct {
	api     *runtimeAPI
	server  *http.Server
	cmd     *exec.Cmd
	output  *lineReader
	started time.Time     // just before the process was started
	exited  chan struct{} // closed when the process is gone

	doomed     atomic.Bool // killed, even if not gone yet
	stopping   sync.Once
	peakMemory int64
}

// startInstance starts the function's process and returns without waiting for it.
func startInstance(cfg *Config, logs *logWriter) (*instance, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a port for the Runtime API: %w", err)
	}
	output, err := newLineReader(logs)
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("opening a pipe for the output of %s: %w", cfg.Binary, err)
	}
	i := &instance{
		api:    newRuntimeAPI(),
		cmd:    exec.Command(cfg.Binary),
		output: output,
		exited: make(chan struct{}),
	}
	i.server = &http.Server{Handler: i.api.handler()}
	go func() { _ = i.server.Serve(listener) }() // ends with stop
	// One pipe for both streams keeps their order, as in the function's log stream.
	i.cmd.Stdout, i.cmd.Stderr = output.end(), output.end()
	i.cmd.Dir = filepath.Dir(cfg.Binary)
	i.cmd.Env = environment(cfg, listener.Addr().String())
	i.cmd.SysProcAttr = processAttributes()
	started := make(chan error)
	go i.supervise(started)
	if err := <-started; err != nil {
		_ = i.server.Close()
		output.close()
		return nil, fmt.Errorf("starting the function's binary: %w: build it for %s/%s", err, runtime.GOOS, runtime.GOARCH)
	}
	return i, nil
}

// supervise starts the process and waits for its end, on one thread: on Linux the process
// is told to end with the thread that started it, and so must not outlive its purpose.
func (i *instance) supervise(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	i.started = time.Now()
	err := i.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = i.cmd.Wait() // the status is in ProcessState
	close(i.exited)
}

// alive reports whether the process can take an invocation.
func (i *instance) alive() bool {
	select {
	case <-i.exited:
		return false
	default:
		return !i.doomed.Load()
	}
}

// exitStatus words the process's end. It waits for it.
func (i *instance) exitStatus() string {
	<-i.exited
	return i.cmd.ProcessState.String()
}

// initError returns the error that the function posted before it ended, or nil.
func (i *instance) initError(requestID string) *FunctionError {
	select {
	case ev := <-i.api.events:
		if ev.kind == eventInitError {
			return reportedError(requestID, ev.body, ev.errorType)
		}
	default:
	}
	return nil
}

// sampleMemory keeps the process's peak, since it cannot be read once the process is gone.
func (i *instance) sampleMemory() {
	if peak := peakMemory(i.cmd.Process.Pid); peak > i.peakMemory {
		i.peakMemory = peak
	}
}

// flushLogs returns when all that the process has written so far is in the logs.
func (i *instance) flushLogs() { i.output.flush() }

// kill begins the process's end, without a chance to clean up, as Lambda does it.
func (i *instance) kill() {
	i.doomed.Store(true)
	_ = i.cmd.Process.Kill() // an error means that it is gone already
}

// stop ends the process and all that belongs to it, and returns when they are gone.
func (i *instance) stop() {
	i.stopping.Do(func() {
		i.kill()
		<-i.exited
		_ = i.server.Close()
		i.output.close()
	})
}
