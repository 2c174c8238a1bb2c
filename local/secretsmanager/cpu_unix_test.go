//go:build unix

package secretsmanager_test

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime is the processor time that this process has used.
func cpuTime(tb testing.TB) time.Duration {
	var usage syscall.Rusage
	must(0, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))(tb)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
