package state

import (
	"bytes"
	"context"
	"maps"
	"sync"
)

// Memory is Records in this process. The zero value is empty. Nothing is ever dropped: it is
// for tests, and for a function without a table, which Lambda ends within hours.
type Memory struct {
	mu      sync.Mutex
	records map[Key]Record
}

// Load is as in Records; it does not fail.
func (m *Memory) Load(_ context.Context, k Key) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records[k], nil
}

// Swap is as in Records; it does not fail.
func (m *Memory) Swap(_ context.Context, k Key, r Record) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[k].Version != r.Version {
		return false, nil
	}
	if m.records == nil {
		m.records = map[Key]Record{}
	}
	r.Version, r.Value = r.Version+1, bytes.Clone(r.Value)
	m.records[k] = r
	return true, nil
}

// List is as in Records; it does not fail.
func (m *Memory) List(_ context.Context, partition string) (map[string]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string]Record{}
	for k, r := range maps.All(m.records) {
		if k.Partition == partition {
			found[k.Name] = r
		}
	}
	return found, nil
}
