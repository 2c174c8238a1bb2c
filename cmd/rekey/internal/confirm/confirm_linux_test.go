package confirm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal/terminaltest"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]error{
		"y\n": nil, "Yes\n": nil, " y \n": nil,
		"n\n": ErrDeclined, "\n": ErrDeclined, "yep\n": ErrDeclined, "\x04": ErrDeclined, // Ctrl-D
	} {
		far, near := terminaltest.Open(t)
		if _, err := io.WriteString(far, typed); err != nil {
			t.Fatal(err)
		}
		var prompt bytes.Buffer
		err := ask(t.Context(), terminal.Plain(io.Discard), near, &prompt, false, question)
		_ = near.Close()
		if !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", typed, err, want)
		}
		if !strings.HasPrefix(prompt.String(), question+" [y/N]") {
			t.Errorf("asked %q", prompt.String())
		}
	}
}

// Ctrl-C is an answer too.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	_, near := terminaltest.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ask(ctx, terminal.Plain(io.Discard), near, io.Discard, false, question); !errors.Is(err, ErrDeclined) {
		t.Errorf("got %v", err)
	}
	_ = near.Close()
}
