package secretsmanager

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// disk keeps secrets in a bbolt file (https://pkg.go.dev/go.etcd.io/bbolt), whose commits are
// on the disk when they return. Every record is sealed, and record names are random or
// counters: the file tells how many secrets and versions there are, and their sizes.
type disk struct {
	db *bbolt.DB
	*sealer
}

// The buckets: what is known of each secret, by its record name, and the values of its
// versions, by the secret's record name and the version's number.
var (
	secretsBucket = []byte("secrets")
	valuesBucket  = []byte("values")
	aboutBucket   = []byte("about")
	keyIDName     = []byte("key") // in about: whose key it is
)

// openDisk opens or makes a state directory, and reads all its secrets.
func openDisk(dir string) (*disk, []*secret, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the state directory: %w", err)
	}
	keyFile, dbFile := filepath.Join(dir, "secrets.key"), filepath.Join(dir, "secrets.db")
	s, err := readKey(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Stat(dbFile); statErr == nil {
			return nil, nil, fmt.Errorf("the key file %s is missing, and %s cannot be read without it: restore the key file from a copy, or remove %s to start anew", keyFile, dbFile, dbFile)
		}
		s, err = makeKey(keyFile)
	}
	if err != nil {
		return nil, nil, err
	}
	db, err := bbolt.Open(dbFile, 0o600, &bbolt.Options{Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, nil, fmt.Errorf("the state file %s is in use: stop the other process that has it open, or choose another directory", dbFile)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening the state file %s: %w", dbFile, err)
	}
	d := &disk{db: db, sealer: s}
	secrets, err := d.load(keyFile)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return d, secrets, nil
}

func (d *disk) close() error { return d.db.Close() }

func (d *disk) load(keyFile string) ([]*secret, error) {
	if err := d.db.Update(func(tx *bbolt.Tx) error { return d.prepare(tx, keyFile) }); err != nil {
		return nil, err
	}
	var secrets []*secret
	err := d.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(secretsBucket).ForEach(func(name, sealed []byte) error {
			sec := &secret{}
			if err := d.read(tx, secretsBucket, name, sec); err != nil {
				return err
			}
			for _, v := range sec.Versions {
				if name := valueName(sec, v); tx.Bucket(valuesBucket).Get(name) != nil {
					v.value = &value{}
					if err := d.read(tx, valuesBucket, name, v.value); err != nil {
						return err
					}
				}
			}
			secrets = append(secrets, sec)
			return sec.complete()
		})
	})
	return secrets, err
}

// prepare makes the buckets of a new file, and checks that an old one has this key.
func (d *disk) prepare(tx *bbolt.Tx, keyFile string) error {
	for _, bucket := range [][]byte{secretsBucket, valuesBucket, aboutBucket} {
		if _, err := tx.CreateBucketIfNotExists(bucket); err != nil {
			return err
		}
	}
	about := tx.Bucket(aboutBucket)
	if id := about.Get(keyIDName); id != nil && string(id) != string(d.id[:]) {
		return fmt.Errorf("the key file %s holds another key (id %x) than %s was written with (id %x): restore that key file from a copy, or remove the state file to start anew", keyFile, d.id, d.db.Path(), id)
	}
	return about.Put(keyIDName, d.id[:])
}

func (d *disk) read(tx *bbolt.Tx, bucket, name []byte, into any) error {
	plain, err := d.open(string(bucket)+"/"+string(name), tx.Bucket(bucket).Get(name))
	if err == nil && json.Unmarshal(plain, into) != nil {
		err = errors.New("it is not in a form this version reads") // not Unmarshal's error: it may quote
	}
	if err != nil {
		return fmt.Errorf("the state file %s has a damaged record (%s %x): %w; restore the file from a copy, or remove it to start anew", d.db.Path(), bucket, name, err)
	}
	return nil
}

func (d *disk) write(tx *bbolt.Tx, bucket, name []byte, from any) error {
	plain, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put(name, d.seal(string(bucket)+"/"+string(name), plain))
}

// save makes changes in one commit. Values are written once.
func (d *disk) save(changes []change) error {
	return d.db.Update(func(tx *bbolt.Tx) error {
		for _, c := range changes {
			if err := d.replace(tx, c.old, c.next); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *disk) replace(tx *bbolt.Tx, old, next *secret) error {
	before := map[string]*value{}
	if old != nil {
		for _, v := range old.Versions {
			before[string(valueName(old, v))] = v.value
		}
	}
	if next != nil {
		if err := d.write(tx, secretsBucket, recordName(next), next); err != nil {
			return err
		}
		for _, v := range next.Versions {
			name := valueName(next, v)
			if v.value != nil && v.value != before[string(name)] {
				if err := d.write(tx, valuesBucket, name, v.value); err != nil {
					return err
				}
			}
			delete(before, string(name))
		}
	}
	for name := range before {
		if err := tx.Bucket(valuesBucket).Delete([]byte(name)); err != nil {
			return err
		}
	}
	if old != nil && (next == nil || next.Record != old.Record) {
		return tx.Bucket(secretsBucket).Delete(recordName(old))
	}
	return nil
}

func recordName(s *secret) []byte {
	name, _ := hex.DecodeString(s.Record) // made by newRecord
	return name
}

func valueName(s *secret, v *version) []byte {
	return binary.BigEndian.AppendUint64(recordName(s), v.Seq)
}
