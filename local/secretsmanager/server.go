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

	// Callers are who calls, by access key id: their accounts, what policies know of them,
	// and the keys that they sign with. Any other access key belongs to Account, and to no
	// one that a policy could bind. See [Caller].
	Callers map[string]Caller

	// Keys are the KMS keys that exist, by ARN, id or alias; nil: whichever is well formed.
	Keys []string

	// ReplicationDelay is how long a change of a primary secret takes to reach its replicas,
	// by the server's clock; what is under way arrives when [Server.RunDue] is next called.
	// Zero: at once, in one commit with the change.
	ReplicationDelay time.Duration

	OnCall     func(Call)          // after each API call, before its reply is sent; may be called concurrently
	OnRotation func(RotationEvent) // at each turn of a rotation, in order for one secret; may be called concurrently
	OnSecret   func(SecretEvent)   // what the service does to secrets by itself; must not call the server back
	OnLabels   func(LabelEvent)    // each write that moved labels, after its commit; must not call the Server

	// Fault makes the n-th call of an operation (counted from 1) fail on purpose; nil: none do.
	Fault func(operation string, n int) Fault

	// Faults are failures on purpose by rule, after Fault; see [ParseFaults].
	Faults []FaultRule

	signed bool // a caller has a key
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
	shelves map[place]*shelf

	rotations rotations
	faults    faults
}

var accountForm = regexp.MustCompile(`^[0-9]{12}$`)

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
	case !validRegion(o.Region):
		return nil, fmt.Errorf("local Secrets Manager: %q is not the name of a Region: give one such as us-east-1", o.Region)
	case o.Attempts < 1:
		return nil, fmt.Errorf("local Secrets Manager: %d attempts of a rotation are none: give 1 or more", o.Attempts)
	}
	if err := errors.Join(o.completeCallers(), checkKeys(o.Keys)); err != nil {
		return nil, err
	}
	if err := checkFaults(o.Faults); err != nil {
		return nil, fmt.Errorf("local Secrets Manager: %w", err)
	}
	s := &Server{opt: o, shelves: map[place]*shelf{}}
	s.faults.rules = o.Faults
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
		s.publish(change{next: sec})
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

// at finds a secret that exists at this moment; one whose recovery window has passed does
// not, even if no one has swept it yet.
func (s *Server) at(where place, name string) *secret {
	sec := s.kept(where, name)
	if sec == nil || sec.gone(s.opt.Now()) {
		return nil
	}
	return sec
}

// kept is at, for a secret whether it still exists or not.
func (s *Server) kept(where place, name string) *secret {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if shelf := s.shelves[where]; shelf != nil {
		return shelf.byName[name]
	}
	return nil
}

// find finds a secret by any of its ids, for someone who is at a place.
func (s *Server) find(from place, id string) (*secret, error) {
	where, name, arn := splitID(from, id)
	sec := s.at(where, name)
	if sec == nil || (arn != "" && !sec.hasARN(arn)) {
		return nil, errNotFound()
	}
	return sec, nil
}

// lookup is find for a caller, who must be allowed to do with the secret what they ask for.
func (s *Server) lookup(c *caller, id string) (*secret, error) {
	sec, err := s.find(c.place, id)
	if err != nil {
		return nil, c.mayKnow(id, err)
	}
	c.secret = sec
	return sec, s.authorize(c, id, sec)
}

// errUnchanged tells change that there is nothing to write.
var errUnchanged = errors.New("nothing to change")

// change applies edit to a copy of a secret, commits the copy with what follows from it in
// other Regions, then publishes all. If edit or the commit fails, nothing has happened.
func (s *Server) change(c *caller, id string, edit func(*secret) error) (*secret, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.changeLocked(c, id, edit)
}

func (s *Server) changeLocked(c *caller, id string, edit func(*secret) error) (*secret, error) {
	old, err := s.lookup(c, id)
	if err != nil {
		return nil, err
	}
	if err := old.mayChange(); err != nil {
		return nil, err
	}
	return s.edit(old, edit)
}

// edit is the heart of change, for the service itself. The caller holds writing.
func (s *Server) edit(old *secret, edit func(*secret) error) (*secret, error) {
	next := old.clone()
	if err := edit(next); errors.Is(err, errUnchanged) {
		return old, nil
	} else if err != nil {
		return nil, err
	}
	return next, s.commit(append(s.spread(next), change{old, next})...)
}

// revise is edit for a secret that may have changed, or ended, since the caller saw it.
func (s *Server) revise(seen *secret, edit func(*secret) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	_, err := s.reviseLocked(seen, edit)
	return err
}

func (s *Server) reviseLocked(seen *secret, edit func(*secret) error) (*secret, error) {
	old := s.at(seen.place(), seen.Name)
	if old == nil || old.ARN != seen.ARN {
		return nil, errNotFound()
	}
	return s.edit(old, edit)
}

// change is one step of a commit: next in the place of old. Either may be nil.
type change struct{ old, next *secret }

// commit writes changes down, all or none, and publishes them. The caller holds writing.
func (s *Server) commit(changes ...change) error {
	if s.disk != nil {
		if err := s.disk.save(changes); err != nil {
			return err
		}
	}
	s.publish(changes...)
	s.labelled(changes)
	return nil
}

func (s *Server) publish(changes ...change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		at := cmp.Or(c.next, c.old).place()
		if s.shelves[at] == nil {
			s.shelves[at] = newShelf()
		}
		s.shelves[at].replace(c.old, c.next)
		if c.old != nil && (c.next == nil || c.next.ARN != c.old.ARN) {
			s.rotations.forget(c.old.ARN)
		}
	}
}

// all returns every secret, in no order.
func (s *Server) all() []*secret {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []*secret
	for _, shelf := range s.shelves {
		for _, sec := range shelf.byName {
			list = append(list, sec)
		}
	}
	return list
}
