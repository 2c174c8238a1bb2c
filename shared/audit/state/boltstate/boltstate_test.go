package boltstate_test

import (
	"path/filepath"
	"testing"

	"github.com/rekey-aws/rekey/shared/audit/state"
	"github.com/rekey-aws/rekey/shared/audit/state/boltstate"
	"github.com/rekey-aws/rekey/shared/audit/state/statetest"
)

func open(t *testing.T, path string) *boltstate.File {
	t.Helper()
	f, err := boltstate.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFile(t *testing.T) {
	t.Parallel()
	statetest.Exercise(t, func(t *testing.T) (state.Records, state.Records) {
		f := open(t, filepath.Join(t.TempDir(), "state.db"))
		t.Cleanup(func() {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
		return f, f
	})
}

func TestKeptAndHeld(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	f := open(t, path)
	k := state.Key{Partition: "p", Name: "n"}
	if ok, err := f.Swap(t.Context(), k, state.Record{Value: []byte(`1`)}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := boltstate.Open(path); err == nil {
		t.Error("two processes have it open")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = open(t, path)
	if r, err := f.Load(t.Context(), k); err != nil || r.Version != 1 {
		t.Errorf("it was not kept: %+v, %v", r, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
