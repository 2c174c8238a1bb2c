//go:build !linux

package execute

import "runtime"

// inMemory: of no folder here is it known.
func inMemory(string) bool { return false }

// maxString is the longest NAME=value: on Windows 32,767 characters in all
// (https://learn.microsoft.com/en-us/windows/win32/procthread/environment-variables), else
// only what all have together.
func maxString() int {
	if runtime.GOOS == "windows" {
		return 32767
	}
	return maxTotal()
}

// maxTotal is what all arguments and variables may have: ARG_MAX of the BSDs and macOS is 256
// KiB or more.
func maxTotal() int {
	if runtime.GOOS == "darwin" {
		return 1 << 20
	}
	return 256 << 10
}
