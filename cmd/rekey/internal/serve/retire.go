package serve

import (
	"encoding/json"
	"path/filepath"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/onemachine"
	"github.com/rekey-aws/rekey/local/scheduler"
)

// retireRole is any: there are no roles here.
const retireRole = "arn:aws:iam::" + onemachine.Account + ":role/rekey-retire"

// retiring is the environment of functions that plan the end of old credentials with
// EventBridge Scheduler, which is served in any case.
func (c *Command) retiring() map[string]string {
	if c.RetireAfter == 0 {
		return map[string]string{}
	}
	return map[string]string{"RETIRE_ROLE_ARN": retireRole, "RETIRE_AFTER": c.RetireAfter.String(), "RETIRE_WINDOW": "0"}
}

func (s *service) scheduler() func(*onemachine.Machine) (onemachine.Service, error) {
	o := scheduler.Options{OnInvocation: s.journal.scheduled, OnDeadLetter: s.journal.unscheduled}
	if s.command.State != "" {
		o.File = filepath.Join(s.command.State, "schedules.json")
	}
	return onemachine.Scheduler(o)
}

// scheduled prints an invocation by a schedule.
func (j *journal) scheduled(i scheduler.Invocation) {
	if j.quiet && i.Err == nil {
		return
	}
	l := scheduledLine("schedule", i.Payload)
	l.Function, l.Attempt = printable(i.Function), i.Attempt
	result := "done"
	if i.Err != nil {
		l.Error = reason(i.Err)
		result = j.out.Red("failed: " + l.Error)
	}
	j.print(l, j.row(l.Time, 0, j.out.Bold(column(l.Step)), l.Secret, "scheduler", result))
}

// unscheduled prints an event of a schedule that came to nothing.
func (j *journal) unscheduled(d scheduler.DeadLetter) {
	l := scheduledLine("dead-letter", d.Payload)
	l.Function, l.Attempt, l.Error = printable(d.Function), d.Attempts, reason(d.Err)
	j.print(l, j.row(l.Time, 0, column("dead letter"), l.Secret, "scheduler", j.out.Red("given up: "+l.Error)))
}

func scheduledLine(kind string, payload []byte) line {
	var event struct{ Step, SecretID, ClientRequestToken string }
	_ = json.Unmarshal(payload, &event) // of another form: an event that is none of the functions'
	return line{
		Time: time.Now(), Type: kind, Step: printable(event.Step), Secret: nameOf(event.SecretID), Version: printable(event.ClientRequestToken),
	}
}
