// Package firehose is Amazon Data Firehose on one machine, as far as this project writes to
// it: PutRecordBatch, with the limits of AWS and partial failures.
//
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
package firehose

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"
	"sync"

	"github.com/rekey-aws/rekey/local/awsjson"
)

// Options configure a Firehose.
type Options struct {
	Streams []string // those that exist

	// FailRecord, unless it is nil, tells which records of a call are not taken: the call is a
	// success all the same, and says so of each of them.
	FailRecord func(record []byte) bool

	OnCall func(action string)                   // see awsjson.Service
	Fault  func(operation string) *awsjson.Error // see awsjson.Service
}

// Firehose serves the API. It is safe for concurrent use.
type Firehose struct {
	awsjson.Service
	opt Options

	mu      sync.Mutex
	records map[string][][]byte
}

// New makes one.
func New(o Options) *Firehose {
	f := &Firehose{opt: o, records: map[string][][]byte{}}
	f.Service = awsjson.Service{
		Name: "firehose", Version: "1.1", Target: "Firehose_20150804.", OnCall: o.OnCall, Fault: o.Fault,
		Operations: map[string]awsjson.Operation{"PutRecordBatch": awsjson.Handle(f.put)},
	}
	return f
}

// Records are those that a stream has taken.
func (f *Firehose) Records(stream string) [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.records[stream])
}

type request struct {
	DeliveryStreamName string
	Records            []record
}

type record struct{ Data []byte }

type answer struct {
	FailedPutCount   int
	RequestResponses []response
}

type response struct {
	RecordID     string `json:"RecordId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

// The limits of a call.
const (
	maxRecords = 500
	maxRecord  = 1000 << 10
	maxBatch   = 4 << 20
)

func (f *Firehose) put(_ context.Context, r request) (*answer, error) {
	if !slices.Contains(f.opt.Streams, r.DeliveryStreamName) {
		return nil, awsjson.Refuse("ResourceNotFoundException", "Firehose %s not found under account 123456789012.", r.DeliveryStreamName)
	}
	size := 0
	for _, one := range r.Records {
		size += len(one.Data)
		if len(one.Data) == 0 || len(one.Data) > maxRecord {
			return nil, awsjson.Refuse("InvalidArgumentException", "A record has %d bytes: it must have 1 to %d", len(one.Data), maxRecord)
		}
	}
	if len(r.Records) == 0 || len(r.Records) > maxRecords || size > maxBatch {
		return nil, awsjson.Refuse("InvalidArgumentException", "%d records of %d bytes: a call takes 1 to %d of up to %d", len(r.Records), size, maxRecords, maxBatch)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a := &answer{}
	for _, one := range r.Records {
		if f.opt.FailRecord != nil && f.opt.FailRecord(one.Data) {
			a.FailedPutCount++
			a.RequestResponses = append(a.RequestResponses, response{ErrorCode: "ServiceUnavailableException", ErrorMessage: "Slow down."})
			continue
		}
		f.records[r.DeliveryStreamName] = append(f.records[r.DeliveryStreamName], bytes.Clone(one.Data))
		a.RequestResponses = append(a.RequestResponses, response{RecordID: rand.Text()})
	}
	return a, nil
}
