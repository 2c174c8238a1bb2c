package detect

import (
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/state"
	"github.com/rekey-aws/rekey/shared/audit/state/boltstate"
)

// memory is what detections remember by: this process, or the file of --state; and its end.
func (r *Replay) memory() (audit.State, func() error, error) {
	if r.State == "" {
		return audit.NewMemory(), func() error { return nil }, nil
	}
	file, err := boltstate.Open(r.State)
	if err != nil {
		return nil, nil, usage.Errorf("--state: %v", err)
	}
	return state.New(file, nil), file.Close, nil
}
