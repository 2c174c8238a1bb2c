package dynamodb

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/rekey-aws/rekey/local/awsjson"
)

// Table is one that exists. Both parts of its key are strings.
type Table struct {
	Name      string
	Partition string // the name of the partition key
	Sort      string // the name of the sort key
	items     map[string]map[string]item
}

// Options configure a Database.
type Options struct {
	Tables []Table
	// File keeps the items when the database is closed; they are in memory only if it is empty.
	// What was written last may be lost with the machine, not with the process.
	File string

	OnCall func(action string)                   // see awsjson.Service
	Fault  func(operation string) *awsjson.Error // see awsjson.Service
}

// Database serves the API of DynamoDB. It is safe for concurrent use. Close it.
type Database struct {
	awsjson.Service
	file *bolt.DB // nil: in memory

	mu     sync.Mutex
	tables map[string]*Table
}

// Open makes a database with its tables, and reads what the file has.
func Open(o Options) (*Database, error) {
	d := &Database{tables: map[string]*Table{}}
	d.Service = awsjson.Service{
		Name: "dynamodb", Version: "1.0", Target: "DynamoDB_20120810.", OnCall: o.OnCall, Fault: o.Fault,
		Operations: map[string]awsjson.Operation{
			"GetItem": awsjson.Handle(d.get),
			"PutItem": awsjson.Handle(d.put),
			"Query":   awsjson.Handle(d.query),
		},
	}
	for _, t := range o.Tables {
		if t.Name == "" || t.Partition == "" || t.Sort == "" || d.tables[t.Name] != nil {
			return nil, fmt.Errorf("local DynamoDB: table %q: it needs a name of its own, a partition key and a sort key", t.Name)
		}
		t.items = map[string]map[string]item{}
		d.tables[t.Name] = &t
	}
	if o.File == "" {
		return d, nil
	}
	var err error
	if d.file, err = bolt.Open(o.File, 0o600, &bolt.Options{Timeout: 5 * time.Second, NoSync: true}); err != nil {
		return nil, fmt.Errorf("local DynamoDB: opening %s: %w: is another process using it?", o.File, err)
	}
	if err := d.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("local DynamoDB: reading %s: %w: remove it to begin anew", o.File, err), d.Close())
	}
	return d, nil
}

func (d *Database) load() error {
	return d.file.Update(func(tx *bolt.Tx) error {
		for name, t := range d.tables {
			b, err := tx.CreateBucketIfNotExists([]byte(name))
			if err != nil {
				return err
			}
			err = b.ForEach(func(_, text []byte) error {
				var i item
				if err := json.Unmarshal(text, &i); err != nil {
					return err
				}
				t.set(i[t.Partition].text, i[t.Sort].text, i)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Close releases the file. It may be called again; what is written afterwards is not kept.
func (d *Database) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file == nil {
		return nil
	}
	file := d.file
	d.file = nil
	return errors.Join(file.Sync(), file.Close())
}

// Len is the number of items in a table, those that have expired included.
func (d *Database) Len(table string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, partition := range d.tables[table].items {
		n += len(partition)
	}
	return n
}

func (t *Table) set(partition, sort string, i item) {
	if t.items[partition] == nil {
		t.items[partition] = map[string]item{}
	}
	t.items[partition][sort] = i
}

// maxItem is the size of the largest item; here, of its JSON.
const maxItem = 400 << 10

// write puts an item. The caller holds mu.
func (d *Database) write(t *Table, partition, sort string, i item) error {
	text, err := json.Marshal(i)
	if err != nil {
		return err
	}
	if len(text) > maxItem {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	if d.file != nil {
		err := d.file.Update(func(tx *bolt.Tx) error {
			key, err := json.Marshal([]string{partition, sort})
			if err != nil {
				return err
			}
			return tx.Bucket([]byte(t.Name)).Put(key, text)
		})
		if err != nil {
			return err
		}
	}
	t.set(partition, sort, i)
	return nil
}

// find returns a table, and the two parts of a key that has nothing else.
func (d *Database) find(table string, key item, whole bool) (t *Table, partition, sort string, err error) {
	t = d.tables[table]
	if t == nil {
		return nil, "", "", awsjson.Refuse("ResourceNotFoundException", "Requested resource not found: Table: %s not found", table)
	}
	p, s := key[t.Partition], key[t.Sort]
	if p.kind != "S" || s.kind != "S" || p.text == "" || s.text == "" || whole && len(key) != 2 {
		return nil, "", "", invalid("The provided key element does not match the schema")
	}
	if len(p.text) > 2048 || len(s.text) > 1024 {
		return nil, "", "", invalid("One or more parameter values were invalid: Size of a key exceeds its limit of 2048 and 1024 bytes")
	}
	return t, p.text, s.text, nil
}
