// Package usage is for command lines that ask for what cannot be.
package usage

import "fmt"

// ExitCode is what a command that was called wrongly exits with.
const ExitCode = 2

// Error says what is wrong with the way a command was called, and how to call it. It is told
// before anything is done.
type Error struct{ text string }

// Errorf makes an [Error], in the manner of fmt.Sprintf: "--flag: what is wrong: what to give".
func Errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

func (e *Error) Error() string { return e.text }

// ExitCode is [ExitCode].
func (e *Error) ExitCode() int { return ExitCode }
