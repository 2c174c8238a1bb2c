//go:build unix && !linux

package database

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// endsWithUs: a guard must kill a server when we end.
const endsWithUs = false

const nobody = 4294967294 // -2, as macOS has it

// memoryFolder: there is none to count on.
func memoryFolder() string { return "" }

// serverAttributes are those of a server's processes: of its own user, out of
// reach of a terminal's Ctrl-C.
func serverAttributes(os.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: asNobody(), Setpgid: true}
}

// parentsOfAll maps every process to its parent.
func parentsOfAll() map[int]int {
	parents := map[int]int{}
	out, err := exec.Command("/bin/ps", "-axo", "pid=,ppid=").Output()
	if err != nil {
		return parents
	}
	for line := range strings.Lines(string(out)) {
		var pid, parent int
		if _, err := fmt.Sscan(line, &pid, &parent); err == nil {
			parents[pid] = parent
		}
	}
	return parents
}

// forgetSharedMemory: here the system's own limits are left to a restart.
func (p *process) forgetSharedMemory(*folder) {}
