package serve

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// journal prints what happens, a line each, and knows which rotations are under way.
type journal struct {
	out    *terminal.Terminal
	json   bool
	quiet  bool
	broken chan struct{} // closed when a line could not be written

	mu     sync.Mutex
	muted  bool
	failed bool
	flying map[string]string // the ARNs of secrets that are rotating → their names
	landed chan struct{}     // a token when one has ended
}

func newJournal(c *Command, stdout io.Writer, screen *terminal.Terminal) *journal {
	j := &journal{
		out: screen, json: c.JSON, quiet: c.Quiet, broken: make(chan struct{}),
		flying: map[string]string{}, landed: make(chan struct{}, 1),
	}
	if c.JSON {
		j.out = terminal.Plain(stdout)
	}
	return j
}

// line is what one line tells; the JSON form has all of it, the text form the most of it.
type line struct {
	Time      time.Time `json:"time"`
	Type      string    `json:"type"` // ready, call, rotation, schedule, question, dead-letter, lost, stopping
	Operation string    `json:"operation,omitempty"`
	Event     string    `json:"event,omitempty"`
	Secret    string    `json:"secret,omitempty"`
	Region    string    `json:"region,omitempty"`
	Caller    string    `json:"caller,omitempty"`
	Version   string    `json:"version,omitempty"`
	Step      string    `json:"step,omitempty"`
	Attempt   int       `json:"attempt,omitempty"`
	Status    int       `json:"status,omitempty"`
	Error     string    `json:"error,omitempty"`
	Millis    *float64  `json:"ms,omitempty"`

	Endpoint  string   `json:"endpoint,omitempty"`
	Functions []string `json:"functions,omitempty"`
	Database  string   `json:"database,omitempty"`
	CAFile    string   `json:"ca_file,omitempty"`

	Alerts      string `json:"alerts,omitempty"`       // where they are sent
	DeadLetters string `json:"dead_letters,omitempty"` // the folder
	File        string `json:"file,omitempty"`
	Function    string `json:"function,omitempty"`
	Rule        string `json:"rule,omitempty"`
}

func millis(d time.Duration) *float64 {
	ms := float64(d.Microseconds()) / 1000
	return &ms
}

// print writes a line in either form, unless it is muted.
func (j *journal) print(l line, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.muted {
		j.write(l, text)
	}
}

// write is print for who holds mu.
func (j *journal) write(l line, text string) {
	if j.json {
		encoded, err := json.Marshal(l) //nolint:gosec // the name of the secret, not its value
		if err != nil {
			panic(err) // texts and numbers always marshal
		}
		text = string(encoded)
	}
	j.put(text)
}

func (j *journal) put(text string) {
	j.out.Println(text)
	if j.out.Err() != nil && !j.failed {
		j.failed = true
		close(j.broken)
	}
}

func (j *journal) failure() error { return j.out.Err() }

// mute ends the lines: what comes now is the end itself.
func (j *journal) mute() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.muted = true
}

// row is a line of text in columns.
func (j *journal) row(at time.Time, took time.Duration, what, secret, by, result string) string {
	lasted := ""
	if took > 0 {
		lasted = terminal.Duration(took)
	}
	return fmt.Sprintf("%s %s  %s %-20s %s %s", j.out.Dim(at.Format("15:04:05.000")),
		j.out.Dim(fmt.Sprintf("%8s", lasted)), what, secret, j.out.Dim(fmt.Sprintf("%-12s", by)), result)
}

// column pads what is printed in the wide column, before colour hides its width.
func column(what string) string { return fmt.Sprintf("%-24s", what) }

func (j *journal) call(c secretsmanager.Call) {
	if j.quiet || c.AccessKeyID == ownName {
		return
	}
	l := line{
		Time: c.Start, Type: "call", Operation: printable(c.Operation), Secret: nameOf(c.Secret), Region: c.Region,
		Caller: printable(c.AccessKeyID), Status: c.Status, Error: c.Error, Millis: millis(c.Duration),
	}
	result := "ok"
	if c.Error != "" {
		result = j.out.Red(c.Error)
	}
	j.print(l, j.row(c.Start, c.Duration, column(l.Operation), l.Secret, l.Caller, result))
}

