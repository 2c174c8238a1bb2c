package database

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// endsWithUs: the system kills a server when we end.
const endsWithUs = true

const nobody = 65534

// memoryFolder is a folder in memory with room to spare, or empty. Someone who set
// TMPDIR is taken at their word.
func memoryFolder() string {
	const folder, plenty = "/dev/shm", 4 << 30
	var fs unix.Statfs_t
	if os.Getenv("TMPDIR") != "" || unix.Statfs(folder, &fs) != nil ||
		fs.Type != unix.TMPFS_MAGIC || fs.Bavail*uint64(fs.Bsize) < plenty {
		return ""
	}
	return folder
}

// serverAttributes are those of a server's processes: of its own user, out of
// reach of a terminal's Ctrl-C, ended with us (by SIGKILL when atOurEnd is nil).
func serverAttributes(atOurEnd os.Signal) *syscall.SysProcAttr {
	signal, ok := atOurEnd.(syscall.Signal)
	if !ok {
		signal = syscall.SIGKILL
	}
	return &syscall.SysProcAttr{Credential: asNobody(), Setpgid: true, Pdeathsig: signal}
}

// parentsOfAll maps every process to its parent.
func parentsOfAll() map[int]int {
	parents := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path))) // the pattern: digits
		// The name, in parentheses, may hold anything; the parent is the second field after it.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 {
			parents[pid], _ = strconv.Atoi(fields[1])
		}
	}
	return parents
}

// forgetSharedMemory gives back the small segment that a killed PostgreSQL leaves:
// the system keeps it for ever otherwise. The pid file, still there after a kill
// only, has its number.
func (p *process) forgetSharedMemory(f *folder) {
	content, err := os.ReadFile(f.path("data/postmaster.pid"))
	if err != nil {
		return
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) < 7 {
		return
	}
	fields := strings.Fields(lines[6])
	if len(fields) != 2 {
		return
	}
	id, err := strconv.Atoi(fields[1])
	if err != nil {
		return
	}
	var segment unix.SysvShmDesc
	if _, err := unix.SysvShmCtl(id, unix.IPC_STAT, &segment); err == nil && segment.Nattch == 0 {
		_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	}
}
