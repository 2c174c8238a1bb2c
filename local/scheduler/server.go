package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Invoker runs functions: *lambda.Registry does.
type Invoker interface {
	Invoke(ctx context.Context, function string, payload []byte) ([]byte, error)
}

// Options configure a Server. Invoker is required.
type Options struct {
	Invoker Invoker
	Region  string // us-east-1
	Account string // 123456789012
	// File keeps the schedules; "": they are in memory.
	File string
	// Now is the clock. Nil: time.Now. Schedules are carried out by Run or Tick.
	Now func() time.Time

	OnInvocation func(Invocation) // each attempt
	OnDeadLetter func(DeadLetter)
}

// Invocation is one attempt to have a function carry out a schedule.
type Invocation struct {
	Schedule string // its ARN
	Function string
	Payload  []byte
	Attempt  int
	Err      error // nil: it was carried out
}

// DeadLetter is an event that came to nothing.
type DeadLetter struct {
	Schedule, Function string
	Payload            []byte
	Attempts           int
	// Queue is the schedule's dead-letter queue, or "". There are no queues here.
	Queue string
	// Retried tells an event that could not be handed over from one that the
	// function failed on each time: that never reaches a schedule's queue on AWS,
	// but the function's own.
	HandedOver bool
	Err        error
}

// Server is an http.Handler. Its methods may be called from several goroutines.
type Server struct {
	opt Options
	mux *http.ServeMux

	mu      sync.Mutex
	groups  map[string]*group
	flights []*flight // events that were begun and have not come to their end
	changed chan struct{}
}

// group holds schedules by name. The one called default is always there.
type group struct {
	Name      string
	Created   time.Time
	Tags      map[string]string    `json:",omitempty"`
	Schedules map[string]*schedule `json:",omitempty"`
}

const defaultGroup = "default"

// New makes a server with what its file holds.
func New(o Options) (*Server, error) {
	if o.Invoker == nil {
		return nil, errors.New("local EventBridge Scheduler: set Invoker: schedules invoke functions")
	}
	o.Region, o.Account = cmp.Or(o.Region, "us-east-1"), cmp.Or(o.Account, "123456789012")
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{opt: o, groups: map[string]*group{}, changed: make(chan struct{}, 1)}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("local EventBridge Scheduler: %w", err)
	}
	if s.groups[defaultGroup] == nil {
		s.groups[defaultGroup] = &group{Name: defaultGroup, Created: o.Now(), Schedules: map[string]*schedule{}}
	}
	s.route()
	return s, nil
}

// ServeHTTP serves one API call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) route() {
	s.mux = http.NewServeMux()
	for pattern, operation := range map[string]operation{
		"POST /schedules/{Name}":         s.createSchedule,
		"GET /schedules/{Name}":          s.getSchedule,
		"PUT /schedules/{Name}":          s.updateSchedule,
		"DELETE /schedules/{Name}":       s.deleteSchedule,
		"GET /schedules":                 s.listSchedules,
		"POST /schedule-groups/{Name}":   s.createGroup,
		"GET /schedule-groups/{Name}":    s.getGroup,
		"DELETE /schedule-groups/{Name}": s.deleteGroup,
		"GET /schedule-groups":           s.listGroups,
		"GET /tags/{ResourceArn}":        s.listTags,
		"POST /tags/{ResourceArn}":       s.tag,
		"DELETE /tags/{ResourceArn}":     s.untag,
	} {
		s.mux.HandleFunc(pattern, s.handle(operation))
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		send(w, nil, apiErr("UnknownOperationException", "EventBridge Scheduler has no operation %.8s %.64q.", r.Method, r.URL.Path))
	})
}

// handle lets one operation at a time see and change the schedules, and keeps what
// it changed.
func (s *Server) handle(op operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := func() (any, error) {
			in, err := read(r)
			if err != nil {
				return nil, err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			out, err := op(in)
			if err == nil && r.Method != http.MethodGet {
				err = s.save()
				s.wake()
			}
			return out, err
		}()
		send(w, out, err)
	}
}

func (s *Server) arn(resource string) string {
	return "arn:" + partition(s.opt.Region) + ":scheduler:" + s.opt.Region + ":" + s.opt.Account + ":" + resource
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// sorted are the values of a map in the order of their names.
func sorted[T any](m map[string]T) []T {
	var all []T
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, m[name])
	}
	return all
}
