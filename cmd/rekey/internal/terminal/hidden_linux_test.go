package terminal

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

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
	for terminaltest.Shows(t, near) {
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
	if !terminaltest.Shows(t, near) {
		t.Error("the terminal does not show what is typed")
	}
}
