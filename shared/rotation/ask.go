package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Asker asks a person for a credential that only people are given: see [ErrWaiting].
type Asker interface {
	// Ask tells whoever is configured. It may be called again for the same secret
	// and token, as often as Secrets Manager tries the rotation.
	Ask(ctx context.Context, q Question) error
}

// Question is what a person is asked for: the value of a version that is pending.
type Question struct {
	SecretID string // the secret's ARN
	Token    string // the version
	Reason   string // why it cannot be made without a person
	Remedy   string // what to do
}

// waitFor asks, when the engine has said that it waits for a person. The rotation
// fails as far as Secrets Manager can tell, so that it goes no further, and is
// tried again; it is no failure to be alarmed about, unless nobody could be asked.
func (m *Machine) waitFor(ctx context.Context, r Request, md Metadata, cause error) (outcome, error) {
	if !errors.Is(cause, ErrWaiting) {
		return "", cause
	}
	if m.Asker == nil {
		r.Note(slog.Bool("asked", false))
		return waiting, cause
	}
	err := m.Asker.Ask(ctx, Question{SecretID: md.ARN, Token: r.Token, Reason: cause.Error(), Remedy: Hint(cause)})
	if err != nil {
		return "", WithHint(fmt.Errorf("asking a person for the new credential: %w", err), Hint(err))
	}
	r.Note(slog.Bool("asked", true))
	return waiting, cause
}
