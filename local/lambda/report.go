package lambda

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The values of Report.Status.
const (
	statusSuccess = "success"
	statusError   = "error"
	statusTimeout = "timeout"
)

// Report is what Lambda's REPORT line tells of one invocation.
type Report struct {
	RequestID, Function string
	// Duration is from the delivery of the event until the instance was free again.
	Duration time.Duration
	// InitDuration is from the start of the process to its first request for an event.
	// Zero for a warm invocation, and when the first start failed.
	InitDuration time.Duration
	// BilledDuration is Duration and InitDuration, rounded up to a millisecond.
	BilledDuration time.Duration
	MemorySizeMB   int
	// MaxMemoryUsed is the highest resident size of the process so far, in bytes: the
	// kernel's VmHWM, shared pages of the binary included. Zero when unknown: on systems
	// other than Linux, and when the process ended before it could be read.
	MaxMemoryUsed int64
	// ColdStart tells that the invocation started a process.
	ColdStart bool
	// Status is "success", "error" or "timeout"; ErrorType is empty on success.
	Status, ErrorType string
	// LogTail are the last 4 KB that the invocation wrote, Lambda's own lines included, the
	// cold start's too.
	LogTail string
}

func (r *Report) fail(e *FunctionError) {
	r.Status, r.ErrorType = statusError, e.Type
	if e.Type == typeTimeout {
		r.Status = statusTimeout
	}
}

// bill rounds as Lambda does since it bills the Init phase too:
// https://aws.amazon.com/lambda/pricing/
func (r *Report) bill() {
	total := r.Duration + r.InitDuration
	r.BilledDuration = (total + time.Millisecond - 1).Truncate(time.Millisecond)
}

// String is the REPORT line in Lambda's text format. An unknown memory use is left out.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "REPORT RequestId: %s\tDuration: %s ms\tBilled Duration: %d ms\tMemory Size: %d MB",
		r.RequestID, milliseconds(r.Duration), r.BilledDuration.Milliseconds(), r.MemorySizeMB)
	if r.MaxMemoryUsed > 0 {
		const mb = 1 << 20
		fmt.Fprintf(&b, "\tMax Memory Used: %d MB", (r.MaxMemoryUsed+mb-1)/mb)
	}
	if r.InitDuration > 0 {
		fmt.Fprintf(&b, "\tInit Duration: %s ms", milliseconds(r.InitDuration))
	}
	switch {
	case r.Status == statusTimeout:
		b.WriteString("\tStatus: timeout")
	case r.ErrorType == typeExit || r.ErrorType == typeEntrypoint:
		fmt.Fprintf(&b, "\tStatus: error\tError Type: %s", r.ErrorType)
	}
	return b.String()
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 2, 64)
}
