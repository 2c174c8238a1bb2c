package database

import (
	"context"
	"errors"
	"os"
	"syscall"
)

// endsWithUs: nothing ends a server when we are killed; Stop does.
const endsWithUs = true

// memoryFolder: there is none to count on.
func memoryFolder() string { return "" }

func giveToServer(string) error { return nil }

func serverAttributes(os.Signal) *syscall.SysProcAttr { return nil }

// serverEnvironment passes on the one variable that sockets need on Windows.
func serverEnvironment(f *folder) []string {
	return []string{"SystemRoot=" + os.Getenv("SystemRoot"), "TEMP=" + f.path("tmp"), "TMP=" + f.path("tmp")}
}

func immediateSignal(Engine) os.Signal { return os.Kill }

func gracefulSignal(Engine) os.Signal { return os.Kill }

func (p *process) family() []int { return nil }

func killAll([]int) {}

var errNoPause = errors.New("Windows cannot pause a process; use Linux, macOS or WSL")

func (p *process) pause() (*guard, error) { return nil, errNoPause }

func (p *process) resume() error { return errNoPause }

func (p *process) forgetSharedMemory(*folder) {}

// guard does not exist here.
type guard struct{}

func newGuard(...int) (*guard, error) { return &guard{}, nil }

func (g *guard) release() {}

// tryLock never succeeds: what a killed process left behind stays.
func tryLock(string) *os.File { return nil }

func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

func awaitLock(_ context.Context, path string) (*os.File, error) { return lockFile(path) }
