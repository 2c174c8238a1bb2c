package lambdaapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
)

// Options configure a Server. Functions is required.
type Options struct {
	Functions *lambda.Registry
	// OnCall, unless it is nil, is told each operation, as IAM calls it
	// ("lambda:InvokeFunction"), before it runs. It may be called concurrently.
	OnCall func(action string)
	// Fault, unless it is nil, decides what a call fails with before it has any effect; nil for
	// nothing. It is given what OnCall is, and may be called concurrently.
	Fault func(action string) *Error
}

// Error is a refusal, with the code that AWS gives: AccessDeniedException, …
type Error struct {
	Code, Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Server is an http.Handler. Its methods may be called from several goroutines. Close it.
type Server struct {
	opt  Options
	mux  *http.ServeMux
	made time.Time

	mu       sync.Mutex
	policies map[string]*policy // by the ARN, with its qualifier; those that were changed

	background context.Context // of asynchronous invocations
	stop       context.CancelFunc
	running    sync.WaitGroup
}

// New makes a server.
func New(o Options) (*Server, error) {
	if o.Functions == nil {
		return nil, errors.New("local Lambda API: set Functions: it serves those")
	}
	s := &Server{opt: o, mux: http.NewServeMux(), made: time.Now(), policies: map[string]*policy{}}
	s.background, s.stop = context.WithCancel(context.Background())
	for pattern, op := range map[string]operation{
		"POST /2015-03-31/functions/{FunctionName}/invocations":          {"lambda:InvokeFunction", s.invoke},
		"GET /2015-03-31/functions/{FunctionName}/configuration":         {"lambda:GetFunctionConfiguration", s.configuration},
		"GET /2015-03-31/functions/{FunctionName}/policy":                {"lambda:GetPolicy", s.getPolicy},
		"POST /2015-03-31/functions/{FunctionName}/policy":               {"lambda:AddPermission", s.addPermission},
		"DELETE /2015-03-31/functions/{FunctionName}/policy/{Statement}": {"lambda:RemovePermission", s.removePermission},
	} {
		s.mux.HandleFunc(pattern, s.handle(op))
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		(&reply{err: refuse("UnknownOperationException", "the stand-in for Lambda has no operation %.8s %.128q", r.Method, r.URL.Path)}).send(w)
	})
	return s, nil
}

// Close ends the asynchronous invocations that wait, and waits for those that run. It always
// returns nil.
func (s *Server) Close() error {
	s.stop()
	s.running.Wait()
	return nil
}

// ServeHTTP serves one API call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// operation is one that the API has.
type operation struct {
	action string
	run    func(*call) *reply
}

// call is one call, taken apart.
type call struct {
	request  *http.Request
	function *lambda.Function
	arn      string // with the qualifier, if one was given
	body     []byte
}

// reply is its answer. The zero value is 200 and an empty object.
type reply struct {
	status int
	header map[string]string
	body   []byte
	err    error
}

// maxBody is above the largest payload: 6 MB, and what tells that it is too large.
const maxBody = 6<<20 + 1

func (s *Server) handle(op operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out := func() *reply {
			if s.opt.OnCall != nil {
				s.opt.OnCall(op.action)
			}
			if s.opt.Fault != nil {
				if fault := s.opt.Fault(op.action); fault != nil {
					return &reply{err: fault}
				}
			}
			c, err := s.read(r)
			if err != nil {
				return &reply{err: err}
			}
			return op.run(c)
		}()
		out.send(w)
	}
}

func (s *Server) read(r *http.Request) (*call, error) {
	for name := range r.URL.Query() {
		if !slices.Contains([]string{"Qualifier", "RevisionId"}, name) {
			return nil, refuse("InvalidParameterValueException", "the stand-in does not know the parameter %.64q", name)
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, refuse("InvalidRequestContentException", "Could not read the request body: %v", err)
	}
	c := &call{request: r, body: body}
	name := r.PathValue("FunctionName")
	if c.function, c.arn, err = s.opt.Functions.Find(name); err != nil {
		return nil, err
	}
	qualifier := r.URL.Query().Get("Qualifier")
	switch own := c.arn[len(c.function.ARN()):]; {
	case qualifier == "":
	case own != "" && own != ":"+qualifier:
		return nil, refuse("InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier.")
	default:
		// Read again, so that a qualifier is checked as one in a name is.
		c.function, c.arn, err = s.opt.Functions.Find(c.function.ARN() + ":" + qualifier)
	}
	return c, err
}

// statuses are those of the API's errors:
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
var statuses = map[string]int{
	"AccessDeniedException":          http.StatusForbidden,
	"ResourceNotFoundException":      http.StatusNotFound,
	"ResourceConflictException":      http.StatusConflict,
	"PreconditionFailedException":    http.StatusPreconditionFailed,
	"RequestTooLargeException":       http.StatusRequestEntityTooLarge,
	"TooManyRequestsException":       http.StatusTooManyRequests,
	"ServiceException":               http.StatusInternalServerError,
	"UnknownOperationException":      http.StatusNotFound,
	"InvalidParameterValueException": http.StatusBadRequest,
	"InvalidRequestContentException": http.StatusBadRequest,
}

func (out *reply) send(w http.ResponseWriter) {
	if out.err != nil {
		code, message := "ServiceException", "the stand-in failed: "+out.err.Error()
		if own := (*Error)(nil); errors.As(out.err, &own) {
			code, message = own.Code, own.Message
		} else if theirs := (*lambda.ServiceError)(nil); errors.As(out.err, &theirs) {
			code, message = theirs.Code, theirs.Message
		}
		out.status, out.header = statuses[code], map[string]string{"X-Amzn-ErrorType": code}
		if out.status == 0 {
			out.status = http.StatusBadRequest
		}
		out.body = encode(map[string]string{"Type": "User", "Message": message})
	}
	if out.status == 0 {
		out.status = http.StatusOK
	}
	for name, value := range out.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-RequestId", rand.Text())
	w.WriteHeader(out.status)
	if out.status != http.StatusNoContent {
		_, _ = w.Write(out.body)
	}
}

func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // everything that is answered can be encoded
	}
	return body
}

func refuse(code, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}
