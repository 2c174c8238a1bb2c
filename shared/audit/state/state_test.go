package state_test

import (
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/state"
	"github.com/rekey-aws/rekey/shared/audit/state/statetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	statetest.Exercise(t, func(*testing.T) (state.Records, state.Records) {
		m := &state.Memory{}
		return m, m
	})
}

// What is no document of this version is an error, which is forwarded as such.
func TestForeignDocument(t *testing.T) {
	t.Parallel()
	m := &state.Memory{}
	if ok, err := m.Swap(t.Context(), state.Key{Partition: "seen k", Name: "-"}, state.Record{Value: []byte(`"other"`)}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := state.New(m, nil).See(t.Context(), "k", time.Now(), time.Hour); err == nil {
		t.Error("it was taken for a document")
	}
}

// A detection that is gone with an update ends its reminders without a word of it.
func TestUnknownDetection(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := state.New(&state.Memory{}, func() time.Time { return now })
	for _, key := range []string{"first", "second"} {
		if _, err := b.Join(t.Context(), audit.Finding{Key: key, Incident: "i", Count: 1, Detection: &audit.Detection{ID: "gone"}}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Hour)
	for range 2 {
		if due, err := b.Reminders(t.Context(), time.Minute); err != nil || len(due) != 0 {
			t.Errorf("got %v, %v", due, err)
		}
	}
}
