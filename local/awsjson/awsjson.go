// Package awsjson is the wire protocol that the local stand-ins for AWS services have in
// common: AWS JSON 1.0 and 1.1, strictly. A stand-in refuses the operations and the members
// that it does not know, so that nothing passes here that was not thought of.
//
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
package awsjson

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// Service is the handler of one service. Set its fields before it is served; it is safe for
// concurrent use if its operations are.
type Service struct {
	Name       string // for IAM: dynamodb, logs, firehose
	Version    string // of the protocol: 1.0 or 1.1
	Target     string // what X-Amz-Target has before the operation, such as "Logs_20140328."
	Operations map[string]Operation

	// OnCall, unless it is nil, is told each operation that the service knows, as IAM calls it
	// ("dynamodb:GetItem"), before it runs. It may be called concurrently.
	OnCall func(action string)
	// Fault, unless it is nil, decides what a call fails with before it has any effect; nil for
	// nothing. It may be called concurrently.
	Fault func(operation string) *Error
}

// Operation answers the body of one call. Its error is an *Error; any other is a defect.
type Operation func(ctx context.Context, body []byte) (any, error)

// Error is a refusal, as the service words it.
type Error struct {
	Code    string
	Message string
	Members map[string]any // beside __type and message
	Status  int            // 400 if zero
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Refuse makes an Error.
func Refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// maxBody is above what any of the services takes in one call.
const maxBody = 16 << 20

// Handle makes an operation of a function. The members of a call are those of In, which is a
// struct; others are refused.
func Handle[In, Out any](f func(context.Context, In) (Out, error)) Operation {
	return func(ctx context.Context, body []byte) (any, error) {
		var in In
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			return nil, Refuse("SerializationException", "the stand-in does not take this: %v", err)
		}
		return f(ctx, in)
	}
}

// ServeHTTP serves one call.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := s.call(r)
	status, answer := http.StatusOK, []byte("{}")
	if err == nil && out != nil {
		answer, err = json.Marshal(out)
	}
	if err != nil {
		status, answer = refusal(err)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-"+s.Version)
	w.Header().Set("X-Amzn-Requestid", rand.Text())
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10)) // DynamoDB's; the others' clients do not mind
	w.WriteHeader(status)
	_, _ = w.Write(answer) //nolint:gosec // G705: JSON, as its Content-Type says
}

func (s *Service) call(r *http.Request) (any, error) {
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), s.Target)
	run := s.Operations[operation]
	if r.Method != http.MethodPost || r.URL.Path != "/" || !ok || run == nil {
		return nil, Refuse("UnknownOperationException", "the stand-in for %s does not know %.100q", s.Name, r.Header.Get("X-Amz-Target"))
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return nil, Refuse("SerializationException", "the request cannot be read, or is longer than %d bytes", maxBody)
	}
	if s.OnCall != nil {
		s.OnCall(s.Name + ":" + operation)
	}
	if s.Fault != nil {
		if fault := s.Fault(operation); fault != nil {
			return nil, fault
		}
	}
	return run(r.Context(), body)
}

func refusal(err error) (int, []byte) {
	refused := (*Error)(nil)
	if !errors.As(err, &refused) {
		refused = &Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError}
	}
	members := map[string]any{"__type": refused.Code, "message": refused.Message}
	maps.Copy(members, refused.Members)
	answer, err := json.Marshal(members)
	if err != nil {
		return http.StatusInternalServerError, []byte("{}")
	}
	return max(refused.Status, http.StatusBadRequest), answer
}
