package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

var errInterrupted = errors.New("interrupted: nothing was changed")

// Hidden asks on a terminal for a line, which is not shown. At the end of ctx it gives up, and
// the terminal shows again what is typed.
func Hidden(ctx context.Context, in *os.File, prompt io.Writer, what string) (string, error) {
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", errInterrupted
	}
	_, _ = fmt.Fprintf(prompt, "%s (not shown): ", what)
	defer func() { _, _ = fmt.Fprintln(prompt) }()
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // which may wait longer than ctx
		text, err := term.ReadPassword(fd)
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		return string(a.text), a.err
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		return "", errInterrupted
	}
}
