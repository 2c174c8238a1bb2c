package secretsmanager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// Options configure a Server. The zero value is a server in memory, in us-east-1, account
// 123456789012, without functions to rotate with.
type Options struct {
	Account string // twelve digits; 123456789012 if empty
	Region  string // for requests that name none in their credential scope; us-east-1 if empty

	// StateDir keeps the secrets across restarts, encrypted; see [New]. Empty: in memory only.
	StateDir string

	// Now is the clock of dates, schedules and recovery windows; time.Now if nil. Pauses
	// between attempts of a rotation are in real time.
	Now func() time.Time

	// Invoker runs rotation functions; without one, RotateSecret is refused.
	Invoker Invoker

	// Attempts is how often the whole sequence of a rotation is tried with one token before
	// it counts as failed; 3 if zero. AWS says "multiple times", not how many.
	Attempts int

	// Backoff is the pause after a failed attempt (the first is 1); 1 s, doubling, if nil.
	Backoff func(attempt int) time.Duration

	// KeepPendingLabel leaves AWSPENDING beside AWSCURRENT on the version of a rotation that
	// succeeded. Both outcomes are seen on AWS, so a function must be right under both.
	KeepPendingLabel bool

	OnCall     func(Call)          // after each API call, before its reply is sent; may be called concurrently
	OnRotation func(RotationEvent) // at each turn of a rotation, in order for one secret; may be called concurrently

	// Fault makes the n-th call of an operation (counted from 1) fail on purpose; nil: none do.
	Fault func(operation string, n int) Fault
}

// Invoker runs Lambda functions. Implementations must be safe for concurrent use.
type Invoker interface {
	// Has says whether Secrets Manager could invoke the function.
	Has(functionARN string) bool
	// Invoke runs the function to its end. An error the function reports is an error here.
	Invoke(ctx context.Context, functionARN string, payload []byte) (response []byte, err error)
}

// Server is the API's handler. It is safe for concurrent use.
//
// Writers take turns (writing), work on a copy, commit it, then publish it (mu): readers
// never wait for the disk, never see half a change, and a published secret never changes.
type Server struct {
	opt  Options
	disk *disk // nil: in memory

	writing sync.Mutex
	mu      sync.RWMutex
	regions map[string]map[string]*secret // region → name → secret

	rotations rotations
	faults    faultCount
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
)

// ErrClosed is the end of a rotation, or of a wait for it, that Close cut short. With a
// state directory the rotation is taken up again, with the same token, by the next server.
var ErrClosed = errors.New("the local Secrets Manager was closed")

// New makes a server; nothing runs until it is served, and nothing is due until [Server.Run]
// or [Server.RunDue].
//
// With a StateDir, secrets are kept in StateDir/secrets.db, names and values encrypted with
// AES-256-GCM under StateDir/secrets.key. Both are made, readable by their owner only, if
// neither is there. A write is on the disk before it is acknowledged. One server at a time
// may use a directory; Close releases it.
func New(o Options) (*Server, error) {
	o.Account = cmp.Or(o.Account, "123456789012")
	o.Region = cmp.Or(o.Region, "us-east-1")
	o.Attempts = cmp.Or(o.Attempts, 3)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Backoff == nil {
		o.Backoff = func(attempt int) time.Duration { return time.Second << min(attempt-1, 6) }
	}
	switch {
	case !accountForm.MatchString(o.Account):
		return nil, fmt.Errorf("local Secrets Manager: account %q is not an AWS account id: give twelve digits", o.Account)
	case !regionForm.MatchString(o.Region):
		return nil, fmt.Errorf("local Secrets Manager: %q is not the name of a Region: give one such as us-east-1", o.Region)
	case o.Attempts < 1:
		return nil, fmt.Errorf("local Secrets Manager: %d attempts of a rotation are none: give 1 or more", o.Attempts)
	}
	s := &Server{opt: o, regions: map[string]map[string]*secret{}}
	s.rotations.init()
	if o.StateDir == "" {
		return s, nil
	}
	d, secrets, err := openDisk(o.StateDir)
	if err != nil {
		return nil, fmt.Errorf("local Secrets Manager: %w", err)
	}
	s.disk = d
	for _, sec := range secrets {
		s.publish(sec)
	}
	return s, nil
}

// Close stops rotations (after the invocation they are in, which is cancelled), waits for
// them, and releases the state directory. Calls served meanwhile fail. It may be called again.
func (s *Server) Close() error {
	s.rotations.close()
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.disk == nil {
		return nil
	}
	return s.disk.close()
}

var _ http.Handler = (*Server)(nil)

// lookup finds a secret that exists at this moment; one whose recovery window has passed
// does not, even if no one has swept it yet.
func (s *Server) lookup(region, id string) (*secret, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	region, name, arn := splitID(region, id)
	sec := s.regions[region][name]
	if sec == nil || (arn != "" && !sec.hasARN(arn)) || sec.gone(s.opt.Now()) {
		return nil, errNotFound()
	}
	return sec, nil
}

// errUnchanged tells change that there is nothing to write.
var errUnchanged = errors.New("nothing to change")

// change applies edit to a copy of a secret, commits the copy, then publishes it. If edit or
// the commit fails, nothing has happened.
func (s *Server) change(region, id string, edit func(*secret) error) (*secret, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.changeLocked(region, id, edit)
}

func (s *Server) changeLocked(region, id string, edit func(*secret) error) (*secret, error) {
	old, err := s.lookup(region, id)
	if err != nil {
		return nil, err
	}
	next := old.clone()
	if err := edit(next); errors.Is(err, errUnchanged) {
		return old, nil
	} else if err != nil {
		return nil, err
	}
	return next, s.replace(old, next)
}

// replace commits and publishes next in place of old; either may be nil. The caller holds writing.
func (s *Server) replace(old, next *secret) error {
	if s.disk != nil {
		if err := s.disk.save(old, next); err != nil {
			return err
		}
	}
	if next != nil {
		s.publish(next)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.regions[old.Region], old.Name)
	s.rotations.forget(old.ARN)
	return nil
}

func (s *Server) publish(sec *secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.regions[sec.Region] == nil {
		s.regions[sec.Region] = map[string]*secret{}
	}
	s.regions[sec.Region][sec.Name] = sec
}

// all returns the secrets of a Region, or of every Region for "", in no order.
func (s *Server) all(region string) []*secret {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []*secret
	for name, secrets := range s.regions {
		if region != "" && region != name {
			continue
		}
		for _, sec := range secrets {
			list = append(list, sec)
		}
	}
	return list
}
