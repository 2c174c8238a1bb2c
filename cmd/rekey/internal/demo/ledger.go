package demo

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// officialCalls is how many calls the official single-user templates make in one rotation:
// https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas
const officialCalls = 14

// step is one of the four, as it went.
type step struct {
	Name   string       `json:"step"`
	Millis milliseconds `json:"ms"`
	Calls  []string     `json:"calls"` // the operations, in order
	Logins int          `json:"logins"`
	OK     bool         `json:"ok"`
}

// ledger notes what happens during the rotation.
type ledger struct {
	mu          sync.Mutex
	steps       []step
	under       bool // a step is under way: the last one
	loginsSoFar int
	calls       []string // of the function
	callLog     strings.Builder
	init        time.Duration
	peakMemory  int64
	functionLog lockedText
}

func (l *ledger) byOperation() map[string]int {
	n := map[string]int{}
	for _, operation := range l.calls {
		n[operation]++
	}
	return n
}

// onCall counts the function's own calls, and logs everyone's.
func (s *stage) onCall(c secretsmanager.Call) {
	l := &s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log(c)
	if c.AccessKeyID != functionName {
		return
	}
	l.calls = append(l.calls, c.Operation)
	if l.under {
		last := &l.steps[len(l.steps)-1]
		last.Calls = append(last.Calls, c.Operation)
	}
}

// log keeps all that the stand-in says of what it does.
func (l *ledger) log(event any) {
	line, err := json.Marshal(event)
	if err != nil {
		line = fmt.Appendf(nil, "%+v", event)
	}
	l.callLog.Write(append(line, '\n'))
}

func (s *stage) onRotation(e secretsmanager.RotationEvent) {
	l := &s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log(e)
	if e.Err != nil {
		fmt.Fprintln(&l.callLog, e.Err)
	}
	switch e.Kind {
	case secretsmanager.StepStarted:
		l.steps = append(l.steps, step{Name: e.Step, Calls: []string{}})
		l.under = true
		s.view.Begin(e.Step)
	case secretsmanager.StepFinished:
		last := &l.steps[len(l.steps)-1]
		logins := s.wire.connections()
		last.Millis, last.OK, last.Logins = milliseconds(e.Duration), e.Err == nil, logins-l.loginsSoFar
		l.loginsSoFar, l.under = logins, false
		s.view.step(*last)
	}
}

func (s *stage) onInvoke(r lambda.Report) {
	l := &s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.init += r.InitDuration
	l.peakMemory = max(l.peakMemory, r.MaxMemoryUsed)
}

// lockedText is a text that several goroutines write to.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *lockedText) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *lockedText) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// milliseconds is a duration as machines read it, to a hundredth of a millisecond.
type milliseconds time.Duration

// MarshalJSON writes the number.
func (m milliseconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Duration(m).Microseconds()/10)/100, 'f', -1, 64), nil
}
