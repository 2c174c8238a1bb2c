package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/onemachine"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/sample"
	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/eventbridge"
	"github.com/rekey-aws/rekey/local/scheduler"
	"github.com/rekey-aws/rekey/shared/asking"
)

// retireRole is any: there are no roles here.
const retireRole = "arn:aws:iam::" + onemachine.Account + ":role/rekey-retire"

// environment is what functions get that plan the end of old credentials with EventBridge
// Scheduler, or ask people by an event. Both are served in any case.
func (c *Command) environment() map[string]string {
	env := map[string]string{"ASK_EVENT_BUS": "default"}
	if c.RetireAfter != 0 {
		env["RETIRE_ROLE_ARN"], env["RETIRE_AFTER"], env["RETIRE_WINDOW"] = retireRole, c.RetireAfter.String(), "0"
	}
	return env
}

// questions is EventBridge, of which functions ask people.
func (s *service) questions() func(*onemachine.Machine) (onemachine.Service, error) {
	bus := &eventbridge.Bus{OnEvent: s.journal.asked}
	return func(*onemachine.Machine) (onemachine.Service, error) { return onemachine.Service{API: bus}, nil }
}

// asked prints an event by which a person is asked for something.
func (j *journal) asked(e eventbridge.Event) {
	var detail asking.Detail
	if e.DetailType != asking.DetailType || json.Unmarshal([]byte(e.Detail), &detail) != nil {
		return
	}
	l := line{Time: time.Now(), Type: "question", Event: e.DetailType, Secret: nameOf(detail.Secret), Version: printable(detail.Version), Error: printable(detail.Reason)}
	j.print(l, j.row(l.Time, 0, j.out.Bold(column("needs a person")), l.Secret, "", "rekey submit "+l.Secret))
}

// allowDual lets the user of the throw-away database keep an old password, where the server
// can: else there would be nothing to retire.
func (s *service) allowDual(ctx context.Context) error {
	privilege := map[database.Engine]string{database.MySQL: "APPLICATION_PASSWORD_ADMIN", database.MariaDB: "CREATE USER"}[s.database.Engine]
	if s.command.RetireAfter == 0 || privilege == "" {
		return nil
	}
	if err := s.database.Exec(ctx, "GRANT "+privilege+" ON *.* TO '"+sample.User+"'@'%'"); err != nil {
		return fmt.Errorf("letting the user of the database keep an old password: %w", err)
	}
	return nil
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
