package rotationtest

import (
	"context"
	"fmt"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Claim implements [rotation.Claimer].
func (s *Store) Claim(ctx context.Context, r rotation.Rotation, id string, note rotation.Value) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enter(ctx, "Claim", r.SecretID); err != nil {
		return err
	}
	switch {
	case len(id) < 32 || len(id) > 64:
		s.t.Errorf("illegal call: Claim of %s, which has %d characters", id, len(id))
	case r.RotationToken == "":
		s.t.Errorf("illegal call: Claim without the rotation token of the event")
	case note.Len() == 0:
		s.t.Errorf("illegal call: Claim without a note")
	}
	return s.Faults.Do("Claim", func() error {
		v := s.versions[id]
		if v != nil && v.value != nil {
			if v.value.Equal(note) {
				return nil
			}
			return fmt.Errorf("claim %s: %w", id, rotation.ErrConflict)
		}
		s.move(rotation.ClaimLabel, id)
		s.versions[id].value = &note
		return nil
	})
}
