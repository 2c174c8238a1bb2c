package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// runtimeAPI is the server side of the Runtime API for one instance:
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
//
// It holds the protocol's state and nothing of the process. The states, the transitions and
// the wording of refusals are those of AWS's own emulator
// (https://github.com/aws/aws-lambda-runtime-interface-emulator).
type runtimeAPI struct {
	// events tells the instance's owner what the function did. There is room for all that
	// can happen before the owner's next step, so that sending never waits.
	events chan event

	mu      sync.Mutex
	state   runtimeState
	current *invocation
	wake    chan struct{} // closed, and replaced, when an invocation is there
}

type runtimeState string

const (
	stateStarted       runtimeState = "Started"
	stateReady         runtimeState = "Ready"
	stateRunning       runtimeState = "Running"
	stateResponse      runtimeState = "InvocationResponse"
	stateErrorResponse runtimeState = "InvocationErrorResponse"
	stateResponseSent  runtimeState = "ResponseSent"
	stateInitError     runtimeState = "InitError"
)

// invocation is one event on its way to a function.
type invocation struct {
	id, arn, trace string
	payload        []byte
	deadline       time.Time
}

type eventKind int

const (
	eventReady     eventKind = iota // the function asks for an invocation
	eventResponse                   // it answered
	eventError                      // it answered with an error
	eventTooLarge                   // it answered with too much
	eventInitError                  // it could not start
)

type event struct {
	kind      eventKind
	at        time.Time
	body      []byte
	errorType string // of the header, for errors
}

// unpack turns an answer into what the caller gets. No answer is what a function leaves
// that asks for the next invocation without one; the state machine does not let it.
func (e *event) unpack(requestID string) ([]byte, error) {
	switch {
	case e == nil:
		return nil, platformError(requestID, typeUnknown, fmt.Sprintf("RequestId: %s Error: the function gave no answer", requestID))
	case e.kind == eventError:
		return nil, reportedError(requestID, e.body, e.errorType)
	case e.kind == eventTooLarge:
		return nil, tooLargeError(requestID)
	}
	return e.body, nil
}

const apiPath = "/2018-06-01/runtime"

func newRuntimeAPI() *runtimeAPI {
	return &runtimeAPI{state: stateStarted, events: make(chan event, 4), wake: make(chan struct{})}
}

func (a *runtimeAPI) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiPath+"/invocation/next", a.next)
	mux.HandleFunc("POST "+apiPath+"/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, stateResponse)
	})
	mux.HandleFunc("POST "+apiPath+"/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, stateErrorResponse)
	})
	mux.HandleFunc("POST "+apiPath+"/init/error", a.initError)
	return mux
}

// begin makes the invocation the current one and hands it to the function, which is asking
// for it or will. The function must have asked before: the owner has seen eventReady.
func (a *runtimeAPI) begin(inv *invocation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = inv
	close(a.wake)
	a.wake = make(chan struct{})
}

// lastAnswer returns the answer that is known or still in the queue, or nil.
func (a *runtimeAPI) lastAnswer(known *event) *event {
	for {
		select {
		case ev := <-a.events:
			if ev.kind != eventReady {
				known = &ev
			}
		default:
			return known
		}
	}
}

// next answers when there is an invocation: a runtime waits for it as long as it takes.
func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	inv, wake, refused := a.ask(at)
	if refused != "" {
		forbid(w, refused, stateReady)
		return
	}
	for inv == nil {
		select {
		case <-wake:
			inv, wake = a.take()
		case <-r.Context().Done():
			return
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", inv.arn)
	h.Set("Lambda-Runtime-Trace-Id", inv.trace)
	_, _ = w.Write(inv.payload) // a broken connection is the end of the process, seen there
}

// ask records that the function wants an invocation. Asking again while one is under way
// gets the same one again, as on AWS.
func (a *runtimeAPI) ask(at time.Time) (inv *invocation, wake <-chan struct{}, refused runtimeState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch a.state {
	case stateStarted, stateResponseSent:
		a.state, a.current = stateReady, nil
		a.events <- event{kind: eventReady, at: at}
	case stateRunning:
		return a.current, nil, ""
	case stateReady:
		if a.current != nil { // the one who asked before is gone
			a.state = stateRunning
			return a.current, nil, ""
		}
	default:
		return nil, nil, a.state
	}
	return nil, a.wake, ""
}

// take claims the invocation for one of those who asked.
func (a *runtimeAPI) take() (*invocation, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state != stateReady || a.current == nil {
		return nil, a.wake
	}
	a.state = stateRunning
	return a.current, nil
}

// answer takes a response or an error for the current invocation, once.
func (a *runtimeAPI) answer(w http.ResponseWriter, r *http.Request, to runtimeState) {
	a.mu.Lock()
	from, known := a.state, a.current != nil && a.state != stateReady && r.PathValue("id") == a.current.id
	if known && from == stateRunning {
		a.state = to
	}
	a.mu.Unlock()
	switch {
	case !known:
		writeError(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	case from != stateRunning:
		forbid(w, from, to)
		return
	}
	ev, err := readAnswer(r, to)
	if err != nil {
		a.settle(stateRunning, nil)
		writeError(w, http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated")
		return
	}
	a.settle(stateResponseSent, &ev)
	if ev.kind == eventTooLarge {
		writeError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge",
			fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", maxResponseBytes))
		return
	}
	accept(w)
}

func (a *runtimeAPI) settle(state runtimeState, ev *event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state = state
	if ev != nil {
		a.events <- *ev
	}
}

// readAnswer reads the body of a response or an error. A runtime that fails in the middle
// of a response says so in trailers.
func readAnswer(r *http.Request, to runtimeState) (event, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxResponseBytes))
	ev := event{kind: eventResponse, at: time.Now(), body: body}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		ev.kind, ev.body = eventTooLarge, nil
		return ev, nil
	}
	if err != nil {
		return event{}, err
	}
	if to == stateErrorResponse {
		ev.kind, ev.errorType = eventError, r.Header.Get("Lambda-Runtime-Function-Error-Type")
		return ev, nil
	}
	if errorType := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); errorType != "" {
		ev.kind, ev.errorType = eventError, errorType
		ev.body, err = base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
	}
	return ev, err
}

// initError takes the reason why the function cannot start.
func (a *runtimeAPI) initError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxResponseBytes))
	if err != nil {
		writeError(w, http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated")
		return
	}
	a.mu.Lock()
	from := a.state
	if from == stateStarted {
		a.state = stateInitError
		a.events <- event{kind: eventInitError, at: time.Now(), body: body, errorType: r.Header.Get("Lambda-Runtime-Function-Error-Type")}
	}
	a.mu.Unlock()
	if from != stateStarted {
		forbid(w, from, stateInitError)
		return
	}
	accept(w)
}

func accept(w http.ResponseWriter) {
	writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func forbid(w http.ResponseWriter, from, to runtimeState) {
	writeError(w, http.StatusForbidden, "InvalidStateTransition", fmt.Sprintf(
		"State transition from %s to %s failed for runtime. Error: State transition is not allowed", from, to))
}

func writeError(w http.ResponseWriter, status int, errorType, message string) {
	writeJSON(w, status, errorDocument{ErrorType: errorType, ErrorMessage: message})
}

func writeJSON(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}
