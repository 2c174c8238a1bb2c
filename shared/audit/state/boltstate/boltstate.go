// Package boltstate keeps the state of detections and alerts in a file, for one machine: for
// recordings that are longer than memory, and for what is learned from one to be known in the
// next.
package boltstate

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/rekey-aws/rekey/shared/audit/state"
)

// File is [state.Records] in a file of one process. What was written last may be lost with the
// machine, not with the process. Close it.
type File struct{ db *bolt.DB }

var _ state.Records = (*File)(nil)

// patience is how long another process that uses the file is waited for.
const patience = 2 * time.Second

// Open opens a file, or makes it, readable by its owner only.
func Open(path string) (*File, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: patience, NoSync: true})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("opening the state %s: another process uses it: end that, or name another file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the state %s: %w: name another file, or remove this one to begin anew", path, err)
	}
	return &File{db}, nil
}

// Close writes what is left, and releases the file.
func (f *File) Close() error { return errors.Join(f.db.Sync(), f.db.Close()) }

// document is a record in the file.
type document struct {
	Version int64           `json:"version"`
	Value   json.RawMessage `json:"value"`
	Expires time.Time       `json:"expires"`
}

// Load is as in [state.Records].
func (f *File) Load(_ context.Context, k state.Key) (r state.Record, err error) {
	err = f.db.View(func(tx *bolt.Tx) error {
		r, err = load(tx, k)
		return err
	})
	return r, err
}

func load(tx *bolt.Tx, k state.Key) (state.Record, error) {
	b := tx.Bucket(bucket)
	if b == nil {
		return state.Record{}, nil
	}
	return decode(b.Get(encode(k)))
}

func decode(text []byte) (state.Record, error) {
	var d document
	if text == nil {
		return state.Record{}, nil
	}
	err := json.Unmarshal(text, &d)
	return state.Record{Version: d.Version, Value: d.Value, Expires: d.Expires}, err
}

// Swap is as in [state.Records].
func (f *File) Swap(_ context.Context, k state.Key, r state.Record) (swapped bool, err error) {
	err = f.db.Update(func(tx *bolt.Tx) error {
		old, err := load(tx, k)
		if err != nil || old.Version != r.Version {
			return err
		}
		text, err := json.Marshal(document{r.Version + 1, r.Value, r.Expires})
		if err != nil {
			return err
		}
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		swapped = true
		return b.Put(encode(k), text)
	})
	return swapped && err == nil, err
}

// List is as in [state.Records].
func (f *File) List(_ context.Context, partition string) (map[string]state.Record, error) {
	found := map[string]state.Record{}
	err := f.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucket)
		if b == nil {
			return nil
		}
		prefix := encode(state.Key{Partition: partition})
		c := b.Cursor()
		for key, text := c.Seek(prefix); key != nil && len(key) >= len(prefix) && string(key[:len(prefix)]) == string(prefix); key, text = c.Next() {
			r, err := decode(text)
			if err != nil {
				return err
			}
			found[string(key[len(prefix):])] = r
		}
		return nil
	})
	return found, err
}

var bucket = []byte("state")

// encode puts the partition's length before it, so that no two keys are the same text.
func encode(k state.Key) []byte {
	text := binary.BigEndian.AppendUint16(nil, uint16(len(k.Partition))) //nolint:gosec // G115: at most 1,000 bytes, see state.Key
	return append(append(text, k.Partition...), k.Name...)
}
