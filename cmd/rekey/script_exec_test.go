package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// execCommands are for the scripts of rekey exec.
//
//	appears REGEXP FILE  wait until FILE is there and has a line like this
//	inmemory VARIABLE    an empty folder of tmpfs, which is removed with the script (Linux only)
var execCommands = map[string]scriptCommand{
	"appears": func(ts *testscript.TestScript, not bool, args []string) {
		if not || len(args) != 2 {
			ts.Fatalf("usage: appears REGEXP FILE")
		}
		want := regexp.MustCompile("(?m)" + args[0])
		var content []byte
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			content, _ = os.ReadFile(ts.MkAbs(args[1]))
			if want.Match(content) {
				return
			}
		}
		ts.Fatalf("there is no %s in %s:\n%s", args[0], args[1], content)
	},
	"inmemory": func(ts *testscript.TestScript, not bool, args []string) {
		if not || len(args) != 1 {
			ts.Fatalf("usage: inmemory VARIABLE")
		}
		dir, err := os.MkdirTemp("/dev/shm", "rekey-test-")
		ts.Check(err)
		scriptOf(ts).t.Cleanup(func() {
			_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error { return os.Chmod(path, 0o700) })
			_ = os.RemoveAll(dir)
		})
		ts.Setenv(strings.TrimPrefix(args[0], "$"), dir)
	},
}
