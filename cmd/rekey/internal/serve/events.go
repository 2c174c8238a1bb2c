package serve

import (
	"cmp"
	"time"

	"github.com/rekey-aws/rekey/local/cloudtrail"
	"github.com/rekey-aws/rekey/local/eventbus"
)

// event prints one: in the JSON form the event itself, which its detail-type tells from the
// other lines.
func (j *journal) event(e eventbus.Event) {
	text := "event " + cloudtrail.Line(e)
	if j.json {
		encoded, err := e.JSON()
		if err != nil {
			panic(err) // the bus, which is who calls, has encoded it before
		}
		text = string(encoded)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.muted {
		j.put(text)
	}
}

// deadLetter is printed also when nothing else is any more: it is the last that is heard of
// an event.
func (j *journal) deadLetter(l eventbus.DeadLetter) {
	cause := printable(l.Reason)
	told := line{
		Time: time.Now(), Type: "dead-letter", Event: l.Event.DetailType, Region: l.Event.Region, Rule: l.Rule,
		Function: l.Function, Attempt: l.Attempts, File: l.File, Error: cause,
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.write(told, j.row(told.Time, 0, column("dead letter"), l.Function, l.Rule,
		j.out.Red("not delivered: "+cause)+": it is in "+cmp.Or(l.File, "no file")))
}

// lost is an event that could not be put on the bus.
func (j *journal) lost(err error) {
	cause := printable(err.Error())
	l := line{Time: time.Now(), Type: "lost", Error: cause}
	j.print(l, j.row(l.Time, 0, column("event"), "", "", j.out.Red("lost: "+cause)))
}
