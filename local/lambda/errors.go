package lambda

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"
)

// The error types that Lambda itself gives, as seen in its answers and logs.
const (
	typeTimeout    = "Sandbox.Timedout"
	typeExit       = "Runtime.ExitError"
	typeEntrypoint = "Runtime.InvalidEntrypoint"
	typeTooLarge   = "Function.ResponseSizeTooLarge"
	typeUnknown    = "Runtime.Unknown"
)

// FunctionError is a failed invocation: AWS answers it with status 200 and the header
// X-Amz-Function-Error. It is the function's own error, or one of the platform's:
// Sandbox.Timedout, Runtime.ExitError, Runtime.InvalidEntrypoint (the binary does not
// start), Function.ResponseSizeTooLarge.
type FunctionError struct {
	// Type and Message are errorType and errorMessage of the answer.
	Type, Message string
	// StackTrace is what functions in Go add after a panic; nil otherwise.
	StackTrace []StackFrame
	// RequestID names the invocation in the logs.
	RequestID string
	// Payload is the whole answer, as the function or the platform wrote it.
	Payload []byte
}

// StackFrame is one line of a stack trace.
type StackFrame struct {
	Path  string `json:"path"`
	Line  int    `json:"line"`
	Label string `json:"label"`
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// ofPlatform reports whether Lambda made the error, which it then also logs.
func (e *FunctionError) ofPlatform() bool {
	switch e.Type {
	case typeTimeout, typeExit, typeEntrypoint:
		return true
	}
	return false
}

// ServiceError is Lambda's refusal to invoke at all, with the code that AWS gives:
// ResourceNotFoundException, TooManyRequestsException, RequestTooLargeException,
// InvalidRequestContentException or InvalidParameterValueException.
type ServiceError struct {
	Code, Message string
}

func (e *ServiceError) Error() string { return e.Code + ": " + e.Message }

// errorDocument is the JSON form of a function's error:
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-invokeerror
type errorDocument struct {
	ErrorType    string          `json:"errorType"`
	ErrorMessage string          `json:"errorMessage"`
	StackTrace   json.RawMessage `json:"stackTrace,omitempty"`
}

// reportedError reads an error that the function posted. A body of another form is kept in
// Payload, and the type then is the header's.
func reportedError(requestID string, body []byte, headerType string) *FunctionError {
	var doc errorDocument
	if err := json.Unmarshal(body, &doc); err != nil {
		doc = errorDocument{ErrorMessage: "the function posted an error that is not a JSON object with errorType and errorMessage"}
	}
	e := &FunctionError{
		Type:      cmp.Or(doc.ErrorType, headerType, typeUnknown),
		Message:   doc.ErrorMessage,
		RequestID: requestID,
		Payload:   body,
	}
	// Other runtimes send lines of text instead of frames: those stay in Payload.
	if json.Unmarshal(doc.StackTrace, &e.StackTrace) != nil {
		e.StackTrace = nil
	}
	return e
}

func platformError(requestID, errorType, message string) *FunctionError {
	payload, err := json.Marshal(errorDocument{ErrorType: errorType, ErrorMessage: message})
	if err != nil {
		panic(err) // two strings always marshal
	}
	return &FunctionError{Type: errorType, Message: message, RequestID: requestID, Payload: payload}
}

func timeoutError(requestID string, limit time.Duration) *FunctionError {
	return platformError(requestID, typeTimeout,
		fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", requestID, limit.Seconds()))
}

// exitError words the end of a process, whose status is as os.ProcessState prints it.
func exitError(requestID, status string) *FunctionError {
	cause := "Runtime exited with error: " + status
	if status == "exit status 0" {
		cause = "Runtime exited without providing a reason"
	}
	return platformError(requestID, typeExit, fmt.Sprintf("RequestId: %s Error: %s", requestID, cause))
}

func entrypointError(requestID string, err error) *FunctionError {
	return platformError(requestID, typeEntrypoint, fmt.Sprintf("RequestId: %s Error: %v", requestID, err))
}

func tooLargeError(requestID string) *FunctionError {
	return platformError(requestID, typeTooLarge,
		fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponseBytes))
}
