package rotation_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// Whatever event comes, the machine answers with an error that has a kind, or succeeds; and
// AWSCURRENT is alive.
func FuzzEvent(f *testing.F) {
	const token, old = "token-00000000000000000000000000000001", "original-version-00000000000000000000"
	for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret} {
		text, _ := json.Marshal(rotation.Event{Step: step, SecretID: rotationtest.SecretID, Token: token})
		f.Add(text)
	}
	text, _ := json.Marshal(rotation.Retirement{SecretID: rotationtest.SecretID, Token: token, Old: old, At: epoch, Try: 1}.Event())
	f.Add(text)
	text, _ = json.Marshal(rotation.Retirement{SecretID: rotationtest.SecretID, Token: old, Old: token, At: epoch, Try: 12}.Event())
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		var e rotation.Event
		if json.Unmarshal(text, &e) != nil {
			return // Lambda's runtime refuses it
		}
		e.RotationToken = "rotation-token-of-the-test"
		w := newRetiring(t)
		plan := w.rotate()
		w.now = plan.At.Add(time.Hour)
		w.store.Begin()
		err := rotationtest.RunEvent(t.Context(), w.machine, e)
		var step *rotation.StepError
		if err != nil && (!errors.As(err, &step) || step.Kind == nil || step.Hint == "" || errors.Is(err, rotation.ErrInternal)) {
			t.Errorf("got %v", err)
		}
		w.consistent()
	})
}
