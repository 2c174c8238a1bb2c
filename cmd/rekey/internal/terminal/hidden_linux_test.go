package terminal

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal/terminaltest"
)

func TestHidden(t *testing.T) {
	t.Parallel()
	far, near := terminaltest.Open(t)
	defer near.Close()
	if _, err := io.WriteString(far, "an answer\n"); err != nil {
		t.Fatal(err)
	}
	var prompt bytes.Buffer
	got, err := Hidden(t.Context(), near, &prompt, "token")
	if got != "an answer" || err != nil || prompt.String() != "token (not shown): \n" {
		t.Errorf("%q, %v, after %q", got, err, prompt.String())
	}
}

// Ctrl-C ends the question, and leaves a terminal that shows what is typed.
func TestHiddenInterrupted(t *testing.T) {
	t.Parallel()
	_, near := terminaltest.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() {
		_, err := Hidden(ctx, near, io.Discard, "token")
		asked <- err
	}()
	for shows(t, near) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	select {
	case err := <-asked:
		if err == nil {
			t.Error("an answer that nobody gave")
		}
	case <-time.After(time.Minute):
		t.Fatal("it still waits")
	}
	if !shows(t, near) {
		t.Error("the terminal does not show what is typed")
	}
}

func shows(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}
