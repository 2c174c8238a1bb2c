//go:build !unix

package execute

import (
	"fmt"
	"os"
	"os/signal"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

// canBecome: a process cannot become another program here, and stays beside it.
const canBecome = false

func become(string, []string, []string) error { panic("unreachable: canBecome is false") }

// forwarded is Ctrl-C only, which reaches the command too: so it is only kept from ending rekey.
func forwarded() (signals <-chan os.Signal, release func()) {
	c := make(chan os.Signal, 8)
	signal.Notify(c, os.Interrupt)
	return c, func() { signal.Stop(c) }
}

func ends(os.Signal) bool { return true }

func reachesAll(os.Signal) bool { return true }

// terminate ends it at once: there is no signal that asks.
func terminate(p *os.Process) error { return p.Kill() }

func signalNamed(name string) (os.Signal, error) {
	return nil, usage.Errorf("--signal %s: there are no signals on this system: use --restart", name)
}

func codeOf(state *os.ProcessState) int { return state.ExitCode() }

// private: what may be read here, modes do not say.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("looking at the folder of --files: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("--files: %s is no folder: give one, or one that does not exist yet", path)
	}
	return nil
}

func (*folder) lock() error { return nil }

func sweep(string) {}
