package audit

import (
	"errors"
	"fmt"
	"io"

	"github.com/rekey-aws/rekey/shared/audit/internal/jsonscan"
)

// errDigest: not a log file, but what proves log files unchanged.
var errDigest = fmt.Errorf("%w: it is a digest file of CloudTrail", ErrMalformed)

// errOther: an event of a service that no detection looks at.
var errOther = errors.New("an event of another service")

// Counts says what a stream held.
type Counts struct {
	Events int // handed on, or of services that no detection looks at
	Others int // of Events: those
	Broken int // JSON objects that are no events
	Digest bool
	Bytes  int64
}

// maxRecord is the longest record that is read; CloudTrail's own limit is 256 KiB, or 1 MiB
// for trails that enrich events.
const maxRecord = 4 << 20

// Records reads a stream of events and hands each to yield, in its order, in the same memory
// for all of them: yield copies what it keeps. Events of services that no detection looks at
// are counted only. The stream is a CloudTrail log file ({"Records": [...]}), what aws
// cloudtrail lookup-events prints ({"Events": [...]}), an array of events, or events one after
// another, such as one a line. Memory does not grow with the stream.
//
// An error ends the stream: of reading, or ErrMalformed where it is not JSON any more. What was
// before it has been handed on.
func (n *Normalizer) Records(r io.Reader, yield func(*Event)) (Counts, error) {
	st := stream{n: n, r: r, yield: yield}
	err := st.run()
	return st.counts, err
}

// stream reads values from a window of the input. One that the window cuts off is read again
// when there is more of it.
type stream struct {
	n      *Normalizer
	r      io.Reader
	yield  func(*Event)
	memory []byte // all of it
	buffer []byte // the window: what has not been read, at the end of what is used
	ended  bool
	event  Event
	counts Counts
	nested []byte // what the open brackets around the events are
}

func (st *stream) run() error {
	for {
		s := jsonscan.New(st.buffer)
		c := s.Next()
		st.drop(s.At())
		switch {
		case c == 0 && st.ended:
			if len(st.nested) > 0 {
				return fmt.Errorf("%w: %w", ErrMalformed, jsonscan.ErrShort)
			}
			return nil
		case c == 0:
			if err := st.fill(); err != nil {
				return err
			}
		default:
			if err := st.retry(c); err != nil {
				return err
			}
		}
	}
}

// retry reads what begins with c, with more of the input as long as it is cut off.
func (st *stream) retry(c byte) error {
	for {
		err := st.step(c)
		if !errors.Is(err, jsonscan.ErrShort) {
			return err
		}
		if st.ended {
			return fmt.Errorf("%w: %w", ErrMalformed, jsonscan.ErrShort)
		}
		if err := st.fill(); err != nil {
			return err
		}
	}
}

// step reads one event, or a bracket or comma around events.
func (st *stream) step(c byte) error {
	inside := byte(0)
	if len(st.nested) > 0 {
		inside = st.nested[len(st.nested)-1]
	}
	switch {
	case c == '[' && inside == 0, c == ',' && inside != 0, (c == ']' || c == '}') && inside == c-2:
		if c == '[' {
			st.nested = append(st.nested, c)
		} else if c != ',' {
			st.nested = st.nested[:len(st.nested)-1]
		}
		st.drop(1)
		return nil
	case c == '{' && inside == 0:
		if found, err := st.open(); found || err != nil {
			return err
		}
	case inside == '{': // what follows the events in a log file
		return st.besides()
	}
	return st.one()
}

// besides passes over a name or a value in the object around the events.
func (st *stream) besides() error {
	s := jsonscan.New(st.buffer)
	s.Skip()
	next := s.Next()
	switch {
	case s.Err() != nil:
		return fmt.Errorf("%w: %w", ErrMalformed, s.Err())
	case next == 0: // it may go on, or a colon follow
		return jsonscan.ErrShort
	case next == ':':
		st.drop(s.At() + 1)
	default:
		st.drop(s.At())
	}
	return nil
}

// open enters an object that holds events under its first member.
func (st *stream) open() (bool, error) {
	s := jsonscan.New(st.buffer)
	if !s.Object() || !s.Member() {
		if errors.Is(s.Err(), jsonscan.ErrShort) {
			return false, s.Err()
		}
		return false, nil
	}
	name := string(s.Name())
	if name != "Records" && name != "Events" {
		return false, nil
	}
	if s.Next() == 0 {
		return false, jsonscan.ErrShort
	}
	if !s.Array() {
		return false, s.Err()
	}
	st.nested = append(st.nested, '{', '[')
	st.drop(s.At())
	return true, nil
}

// one reads an event.
func (st *stream) one() error {
	n := st.n
	n.scan, n.watchedOnly = jsonscan.New(st.buffer), true
	if n.scan.Next() != '{' {
		return fmt.Errorf("%w: there is something else among the events", ErrMalformed)
	}
	err := n.next(&st.event)
	if bad := n.scan.Err(); bad != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, bad)
	}
	st.drop(n.scan.At())
	switch {
	case errors.Is(err, errDigest):
		st.counts.Digest = true
	case errors.Is(err, errOther):
		st.counts.Events++
		st.counts.Others++
	case err != nil:
		st.counts.Broken++
	default:
		st.counts.Events++
		st.yield(&st.event)
	}
	return nil
}

// isWatched says whether detections look at a service.
func isWatched(source string) bool {
	switch source {
	case SecretsManager, KMS, CloudTrail, Lambda, EventBridge:
		return true
	}
	return false
}

// drop takes what was read from the window.
func (st *stream) drop(n int) { st.buffer = st.buffer[n:] }

// fill gets more of the input into the window.
func (st *stream) fill() error {
	if len(st.buffer) >= maxRecord {
		return fmt.Errorf("%w: a record is longer than %d bytes", ErrMalformed, maxRecord)
	}
	const chunk = 256 << 10
	if cap(st.buffer)-len(st.buffer) < chunk {
		if cap(st.memory) < len(st.buffer)+chunk {
			st.memory = make([]byte, 2*len(st.buffer)+4*chunk)
		}
		st.buffer = st.memory[:copy(st.memory, st.buffer)]
	}
	n, err := st.r.Read(st.buffer[len(st.buffer):cap(st.buffer)])
	st.buffer = st.buffer[:len(st.buffer)+n]
	st.counts.Bytes += int64(n)
	if errors.Is(err, io.EOF) {
		st.ended = true
		return nil
	}
	return err
}
