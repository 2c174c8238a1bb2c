package secretsmanager

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Call is one API call, as [Options.OnCall] sees it. It holds no value of a secret.
type Call struct {
	Operation   string // as named in the request: CreateSecret, …
	Region      string
	Secret      string // the secret's name or ARN as the request gave it; empty if it names none
	UserAgent   string
	AccessKeyID string
	Status      int    // of HTTP; also for a reply that a fault then drops
	Error       string // the API's error code; empty for a success
	Start       time.Time
	Duration    time.Duration
}

func (s *Server) observe(c Call) {
	if s.opt.OnCall != nil {
		s.opt.OnCall(c)
	}
}

func namedSecret(members map[string]json.RawMessage) string {
	var name string
	for _, member := range []string{"SecretId", "Name"} {
		if raw := members[member]; raw != nil && json.Unmarshal(raw, &name) == nil {
			return name
		}
	}
	return ""
}

// Fault is a failure on purpose. The zero value is none.
type Fault struct {
	Kind  FaultKind
	Delay time.Duration // before the call is executed, whatever the Kind
}

// FaultKind says how a call fails.
type FaultKind int

// The kinds of fault.
const (
	NoFault     FaultKind = iota
	Throttle              // ThrottlingException, HTTP 400; not executed
	ServerError           // InternalServiceError, HTTP 500; not executed
	Drop                  // the connection closes without an answer; not executed
	LoseReply             // executed, then the connection closes without an answer
)

func (f Fault) wait(ctx context.Context) {
	if f.Delay > 0 {
		pause(ctx, f.Delay)
	}
}

// before is the error in place of execution, if the fault comes before it.
func (f Fault) before() error {
	switch f.Kind {
	case Throttle:
		return apiErr("ThrottlingException", "Rate exceeded")
	case ServerError, Drop:
		return &apiError{code: "InternalServiceError", status: http.StatusInternalServerError, message: "An error occurred on the server side."}
	}
	return nil
}

func (f Fault) drops() bool { return f.Kind == Drop || f.Kind == LoseReply }

// faultCount numbers the calls of each operation.
type faultCount struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *faultCount) next(choose func(string, int) Fault, operation string) Fault {
	if choose == nil {
		return Fault{}
	}
	c.mu.Lock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[operation]++
	n := c.n[operation]
	c.mu.Unlock()
	return choose(operation, n)
}
