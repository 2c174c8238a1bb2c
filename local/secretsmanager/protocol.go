package secretsmanager

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The wire protocol is AWS JSON 1.1:
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
const (
	contentType  = "application/x-amz-json-1.1"
	targetPrefix = "secretsmanager."

	// maxBody holds the largest value (64 KiB) with every byte escaped, and room to spare.
	maxBody = 1 << 20
)

type operation func(*Server, *caller) (any, error)

var operations map[string]operation

func init() { // operations reach checkFaults, which reads them
	operations = map[string]operation{
		"BatchGetSecretValue":          handle((*Server).batchGetSecretValue),
		"CancelRotateSecret":           handle((*Server).cancelRotateSecret),
		"CreateSecret":                 handle((*Server).createSecret),
		"DeleteResourcePolicy":         handle((*Server).deleteResourcePolicy),
		"DeleteSecret":                 handle((*Server).deleteSecret),
		"DescribeSecret":               handle((*Server).describeSecret),
		"GetRandomPassword":            handle((*Server).getRandomPassword),
		"GetResourcePolicy":            handle((*Server).getResourcePolicy),
		"GetSecretValue":               handle((*Server).getSecretValue),
		"ListSecretVersionIds":         handle((*Server).listSecretVersionIds),
		"ListSecrets":                  handle((*Server).listSecrets),
		"PutResourcePolicy":            handle((*Server).putResourcePolicy),
		"PutSecretValue":               handle((*Server).putSecretValue),
		"RemoveRegionsFromReplication": handle((*Server).removeRegionsFromReplication),
		"ReplicateSecretToRegions":     handle((*Server).replicateSecretToRegions),
		"RestoreSecret":                handle((*Server).restoreSecret),
		"RotateSecret":                 handle((*Server).rotateSecret),
		"StopReplicationToReplica":     handle((*Server).stopReplicationToReplica),
		"TagResource":                  handle((*Server).tagResource),
		"UntagResource":                handle((*Server).untagResource),
		"UpdateSecret":                 handle((*Server).updateSecret),
		"UpdateSecretVersionStage":     handle((*Server).updateSecretVersionStage),
		"ValidateResourcePolicy":       handle((*Server).validateResourcePolicy),
	}
}

// ServeHTTP serves one API call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	c := s.identify(r)
	var err error
	c.body, err = readBody(r)

	fault := s.faults.next(s.opt.Fault, c)
	fault.wait(r.Context())
	if err == nil {
		err = fault.before()
	}
	var out any
	if err == nil {
		out, err = s.call(r, c)
	}
	status, body := reply(out, err)
	id := newUUID()
	s.observe(c, id, status, err, start)
	if fault.drops() {
		panic(http.ErrAbortHandler) // the only way to close the connection without an answer
	}
	send(w, id, status, body, errorCode(err))
}

func (s *Server) call(r *http.Request, c *caller) (any, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/" || !strings.HasPrefix(r.Header.Get("X-Amz-Target"), targetPrefix) {
		return nil, apiErr("UnknownOperationException", "Secrets Manager is called with POST / and the header X-Amz-Target: secretsmanager.OPERATION.")
	}
	op := operations[c.operation]
	if op == nil {
		return nil, apiErr("UnknownOperationException", "Secrets Manager has no operation %.64q.", c.operation)
	}
	if err := s.authenticate(r, c); err != nil {
		return nil, err
	}
	return op(s, c)
}

// handle joins an operation to the protocol. In is a struct of pointers and slices, whose
// field names are the API's members.
func handle[In, Out any](f func(*Server, *caller, *In) (*Out, error)) operation {
	return func(s *Server, c *caller) (any, error) {
		members, err := parseMembers(c.body)
		if err != nil {
			return nil, err
		}
		in := new(In)
		if err := decode(members, in); err != nil {
			return nil, err
		}
		out, err := f(s, c, in)
		if err != nil || out == nil {
			return nil, err
		}
		return out, nil
	}
}

func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, malformed("The request could not be read to its end.")
	}
	if len(body) > maxBody {
		return nil, apiErr("RequestEntityTooLargeException", "The request is longer than %d bytes.", maxBody)
	}
	return body, nil
}

func parseMembers(body []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, malformed("The request is not valid UTF-8.")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, malformed("The request is not a JSON object.") // not err: it quotes the input
	}
	return members, nil
}

// decode fills in from members, and refuses members that in does not have: to ignore one
// would be to pretend that it took effect. A null member counts as absent.
func decode(members map[string]json.RawMessage, in any) error {
	v := reflect.ValueOf(in).Elem()
	for name, raw := range members {
		if string(raw) == "null" {
			continue
		}
		field := v.FieldByName(name)
		if !field.IsValid() {
			return unsupported(fmt.Sprintf("the parameter %.64q here", name))
		}
		err := decodeMember(raw, field.Addr().Interface())
		if err != nil && strings.Contains(err.Error(), "unknown field") {
			return unsupported(fmt.Sprintf("every member given inside the parameter %q", name))
		}
		if err != nil {
			return malformed("The parameter %s has a value of the wrong type.", name) // not err: it may quote the value
		}
	}
	return nil
}

func decodeMember(raw json.RawMessage, into any) error {
	if raw[0] != '{' && raw[0] != '[' {
		return json.Unmarshal(raw, into) // most members, and cheaper than a decoder
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func reply(out any, err error) (int, []byte) {
	if err == nil {
		if out == nil {
			return http.StatusOK, nil
		}
		if body, encodeErr := json.Marshal(out); encodeErr == nil {
			return http.StatusOK, body
		}
		err = errors.New("the reply could not be encoded")
	}
	var api *apiError
	if !errors.As(err, &api) {
		api = &apiError{code: "InternalServiceError", status: http.StatusInternalServerError, message: "The local Secrets Manager failed: " + err.Error()}
	}
	// Errors of the API's model spell it Message, those of the protocol message.
	key := "Message"
	switch api.code {
	case "ValidationException", "SerializationException", "UnknownOperationException", "ThrottlingException", "AccessDeniedException",
		"MissingAuthenticationTokenException", "IncompleteSignatureException", "InvalidSignatureException", "UnrecognizedClientException":
		key = "message"
	}
	body, _ := json.Marshal(map[string]string{"__type": api.code, key: api.message})
	return api.status, body
}

func errorCode(err error) string {
	var api *apiError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.code
	}
	return "InternalServiceError"
}

func errorMessage(err error) string {
	var api *apiError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.message
	}
	return err.Error()
}

func send(w http.ResponseWriter, requestID string, status int, body []byte, code string) {
	w.Header().Set("x-amzn-RequestId", requestID)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if code != "" {
		w.Header().Set("x-amzn-ErrorType", code)
	}
	w.WriteHeader(status)
	w.Write(body) // the caller may have gone: nothing to do about it
}

// epoch is a time as the protocol writes it: seconds since 1970, with milliseconds.
type epoch time.Time

// MarshalJSON writes the number.
func (e epoch) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Time(e).UnixMilli())/1000, 'f', -1, 64), nil
}

// date is nil, which leaves the member out, for the zero time.
func date(t time.Time) *epoch {
	if t.IsZero() {
		return nil
	}
	e := epoch(t)
	return &e
}
