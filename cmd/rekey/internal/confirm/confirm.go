// Package confirm asks before a command does what cannot be undone easily.
package confirm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

// ErrDeclined is the answer no.
var ErrDeclined = errors.New("not confirmed: nothing was changed")

// Ask asks on a terminal whether to go on, and returns nil if the answer is yes; else
// ErrDeclined, also when ctx ends. With yes (the flag --yes) it does not ask. Where standard input
// is no terminal there is nobody to ask: that is a *usage.Error, which names --yes. Say what
// will be done before, and call it before anything is changed. A nil stdin is os.Stdin.
func Ask(ctx context.Context, screen *terminal.Terminal, stdin io.Reader, yes bool, question string) error {
	return ask(ctx, screen, stdin, os.Stderr, yes, question)
}

func ask(ctx context.Context, screen *terminal.Terminal, stdin io.Reader, prompt io.Writer, yes bool, question string) error {
	if yes {
		return nil
	}
	if stdin == nil {
		stdin = os.Stdin
	}
	if !terminal.Is(stdin) {
		return usage.Errorf("%s Nobody can be asked here: say --yes to go on", question)
	}
	screen.Stop()
	if _, err := fmt.Fprintf(prompt, "%s [y/N] ", question); err != nil {
		return fmt.Errorf("asking: %w", err)
	}
	answer := make(chan string, 1)
	go func() { // which may wait longer than ctx
		line, _ := bufio.NewReader(stdin).ReadString('\n') // at its end: no
		answer <- line
	}()
	select {
	case <-ctx.Done():
		_, _ = fmt.Fprintln(prompt)
		return ErrDeclined
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return ErrDeclined
	}
}
