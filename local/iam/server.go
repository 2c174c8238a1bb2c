package iam

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options configure a Server. The zero value is an account without users, where
// everything is known at once.
type Options struct {
	Account string // 123456789012
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Lag is how long a new key is not known yet to those who verify it, and one
	// that was ended still is.
	Lag time.Duration
	// UsedLag is how long it takes until a use of a key is told.
	UsedLag time.Duration
	// Fault decides what becomes of the n-th call, from 1. Nil: all is well.
	Fault func(action string, n int) Fault
}

// Fault is what becomes of a call.
type Fault int

const (
	// None: it is carried out and answered.
	None Fault = iota
	// NotDone: it is not carried out, and the connection ends.
	NotDone
	// ReplyLost: it is carried out, and the connection ends without an answer.
	ReplyLost
	// Throttled: it is not carried out; the caller is asked to slow down.
	Throttled
	// ServerError: it is not carried out; status 500.
	ServerError
)

// Server is an http.Handler for requests that are signed for iam or sts. Its
// methods may be called from several goroutines.
type Server struct {
	opt Options

	mu    sync.Mutex
	users map[string]*user
	calls []string
	peak  map[string]int
}

type user struct {
	name string
	keys []*key // those that have ended too, until nobody knows them any more
}

type key struct {
	id, secret string
	created    time.Time
	active     bool
	deleted    bool
	changed    time.Time // when it was made, deactivated, activated or deleted last
	was        bool      // whether it was accepted before that
	used       time.Time
}

// maxKeys is how many keys a user may have, active or not.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const maxKeys = 2

// New makes a server.
func New(o Options) *Server {
	o.Account = cmp.Or(o.Account, "123456789012")
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{opt: o, users: map[string]*user{}, peak: map[string]int{}}
}

// AddUser makes a user with one key, which is a month old, and returns it.
func (s *Server) AddUser(name string) (id, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &user{name: name}
	s.users[name] = u
	k := s.newKey(u)
	k.created, k.changed = k.created.AddDate(0, -1, 0), time.Time{}
	return k.id, k.secret
}

// Calls are the actions so far, as "iam:CreateAccessKey".
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Keys are the ids of a user's keys, in the order in which they were made, and
// whether each is active.
func (s *Server) Keys(name string) (ids []string, active []bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[name]; u != nil {
		for _, k := range u.live() {
			ids, active = append(ids, k.id), append(active, k.active)
		}
	}
	return ids, active
}

// Peak is the most keys that a user has had at once.
func (s *Server) Peak(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak[name]
}

// Valid tells whether a key opens something, whatever is known of it yet.
func (s *Server) Valid(id, secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, k := s.find(id)
	return k != nil && k.active && !k.deleted && k.secret == secret
}

// Use notes that a key was used.
func (s *Server) Use(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, k := s.find(id); k != nil {
		k.used = s.opt.Now()
	}
}

func (u *user) live() []*key {
	return slices.DeleteFunc(slices.Clone(u.keys), func(k *key) bool { return k.deleted })
}

func (s *Server) newKey(u *user) *key {
	now := s.opt.Now()
	var secret [30]byte
	_, _ = rand.Read(secret[:])
	k := &key{id: "AKIA" + rand.Text()[:16], secret: base64.StdEncoding.EncodeToString(secret[:]), created: now, active: true, changed: now}
	u.keys = append(u.keys, k)
	s.peak[u.name] = max(s.peak[u.name], len(u.live()))
	return k
}

// change lets a key be accepted, or not, from now on; who verifies keys learns it
// after the lag.
func (s *Server) change(k *key, deed func()) {
	k.was = k.active && !k.deleted
	deed()
	k.changed = s.opt.Now()
}

// accepted is what those who verify keys know.
func (s *Server) accepted(k *key) bool {
	if s.opt.Now().Sub(k.changed) < s.opt.Lag {
		return k.was
	}
	return k.active && !k.deleted
}

func (s *Server) find(id string) (*user, *key) {
	for _, u := range s.users {
		for _, k := range u.keys {
			if k.id == id {
				return u, k
			}
		}
	}
	return nil, nil
}

// ServeHTTP serves one API call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := read(r)
	if err != nil {
		refuse(w, err)
		return
	}
	s.mu.Lock()
	s.calls = append(s.calls, q.service+":"+q.action)
	n := len(s.calls)
	s.mu.Unlock()
	fault := None
	if s.opt.Fault != nil {
		fault = s.opt.Fault(q.action, n)
	}
	switch fault {
	case NotDone:
		panic(http.ErrAbortHandler)
	case Throttled:
		refuse(w, &apiError{http.StatusBadRequest, "Throttling", "Rate exceeded"})
		return
	case ServerError:
		refuse(w, &apiError{http.StatusInternalServerError, "ServiceFailure", "The request processing has failed because of an unknown error."})
		return
	}
	out, err := s.carryOut(q)
	if fault == ReplyLost {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, q, out)
}

func (s *Server) carryOut(q *query) (any, error) {
	operation, known := operations[q.service+":"+q.action]
	if !known {
		return nil, invalid("InvalidAction", "Could not find operation %.64s for version %.16s", q.action, q.version)
	}
	for name := range q.form {
		if name != "Action" && name != "Version" && !slices.Contains(operation.parameters, name) {
			return nil, invalid("ValidationError", "There is no parameter %.64q of %s here.", name, q.action)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return operation.do(s, q)
}

// apiError is an error of the API.
type apiError struct {
	status        int
	code, message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func refuse(w http.ResponseWriter, err error) {
	e := &apiError{http.StatusInternalServerError, "ServiceFailure", err.Error()}
	errors.As(err, &e)
	kind := "Sender"
	if e.status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	send(w, e.status, errorDocument{Error: errorDetail{Type: kind, Code: e.code, Message: e.message}, RequestID: strings.ToLower(rand.Text())})
}
