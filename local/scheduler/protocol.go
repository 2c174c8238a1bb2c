package scheduler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// The wire protocol is REST-JSON:
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html

// maxBody holds the longest input of a target (256 KiB) with every byte escaped.
const maxBody = 2 << 20

// input is one call, taken apart.
type input struct {
	path  func(string) string
	query url.Values
	body  []byte
}

type operation func(*input) (any, error)

func read(r *http.Request) (*input, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return nil, invalid("The request could not be read to its end, or is longer than %d bytes.", maxBody)
	}
	return &input{path: r.PathValue, query: r.URL.Query(), body: body}, nil
}

// decode reads the body strictly: a member that the API does not have, or this
// server does not know, is refused.
func (in *input) decode(into any) error {
	if len(bytes.TrimSpace(in.body)) == 0 {
		in.body = []byte("{}")
	}
	dec := json.NewDecoder(bytes.NewReader(in.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return invalid("The request's body is not what this operation takes: %v.", err)
	}
	if dec.More() {
		return invalid("Something follows the request's JSON object.")
	}
	return nil
}

// known refuses parameters of the query that the operation does not have.
func (in *input) known(names ...string) error {
	for name := range in.query {
		if !slices.Contains(names, name) {
			return invalid("There is no parameter %.64q.", name)
		}
	}
	return nil
}

// page cuts a list as MaxResults and NextToken say. A token is the name of the
// last that was listed.
func page[T any](in *input, all []T, name func(T) string) ([]T, string, error) {
	most := 100
	if given := in.query.Get("MaxResults"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > 100 {
			return nil, "", invalid("MaxResults must be 1 to 100.")
		}
		most = n
	}
	after := in.query.Get("NextToken")
	all = slices.DeleteFunc(all, func(item T) bool { return name(item) <= after })
	if len(all) <= most {
		return all, "", nil
	}
	return all[:most], name(all[most-1]), nil
}

// apiError is an error of the API.
type apiError struct{ code, message string }

func (e *apiError) Error() string { return e.code + ": " + e.message }

func apiErr(code, format string, args ...any) error {
	return &apiError{code, fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error { return apiErr("ValidationException", format, args...) }

// statuses are those of the API's errors; of others it is 400.
var statuses = map[string]int{
	"ConflictException": http.StatusConflict, "ResourceNotFoundException": http.StatusNotFound,
	"ServiceQuotaExceededException": http.StatusPaymentRequired, "InternalServerException": http.StatusInternalServerError,
}

func send(w http.ResponseWriter, out any, err error) {
	w.Header().Set("Content-Type", "application/json")
	status := http.StatusOK
	if err != nil {
		e := &apiError{"InternalServerException", "The local scheduler failed: " + err.Error()}
		errors.As(err, &e)
		if status = statuses[e.code]; status == 0 {
			status = http.StatusBadRequest
		}
		w.Header().Set("X-Amzn-ErrorType", e.code)
		out = map[string]string{"Message": e.message}
	}
	if out == nil {
		out = struct{}{}
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(err) // everything that is answered can be encoded
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// epoch is a time as the protocol has it: seconds since 1970, with a fraction.
type epoch time.Time

func (e epoch) MarshalJSON() ([]byte, error) {
	return []byte(strconv.FormatFloat(float64(time.Time(e).UnixMilli())/1000, 'f', 3, 64)), nil
}
