package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// processorTime is what the processes of a program have used, of those that this process
// started and that live. Zero where the system does not tell.
// https://docs.kernel.org/scheduler/sched-stats.html (/proc/<pid>/schedstat)
func processorTime(program string) (total time.Duration) {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well formed
	for _, path := range found {
		command, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(command), program+"\x00") { // its first argument, or an interpreter's
			continue
		}
		process := filepath.Dir(path)
		status, err := os.ReadFile(filepath.Join(process, "status"))
		if err != nil || !strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			continue
		}
		threads, _ := filepath.Glob(filepath.Join(process, "task", "*", "schedstat"))
		for _, thread := range threads {
			text, _ := os.ReadFile(thread) // one that ended is not asked
			used, _, _ := strings.Cut(string(text), " ")
			ns, _ := strconv.ParseInt(used, 10, 64)
			total += time.Duration(ns)
		}
	}
	return total
}
