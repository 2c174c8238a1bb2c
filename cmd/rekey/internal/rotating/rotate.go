// Package rotating is the commands rekey rotate and rekey rehearse: they start rotations, or the
// trial of one, and follow them to their end.
package rotating

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/confirm"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/functionlog"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/output"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

// Command is the command line of rekey rotate.
type Command struct {
	Secret []string `arg:"" optional:"" help:"The secrets to rotate: names or ARNs." placeholder:"SECRET"`

	Account      account.Flags `embed:""`
	Form         output.Flags  `embed:""`
	fleet.Choice `embed:""`

	Plan        bool          `help:"Say what would be rotated, and change nothing."`
	Yes         bool          `short:"y" help:"Do not ask before several secrets are rotated."`
	Rate        float64       `help:"Rotations to begin each second, at most 25; ${default} if not given." default:"5" placeholder:"N"`
	AtOnce      int           `help:"Rotations under way at once; ${default} if not given." default:"50" placeholder:"N"`
	MaxFailures int           `help:"Begin no further ones after so many failures; ${default} if not given, 0: never stop." default:"3" placeholder:"N"`
	Timeout     time.Duration `help:"How long to follow a rotation; ${default} if not given." default:"5m" placeholder:"D"`
	Wait        bool          `help:"Follow each rotation to its end. With --no-wait it is only begun." default:"true" negatable:""`
}

// Help is the text below the usage of rekey rotate --help.
func (Command) Help() string {
	return `A secret with a rotation that is not complete has that one taken up again, since Secrets Manager begins no other beside it. A secret whose rotation is off is refused: rotating it would turn it on.

A rotation has failed when its function logs a failure that another try does not mend, or the third that it may; or when the time is up. Secrets Manager may try it again by itself all the same. Ctrl-C ends the watching; what was begun goes on.

It needs secretsmanager:DescribeSecret and RotateSecret on the secrets and lambda:InvokeFunction on their function; secretsmanager:ListSecrets for --tag and --name-prefix; and, to say which step is done and why one failed, logs:FilterLogEvents on the function's log group.`
}

// mostRate: a rotation makes two of the 50 writes a second that a Region allows.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const mostRate = 25

// Validate checks what can be before anything is called.
func (c *Command) Validate() error {
	switch {
	case len(c.Secret) > 0 && !c.Choice.None():
		return usage.Errorf("name the secrets, or choose them with --tag and --name-prefix, not both")
	case len(c.Secret) == 0 && c.Choice.None():
		return usage.Errorf("which secrets? Name them, or choose them with --tag KEY=VALUE or --name-prefix TEXT")
	case !(c.Rate > 0 && c.Rate <= mostRate):
		return usage.Errorf("--rate: %g is not from above 0 to %d, the most that the Region's quota of writes allows", c.Rate, mostRate)
	case c.AtOnce < 1 || c.MaxFailures < 0:
		return usage.Errorf("--at-once is 1 or more, and --max-failures 0 or more")
	case c.Timeout < time.Second:
		return usage.Errorf("--timeout: %s is too short: give a second or more, or --no-wait", c.Timeout)
	}
	return nil
}

// run is one call of a command.
type run struct {
	command *Command
	api     API
	region  string
	logs    *functionlog.Reader
	screen  *terminal.Terminal
	aside   *terminal.Terminal
	told    *teller

	now   func() time.Time
	after func(time.Duration) <-chan time.Time
}

// readLogs is how often logs are read: a fifth of what an account may.
const readLogs = time.Second

// newRun reaches AWS.
func newRun(ctx context.Context, c *Command, stdout io.Writer, screen *terminal.Terminal, aside terminal.Aside) (*run, error) {
	cfg, err := c.Account.Config(ctx)
	if err != nil {
		return nil, err
	}
	r := &run{
		command: c, api: account.SecretsManager(cfg), region: cfg.Region, screen: screen, aside: aside.Terminal,
		logs: functionlog.New(account.Logs(cfg), readLogs), now: time.Now, after: time.After,
	}
	if c.Form.Format() == output.Table {
		r.aside = screen
	}
	r.told = newTeller(r, stdout)
	return r, nil
}

// Run rotates.
func (c *Command) Run(ctx context.Context, stdout io.Writer, screen *terminal.Terminal, aside terminal.Aside) error {
	r, err := newRun(ctx, c, stdout, screen, aside)
	if err != nil {
		return err
	}
	defer r.aside.Stop()
	all, err := r.choose(ctx)
	if err != nil {
		return err
	}
	if c.Plan {
		return r.plan(all, stdout)
	}
	if err := r.confirm(ctx, all); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	if c.Wait {
		go r.logs.Run(watching)
	}
	return r.rotate(ctx, all.rotate)
}

func (r *run) plan(all chosen, stdout io.Writer) error {
	rows := output.New(r.command.Form.Format(), stdout, r.screen, plannedColumns...)
	for _, s := range all.rotate {
		if err := rows.Write(plannedOf(s, nil)); err != nil {
			return err
		}
	}
	for _, s := range all.skip {
		if err := rows.Write(plannedOf(s.secret, s.reason)); err != nil {
			return err
		}
	}
	if err := rows.Close(); err != nil || r.command.Form.Format() != output.Table {
		return err
	}
	text := fmt.Sprintf("\n%s would be rotated, %g begun each second", terminal.Count(len(all.rotate), "secret"), r.command.Rate)
	if len(all.skip) > 0 {
		text += fmt.Sprintf("; %d left out", len(all.skip))
	}
	r.screen.Println(text + ". Nothing was changed.")
	return r.screen.Err()
}

// someNames is how many are named in the question.
const someNames = 5

func (r *run) confirm(ctx context.Context, all chosen) error {
	if len(all.rotate) == 1 && len(r.command.Secret) > 0 {
		return nil
	}
	var names []string
	for _, s := range all.rotate[:min(len(all.rotate), someNames)] {
		names = append(names, s.Name)
	}
	if more := len(all.rotate) - someNames; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	question := fmt.Sprintf("Rotate %s in %s (%s)?", terminal.Count(len(all.rotate), "secret"), r.region, terminal.List(names))
	return confirm.Ask(ctx, r.screen, nil, r.command.Yes, question)
}

// verdict says in all what came of several.
func (r *run) verdict(ctx context.Context, done tally, all int) error {
	left := all - done.begun
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %s under way and going on in AWS (rekey status shows them), %d not begun", count(done.underWay, "rotation is", "rotations are"), left)
	case done.failed > 0 && left > 0:
		return fmt.Errorf("%s of %d failed, so %d were not begun (--max-failures %d)", count(done.failed, "rotation", "rotations"), done.begun, left, r.command.MaxFailures)
	case done.failed > 0 && all > 1:
		return fmt.Errorf("%s of %d failed", count(done.failed, "rotation", "rotations"), all)
	case done.failed > 0:
		return errors.New("the rotation failed")
	case done.waiting > 0:
		return fmt.Errorf("%s for a person to hand over the new key: rekey submit", count(done.waiting, "rotation waits", "rotations wait"))
	}
	return nil
}

func count(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}
