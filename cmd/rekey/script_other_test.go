//go:build !linux

package main

// terminalCommands are for Linux.
var terminalCommands map[string]scriptCommand
