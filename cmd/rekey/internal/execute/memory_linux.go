package execute

import (
	"os"

	"golang.org/x/sys/unix"
)

// inMemory says whether a folder's file system keeps its files in memory only.
//
// https://man7.org/linux/man-pages/man2/statfs.2.html
func inMemory(path string) bool {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return false
	}
	kind := uint32(s.Type) //nolint:gosec // magic numbers have 32 bits
	return kind == unix.TMPFS_MAGIC || kind == unix.RAMFS_MAGIC
}

// maxString is MAX_ARG_STRLEN, 32 pages: the longest NAME=value with its NUL.
//
// https://man7.org/linux/man-pages/man2/execve.2.html#NOTES
func maxString() int { return 32 * os.Getpagesize() }

// maxTotal is what all arguments and variables may have: a quarter of the stack's limit, at
// most 6 MiB, at least 128 KiB; less what the kernel adds of its own.
func maxTotal() int {
	const least, most, reserve = 128 << 10, 6 << 20, 8 << 10
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_STACK, &limit); err != nil {
		return least - reserve
	}
	return int(min(max(limit.Cur/4, least), most)) - reserve
}
