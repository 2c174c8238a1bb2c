package confirm

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

const question = "Rotate 3 secrets?"

func TestYesIsNotAsked(t *testing.T) {
	t.Parallel()
	var prompt bytes.Buffer
	if err := ask(t.Context(), terminal.Plain(io.Discard), strings.NewReader("n\n"), &prompt, true, question); err != nil || prompt.Len() > 0 {
		t.Errorf("%v, after %q", err, prompt.String())
	}
}

// An answer that is piped in is nobody's.
func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	var prompt bytes.Buffer
	err := ask(t.Context(), terminal.Plain(io.Discard), strings.NewReader("y\n"), &prompt, false, question)
	var wrong *usage.Error
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), question) || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("got %v", err)
	}
	if prompt.Len() > 0 {
		t.Errorf("it asked %q", prompt.String())
	}
}