func (j *journal) rotation(e secretsmanager.RotationEvent) {
	j.track(e)
	final := e.Kind == secretsmanager.RotationFailed || e.Kind == secretsmanager.RotationAbandoned
	if j.quiet && !final {
		return
	}
	l := line{
		Time: e.Time, Type: "rotation", Event: string(e.Kind), Secret: printable(e.Name), Region: e.Region,
		Version: e.Token, Step: e.Step, Attempt: e.Attempt,
	}
	if e.Err != nil {
		l.Error = reason(e.Err)
	}
	if e.Duration > 0 {
		l.Millis = millis(e.Duration)
	}
	if e.Kind == secretsmanager.StepStarted && !j.json {
		return // its calls tell, and then its end
	}
	what := cmp.Or(e.Step, "rotation")
	j.print(l, j.row(e.Time, e.Duration, j.out.Bold(column(what)), l.Secret, "", j.outcome(e, l.Error)))
}

// outcome says in words what happened.
func (j *journal) outcome(e secretsmanager.RotationEvent, cause string) string {
	what := "begins"
	if e.Test {
		what = "test begins"
	}
	switch e.Kind {
	case secretsmanager.RotationStarted:
		return fmt.Sprintf("%s, version %.8s…", what, e.Token)
	case secretsmanager.StepFinished:
		if e.Err == nil {
			return "done"
		}
		return j.out.Red("failed: " + cause)
	case secretsmanager.RotationRetried:
		return j.out.Red(fmt.Sprintf("attempt %d failed", e.Attempt)) + ", another follows"
	case secretsmanager.RotationSucceeded:
		return j.out.Bold("succeeded")
	case secretsmanager.RotationAbandoned:
		return j.out.Red("abandoned: ") + cause
	}
	if j.quiet {
		return j.out.Red("failed: " + cause)
	}
	return j.out.Red("failed") + " after " + terminal.Count(e.Attempt, "attempt") + "; run it again with rotate-secret"
}

// reason is what a function says of its failure: the step, the cause, the remedy.
func reason(err error) string {
	if failure := (*lambda.FunctionError)(nil); errors.As(err, &failure) {
		return printable(failure.Message)
	}
	return printable(err.Error())
}

func (j *journal) track(e secretsmanager.RotationEvent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch e.Kind {
	case secretsmanager.RotationStarted:
		j.flying[e.ARN] = e.Name
	case secretsmanager.RotationSucceeded, secretsmanager.RotationFailed, secretsmanager.RotationAbandoned:
		delete(j.flying, e.ARN)
		select {
		case j.landed <- struct{}{}:
		default:
		}
	}
}

// await returns when no rotation is under way, or when patience is at its end.
func (j *journal) await(patience time.Duration) {
	deadline := time.After(patience)
	for {
		j.mu.Lock()
		n := len(j.flying)
		j.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-j.landed:
		case <-deadline:
			return
		}
	}
}

// stopping says that the end has begun, and what it waits for.
func (j *journal) stopping() {
	j.mu.Lock()
	n := len(j.flying)
	j.mu.Unlock()
	l := line{Time: time.Now(), Type: "stopping"}
	switch {
	case j.json:
		j.print(l, "")
	case n > 0:
		j.print(l, "stopping, after "+terminal.Count(n, "rotation")+" that is under way (Ctrl-C: at once)")
	case !j.quiet:
		j.print(l, "stopped")
	}
}

var secretARN = regexp.MustCompile(`^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:(.+)-[A-Za-z0-9]{6}$`)

// nameOf is the secret's name where a caller gave its ARN.
func nameOf(id string) string {
	if m := secretARN.FindStringSubmatch(id); m != nil {
		id = m[1]
	}
	return printable(id)
}

// printable keeps what a caller sent from controlling the terminal or making a line of its own.
func printable(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}
