package sink

import (
	"context"
	"fmt"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/ocsf"
	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Firehose puts findings on a stream, as OCSF, a line each. A finding that is sent again has
// the same metadata.uid.
type Firehose struct {
	poster // its pace of tries
	stream string
	aws    awsclient.Settings
}

var firehose = awsclient.Service{Name: "firehose", Variable: "FIREHOSE", Version: "1.1", Target: "Firehose_20150804."}

// https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
type (
	record struct{ Data []byte } // in base64, as encoding/json writes bytes
	batch  struct {
		Stream  string `json:"DeliveryStreamName"`
		Records []record
	}
	taken struct {
		RequestResponses []struct{ ErrorCode string }
	}
)

// NewFirehose makes the sink of a stream of the function's Region.
func NewFirehose(name, stream string, s awsclient.Settings, o Options) *Firehose {
	return &Firehose{poster: o.poster(name, false), stream: stream, aws: s}
}

// Name is as in [audit.Sink].
func (f *Firehose) Name() string { return f.sink }

// The limits of a call: https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
const (
	maxRecords = 500
	maxBytes   = 4 << 20
)

// Batch is how many findings one call takes.
func (f *Firehose) Batch() int { return maxRecords }

// Deliver puts the findings, in as many calls as their size needs.
func (f *Firehose) Deliver(ctx context.Context, findings []audit.Finding) error {
	var next []record
	size := 0
	for _, one := range findings {
		line, err := ocsf.JSON(one)
		if err != nil {
			return err
		}
		line = append(line, '\n')
		if len(next) == maxRecords || size+len(line) > maxBytes {
			if err := f.put(ctx, next); err != nil {
				return err
			}
			next, size = nil, 0
		}
		next, size = append(next, record{line}), size+len(line)
	}
	return f.put(ctx, next)
}

// put sends records, and those again that the stream did not take: a call succeeds also if
// some of its records did not. It gives up after several tries in which none was taken.
func (f *Firehose) put(ctx context.Context, records []record) error {
	for n := 1; len(records) > 0; n++ {
		var out taken
		if err := f.aws.Call(ctx, firehose, "PutRecordBatch", batch{f.stream, records}, &out); err != nil {
			return streamErrors.Translate(ctx, "telling "+f.sink+": PutRecordBatch", err)
		}
		var left []record
		code := ""
		for i, r := range out.RequestResponses {
			if r.ErrorCode != "" && i < len(records) {
				left, code = append(left, records[i]), r.ErrorCode
			}
		}
		if len(left) < len(records) {
			n = 1
		}
		if len(left) > 0 && (n == attempts || f.wait(ctx, jitter(n)) != nil) {
			return fmt.Errorf("telling %s: PutRecordBatch: %d of %d records are not taken, the last with %s: %w",
				f.sink, len(left), len(records), code, rotation.ErrThrottled)
		}
		records = left
	}
	return nil
}

// https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html#API_PutRecordBatch_Errors
var streamErrors = awsclient.Errors{
	Codes: map[string]awsclient.Meaning{
		"AccessDeniedException":       {Kind: rotation.ErrDenied, Hint: "Allow firehose:PutRecordBatch on the stream to the function's role."},
		"ResourceNotFoundException":   {Kind: rotation.ErrConfig, Hint: "The stream is not there: correct the sink's stream."},
		"InvalidArgumentException":    {Kind: rotation.ErrVendor},
		"ServiceUnavailableException": {Kind: rotation.ErrThrottled},
		"InvalidKMSResourceException": {Kind: rotation.ErrDenied, Hint: "Allow the stream's KMS key to Firehose, and enable it."},
	},
	NoAnswer: "Firehose did not answer: in a VPC the function needs an interface endpoint for Firehose, with private DNS.",
}
