package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor times in /proc: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
// (every Linux that Go runs on has 100 a second).
const tick = time.Second / 100

// processorTime is what the processes of a program have used, of those that this process
// started and that live. Zero where the system does not tell.
func processorTime(program string) time.Duration {
	var total time.Duration
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well formed
	for _, path := range found {
		command, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(command), program+"\x00") { // its first argument, or an interpreter's
			continue
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(path), "stat"))
		if err != nil {
			continue
		}
		// The name of the program, in parentheses, may hold anything; what follows does not.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		const parent, user, system = 1, 11, 12
		if len(fields) <= system || fields[parent] != strconv.Itoa(os.Getpid()) {
			continue
		}
		for _, i := range []int{user, system} {
			ticks, _ := strconv.Atoi(fields[i])
			total += time.Duration(ticks) * tick
		}
	}
	return total
}
