package sink

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

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
	api    batchPutter
}

type batchPutter interface {
	PutRecordBatch(context.Context, *firehose.PutRecordBatchInput, ...func(*firehose.Options)) (*firehose.PutRecordBatchOutput, error)
}

// NewFirehose makes the sink of a stream of the function's Region.
func NewFirehose(name, stream string, s awsclient.Settings, o Options) *Firehose {
	return &Firehose{poster: o.poster(name, false), stream: stream, api: firehose.New(firehose.Options{
		Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID,
		BaseEndpoint:    s.Endpoint("FIREHOSE"),
		EndpointOptions: firehose.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
	})}
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
	var batch []types.Record
	size := 0
	for _, one := range findings {
		line, err := ocsf.JSON(one)
		if err != nil {
			return err
		}
		line = append(line, '\n')
		if len(batch) == maxRecords || size+len(line) > maxBytes {
			if err := f.put(ctx, batch); err != nil {
				return err
			}
			batch, size = nil, 0
		}
		batch, size = append(batch, types.Record{Data: line}), size+len(line)
	}
	return f.put(ctx, batch)
}

// put sends records, and those again that the stream did not take: a call succeeds also if
// some of its records did not. It gives up after several tries in which none was taken.
func (f *Firehose) put(ctx context.Context, records []types.Record) error {
	for n := 1; len(records) > 0; n++ {
		out, err := f.api.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: &f.stream, Records: records},
			func(o *firehose.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) })
		if err != nil {
			return streamErrors.Translate(ctx, "telling "+f.sink+": PutRecordBatch", err)
		}
		var left []types.Record
		code := ""
		for i, r := range out.RequestResponses {
			if r.ErrorCode != nil && i < len(records) {
				left, code = append(left, records[i]), aws.ToString(r.ErrorCode)
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
