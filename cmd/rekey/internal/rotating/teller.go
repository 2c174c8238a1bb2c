package rotating

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/functionlog"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/output"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// tally counts rotations. Those under way are the ones that were not followed to their end.
type tally struct{ begun, rotated, failed, waiting, underWay int }

// teller tells what happens: a line for each rotation that ended, or a row; and on a terminal,
// one that moves. It is safe for concurrent use.
type teller struct {
	run    *run
	format output.Format
	rows   *output.Rows[result]

	mu    sync.Mutex
	all   int
	done  tally
	steps map[string]string // of those under way, by ARN
	shown string
	err   error // the first failure to write a row
}

func newTeller(r *run, stdout io.Writer) *teller {
	format := r.command.Form.Format()
	return &teller{run: r, format: format, rows: output.New(format, stdout, r.screen, resultColumns...), steps: map[string]string{}}
}

func (t *teller) expect(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = n
}

func (t *teller) began(s *fleet.Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done.begun++
	t.steps[s.ARN] = s.Name + ": begun"
	if s.Pending != "" {
		t.steps[s.ARN] = s.Name + ": taken up"
		if t.format == output.Table {
			t.println(fmt.Sprintf("%s has a rotation that is not complete: it is taken up again, with version %s", s.Name, s.Pending))
		}
	}
	t.show()
}

// step is the last that the function logged.
func (t *teller) step(s *fleet.Secret, l functionlog.Line) {
	if l.Step == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps[s.ARN] = s.Name + ": " + l.Step + " " + l.Outcome
	if l.Outcome == functionlog.Failed {
		t.steps[s.ARN] += " (" + l.Kind + "), to be tried again"
	}
	t.show()
}

// tooMany says whether no further rotation is to begin: after too many failures, and when nobody
// reads how they end.
func (t *teller) tooMany() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	most := t.run.command.MaxFailures
	return most > 0 && t.done.failed >= most || t.err != nil || t.run.screen.Err() != nil
}

func (t *teller) ended(s *fleet.Secret, res result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.steps, s.ARN)
	switch res.Outcome {
	case Rotated, Passed:
		t.done.rotated++
	case Failed, Unknown:
		t.done.failed++
	case Waits:
		t.done.waiting++
	case UnderWay:
		t.done.underWay++
	}
	t.tell(res)
	t.show()
}

// tell writes one; the caller holds mu.
func (t *teller) tell(res result) {
	if t.format != output.Table {
		t.err = cmp.Or(t.err, t.rows.Write(res), t.rows.Flush())
		return
	}
	for _, line := range lines(t.run.screen, res) {
		t.println(line)
	}
}

// println writes a line, which ends the moving one.
func (t *teller) println(line string) {
	t.run.screen.Println(line)
	t.shown = ""
}

// lines are what a person reads of a result.
func lines(screen *terminal.Terminal, res result) []string {
	name, took := screen.Bold(res.Secret), terminal.Duration(time.Duration(res.Seconds*float64(time.Second)))
	more := func(first string) []string {
		all := []string{first}
		if res.Error != "" {
			all = append(all, "     "+terminal.Tame(res.Error))
		}
		if res.Hint != "" {
			all = append(all, "     What to do: "+terminal.Tame(res.Hint))
		}
		if res.LogGroup != "" && res.Version != "" {
			all = append(all, "     "+screen.Dim("Log: "+res.LogGroup+", version "+res.Version))
		}
		return all
	}
	switch res.Outcome {
	case Rotated:
		return []string{screen.Mark(true) + " " + name + " rotated in " + took + screen.Dim(", version "+res.Version)}
	case Passed:
		return []string{screen.Mark(true) + " " + name + " passed its rehearsal in " + took + screen.Dim(": the current value works")}
	case Waits:
		return more(screen.Bold("wait") + " " + name + " waits for a person: rekey submit " + res.Secret)
	case UnderWay:
		if res.Version == "" { // interrupted before the answer came
			return []string{screen.Bold("...") + "  " + name + " was being begun: rekey status tells whether it is under way"}
		}
		return []string{screen.Bold("...") + "  " + name + " under way" + screen.Dim(", version "+res.Version)}
	case Unknown:
		return more(screen.Bold("?") + " " + name + " ended its rehearsal, and nothing tells how")
	case Failed:
	}
	what := "failed"
	if res.Step != "" {
		what = "failed in " + res.Step
	}
	if res.Kind != "" {
		what += " (" + res.Kind + ")"
	}
	return more(screen.Mark(false) + " " + name + " " + screen.Red(what) + " after " + took)
}

// show moves the line that says how far it is; the caller holds mu.
func (t *teller) show() {
	text := ""
	switch {
	case len(t.steps) == 0:
	case t.all == 1:
		for _, step := range t.steps {
			text = step
		}
	default:
		text = fmt.Sprintf("%d of %d ended, %d under way", t.done.rotated+t.done.failed+t.done.waiting+t.done.underWay, t.all, len(t.steps))
		if t.done.failed > 0 {
			text += fmt.Sprintf(", %d failed", t.done.failed)
		}
	}
	switch {
	case text == "":
		t.run.aside.Stop()
	case text != t.shown:
		t.run.aside.Begin(text)
	}
	t.shown = text
}

// close says how it stands in all. The error is of writing, such as a closed pipe.
func (t *teller) close() (tally, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.run.aside.Stop()
	t.err = cmp.Or(t.err, t.rows.Close(), t.run.screen.Err())
	if t.format == output.Table && t.all > 1 {
		parts := []string{count(t.done.rotated, "rotated", "rotated")}
		for _, one := range []struct {
			n    int
			text string
		}{{t.done.failed, "failed"}, {t.done.waiting, "waiting for a person"}, {t.done.underWay, "under way"}, {t.all - t.done.begun, "not begun"}} {
			if one.n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", one.n, one.text))
			}
		}
		t.println("\n" + terminal.Count(t.all, "secret") + ": " + strings.Join(parts, ", "))
	}
	return t.done, t.err
}
