package cloudtrail

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// Options configure a Recorder. Put is required.
type Options struct {
	// Put takes the events, as eventbus.Bus.Put does. It is called by whoever makes the call
	// that is recorded, before its reply is sent.
	Put func(context.Context, eventbus.Event) error

	// Account owns the secrets of calls that name none; 123456789012 if empty.
	Account string

	// Principal names the caller behind an access key id, for callers that the local Secrets
	// Manager does not know: the ARN of a user, a role, a session or a root, or the name of a
	// service such as lambda.amazonaws.com. DefaultPrincipal if nil.
	Principal func(accessKeyID, region string) string

	// Now is the clock of records; if nil, that of the hooks' own times.
	Now func() time.Time

	// OnError is told when Put fails. What a bus that is closed refuses is no error.
	OnError func(error)
}

// Recorder makes events of what the hooks of a local Secrets Manager tell. Its methods are
// those hooks; they may be called from several goroutines.
type Recorder struct {
	opt Options

	mu       sync.Mutex
	sessions map[string]time.Time // by principal: when it was first seen
}

// New makes a Recorder.
func New(o Options) (*Recorder, error) {
	if o.Put == nil {
		return nil, errors.New("cloudtrail: the Recorder needs a Put to give events to")
	}
	o.Account = cmp.Or(o.Account, "123456789012")
	if o.Principal == nil {
		o.Principal = func(key, region string) string { return DefaultPrincipal(o.Account, key, region) }
	}
	return &Recorder{opt: o, sessions: map[string]time.Time{}}, nil
}

// unrecorded are refusals that leave no record: of requests that AWS does not attribute to
// anyone or cannot read, and those that only the stand-in makes.
var unrecorded = map[string]bool{
	"IncompleteSignatureException": true, "InvalidSignatureException": true, "MissingAuthenticationTokenException": true,
	"UnrecognizedClientException": true, "SerializationException": true, "RequestEntityTooLargeException": true,
	"UnknownOperationException": true, "UnsupportedOperationException": true,
}

// Call records an API call. It is secretsmanager.Options.OnCall.
func (r *Recorder) Call(c secretsmanager.Call) {
	op, known := operations[c.Operation]
	if !known || unrecorded[c.Error] {
		return
	}
	now := r.now(c.Start)
	rec := newRecord(now, cmp.Or(accountOf(c.SecretARN), c.Account, r.opt.Account), c.Region, c.Operation)
	rec.UserIdentity = r.identity(c, now)
	rec.SourceIPAddress, rec.UserAgent = c.SourceIP, cut(c.UserAgent, maxUserAgent)
	if by := rec.UserIdentity.InvokedBy; by != "" {
		rec.SourceIPAddress, rec.UserAgent = by, by
	}
	rec.RequestParameters = op.record(c.Parameters)
	rec.RequestID, rec.ReadOnly, rec.EventType = c.RequestID, op.readOnly, apiCall
	rec.TLSDetails = tlsDetails(c.Region)
	switch {
	case c.Error != "":
		rec.fail(c.Error, c.Message)
	case op.arn && c.SecretARN != "":
		rec.ResponseElements = map[string]any{"arn": c.SecretARN}
	}
	r.put(rec)
	for _, arn := range c.BatchARNs {
		r.put(rec.ofBatch(arn))
	}
}

// fail records an error. A refusal of access is recorded under a code without the usual
// ending, and before the request was looked at:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
// (errorCode), and the rules for denied reads in https://github.com/panther-labs/panther-analysis.
func (rec *Record) fail(code, message string) {
	rec.ErrorCode, rec.ErrorMessage = code, cut(message, maxErrorMessage)
	if code == "AccessDeniedException" && strings.Contains(message, "is not authorized to perform") {
		rec.ErrorCode, rec.RequestParameters = "AccessDenied", nil
	}
}

// ofBatch is the record of one secret that BatchGetSecretValue read: there is "a CloudTrail
// GetSecretValue log entry for each secret you request", beside that of the call
// (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html).
func (rec Record) ofBatch(arn string) Record {
	rec.EventName, rec.EventID = "GetSecretValue", newUUID()
	rec.RequestParameters = map[string]any{"secretId": arn}
	return rec
}

func (op operation) record(members map[string]json.RawMessage) map[string]any {
	out := pick(members, op.parameters)
	if len(out) == 0 {
		return nil
	}
	return out
}

// tlsDetails are those of a current SDK: here, the connection may not even be TLS.
func tlsDetails(region string) *TLSDetails {
	host := "secretsmanager." + region + ".amazonaws.com"
	if partition(region) == "aws-cn" {
		host += ".cn"
	}
	return &TLSDetails{TLSVersion: "TLSv1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", ClientProvidedHostHeader: host}
}

func (r *Recorder) identity(c secretsmanager.Call, now time.Time) Identity {
	principal := c.Principal
	if principal == "" {
		principal = r.opt.Principal(c.AccessKeyID, c.Region)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	begun, known := r.sessions[principal]
	if !known && len(r.sessions) < maxSessions {
		begun = now
		r.sessions[principal] = now
	}
	if begun.IsZero() {
		begun = now
	}
	return identify(principal, c.AccessKeyID, begun)
}

// maxSessions bounds what a caller with ever new names makes us remember.
const maxSessions = 10_000

func (r *Recorder) now(otherwise time.Time) time.Time {
	if r.opt.Now != nil {
		return r.opt.Now()
	}
	return otherwise
}

func (r *Recorder) put(rec Record) {
	e, err := rec.Event()
	if err == nil {
		err = r.opt.Put(context.Background(), e)
	}
	r.failed(rec.EventName, err)
}

func (r *Recorder) failed(name string, err error) {
	if err != nil && !errors.Is(err, eventbus.ErrClosed) && r.opt.OnError != nil {
		r.opt.OnError(fmt.Errorf("recording %s: %w", name, err))
	}
}

// accountOf is the account in an ARN; empty if it is none.
func accountOf(arn string) string {
	part := strings.SplitN(arn, ":", 6)
	if len(part) < 6 {
		return ""
	}
	return part[4]
}

// cut shortens s to at most n bytes of whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
