package main

import (
	"errors"
	"io"
	"os/exec"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal/terminaltest"
)

// terminalCommands start programs on a terminal.
var terminalCommands = map[string]scriptCommand{"typed": typed}

// typed starts a program whose standard input and output are a terminal, its own.
func typed(ts *testscript.TestScript, not bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: typed TEXT PROGRAM ARG…")
	}
	s := scriptOf(ts)
	master, slave := terminaltest.Open(s.t)
	program, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd := exec.CommandContext(s.t.Context(), program, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range scriptVariables {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ts.Check(cmd.Start())
	_ = slave.Close()
	// What is typed ahead waits in the terminal until it is read.
	_, err = io.WriteString(master, strings.ReplaceAll(args[0], `\n`, "\n"))
	ts.Check(err)
	// At the end of all that wrote to it, reading a terminal's other end is an error: EIO.
	_, _ = io.Copy(ts.Stdout(), master)
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	if not != (err != nil) {
		ts.Fatalf("it ended with %v", err)
	}
}

// scriptVariables are what a program gets of a script's environment.
var scriptVariables = []string{
	"PATH", "HOME", "TMPDIR", "TERM", "NO_COLOR", "S", "GOCOVERDIR",
	"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED", "AWS_PROFILE",
}
