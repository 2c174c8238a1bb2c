package lambdaapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
)

// known are the headers by which Invoke takes its parameters.
var known = []string{"X-Amz-Invocation-Type", "X-Amz-Log-Type"}

// refused are those of Invoke's that the stand-in does not carry out.
var refused = []string{"X-Amz-Client-Context", "X-Amz-Durable-Execution-Name", "X-Amz-Tenant-Id"}

// invoke runs the function:
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (s *Server) invoke(c *call) *reply {
	for _, name := range refused {
		if c.request.Header.Get(name) != "" {
			return &reply{err: refuse("InvalidParameterValueException", "the stand-in does not know %s", name)}
		}
	}
	kind, logs := c.request.Header.Get(known[0]), c.request.Header.Get(known[1])
	if !slices.Contains([]string{"", "None", "Tail"}, logs) {
		return &reply{err: refuse("InvalidParameterValueException", "LogType must be None or Tail, not %.32q", logs)}
	}
	switch kind {
	case "", "RequestResponse":
		return s.synchronously(c, logs == "Tail")
	case "Event":
		return s.asynchronously(c)
	case "DryRun":
		return &reply{status: http.StatusNoContent}
	}
	return &reply{err: refuse("InvalidParameterValueException", "InvocationType must be RequestResponse, Event or DryRun, not %.32q", kind)}
}

// synchronously answers what the function does. Its own errors are answers too: 200, and a
// header that tells.
func (s *Server) synchronously(c *call, tail bool) *reply {
	answer, report, err := s.opt.Functions.InvokeReport(c.request.Context(), c.arn, c.body)
	out := &reply{body: answer, header: map[string]string{"X-Amz-Executed-Version": "$LATEST"}}
	failure := (*lambda.FunctionError)(nil)
	switch {
	case errors.As(err, &failure):
		// It was "Handled" and "Unhandled" once; now it is this for every runtime of today.
		out.header["X-Amz-Function-Error"], out.body = "Unhandled", failure.Payload
	case err != nil:
		return &reply{err: err}
	}
	if tail {
		out.header["X-Amz-Log-Result"] = base64.StdEncoding.EncodeToString([]byte(report.LogTail))
	}
	return out
}

// maxAsynchronous is the largest payload of an asynchronous invocation:
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxAsynchronous = 1 << 20

// How often an asynchronous invocation whose function fails is tried, and the pauses between,
// which are a minute and two on AWS:
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
var pauses = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}

func (s *Server) asynchronously(c *call) *reply {
	switch {
	case len(c.body) > maxAsynchronous:
		return &reply{err: refuse("RequestTooLargeException", "%d byte payload is too large for the Event invocation type (limit %d bytes)", len(c.body), maxAsynchronous)}
	case len(c.body) > 0 && !json.Valid(c.body):
		return &reply{err: refuse("InvalidRequestContentException", "Could not parse request body into json: the payload must be one JSON value")}
	}
	s.running.Go(func() {
		for n := 0; s.background.Err() == nil; n++ {
			_, err := s.opt.Functions.Invoke(s.background, c.arn, c.body)
			if err == nil || n == len(pauses) {
				return
			}
			select {
			case <-time.After(pauses[n]):
			case <-s.background.Done():
			}
		}
	})
	return &reply{status: http.StatusAccepted}
}

// configuration is the part of a function's configuration that there is here:
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
func (s *Server) configuration(c *call) *reply {
	version := c.arn[len(c.function.ARN()):]
	if version == "" {
		version = ":$LATEST"
	}
	return &reply{body: encode(map[string]any{
		"FunctionName": c.function.Name(), "FunctionArn": c.arn, "Version": version[1:],
		"Runtime": "provided.al2023", "Handler": "bootstrap", "PackageType": "Zip",
		"MemorySize": c.function.MemoryMB(), "Timeout": int(c.function.Timeout() / time.Second),
		"State": "Active", "LastUpdateStatus": "Successful",
		"LastModified": s.made.UTC().Format("2006-01-02T15:04:05.000+0000"),
	})}
}
