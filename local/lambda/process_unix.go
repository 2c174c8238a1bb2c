//go:build unix && !linux

package lambda

import "syscall"

// processAttributes keep Ctrl-C of a terminal away from functions, whose life is the
// caller's to end. Nothing here ends them with a caller that is killed: Close does.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// peakMemory is unknown: these systems do not tell it of a running process.
func peakMemory(int) int64 { return 0 }
