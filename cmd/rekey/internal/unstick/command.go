package unstick

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/confirm"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/doctor"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/functionlog"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/output"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Command is the command line of rekey unstick.
type Command struct {
	Secret   string        `arg:"" help:"The secret: its name or ARN." placeholder:"SECRET"`
	Plan     bool          `help:"Say what would be done, and do nothing."`
	Yes      bool          `short:"y" help:"Do it without asking."`
	Timeout  time.Duration `help:"How long to follow a rotation that is run again; ${default} if not given." default:"1m" placeholder:"D"`
	FromHere bool          `help:"Find out from this machine which credential logs in, instead of inside the function."`

	Form output.Flags `embed:""`

	account.Flags `embed:""`
}

// Help is the text below the usage of rekey unstick --help.
func (Command) Help() string {
	return `It examines the secret as rekey doctor does, says which version's credential the target accepts, shows what it will do, asks, does it, and examines again. A rotation that has not ended is run again with its own version first. Labels are moved only where that cannot help: AWSCURRENT to a version that logs in at this moment and away from one that is refused, AWSPENDING away from a version that is refused or empty. Where it is not known what logs in, nothing is done.

The credentials need what rekey doctor needs, lambda:InvokeFunction too, and secretsmanager:RotateSecret and UpdateSecretVersionStage.`
}

// Validate refuses to ask where the plan is not shown.
func (c *Command) Validate() error {
	if form := c.Form.Format(); form != output.Table && !c.Yes && !c.Plan {
		return usage.Errorf("--output %s: the plan is not shown before it is carried out: say --plan, and then --yes", form)
	}
	if c.Timeout < time.Second {
		return usage.Errorf("--timeout: %s is too short: give a second or more", c.Timeout)
	}
	return nil
}

// Run unsticks.
func (c *Command) Run(ctx context.Context, stdout io.Writer, screen *terminal.Terminal) error {
	cfg, err := c.Config(ctx)
	if err != nil {
		return err
	}
	if c.Form.Format() != output.Table {
		screen = terminal.Plain(io.Discard)
	}
	defer screen.Stop()
	r := &repair{
		command: c, examiner: doctor.New(cfg), api: account.SecretsManager(cfg), logs: functionlog.New(account.Logs(cfg), readLogs),
		screen: screen, depth: doctor.Inside,
	}
	if c.FromHere {
		r.depth = doctor.Here
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	go r.logs.Run(reading)
	failed := r.run(ctx)
	screen.Stop()
	if err := r.write(c.Form.Format(), stdout); err != nil {
		return err
	}
	return failed
}

// repair is one, as far as it has come.
type repair struct {
	command  *Command
	examiner *doctor.Examiner
	api      *secretsmanager.Client
	logs     *functionlog.Reader
	screen   *terminal.Terminal
	depth    doctor.Depth

	report   *doctor.Report // the last
	examined time.Time      // when it was made
	tried    string         // the version whose rotation was run last
	renewed  bool           // a new rotation was begun
	outcome  outcome
}

// readLogs is how often the function's log is asked for news of a rotation.
const readLogs = time.Second

// maxRounds bounds what is tried: each round's plan comes of what the one before it left.
const maxRounds = 5

func (r *repair) run(ctx context.Context) error {
	r.outcome.Verdict = refused // until it is another
	for round := range maxRounds {
		if err := r.examine(ctx); err != nil {
			return err
		}
		p := decide(r.situation())
		r.outcome.Because = p.because
		switch p.verdict {
		case healthy:
			r.finish(len(r.outcome.Steps) > 0)
			return nil
		case refuse:
			return r.helpless(p)
		case mend:
		}
		r.show(p)
		if r.command.Plan {
			r.outcome.Verdict = planned
			r.outcome.Steps = append(r.outcome.Steps, written(p.steps, false)...)
			return nil
		}
		if err := confirm.Ask(ctx, r.screen, nil, r.command.Yes, "Mend "+r.report.Name+" so?"); errors.Is(err, confirm.ErrDeclined) && round > 0 {
			return errors.New("not confirmed: nothing further was changed")
		} else if err != nil {
			return err
		}
		if fresh, err := r.stillSo(ctx, p); err != nil {
			return err
		} else if !fresh {
			r.screen.Println("It has changed meanwhile.")
			continue
		}
		if err := r.carryOut(ctx, p); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s is still stuck after %d attempts: %s. See rekey doctor %s", r.report.Name, maxRounds, r.outcome.Because, r.report.Name)
}

// examine finds out who logs in. Without that nothing is done.
func (r *repair) examine(ctx context.Context) error {
	r.screen.Begin("examining " + r.command.Secret)
	report, err := r.examiner.Examine(ctx, r.command.Secret, r.depth)
	r.screen.Stop()
	if err != nil {
		return err
	}
	r.report, r.examined = report, time.Now()
	r.outcome.Secret, r.outcome.Versions = report.Secret, report.Versions
	if !report.Examined {
		r.outcome.Because = "it is not known which version's credential works"
		return r.helpless(plan{because: r.outcome.Because, person: "Mend that, or find out from here: rekey unstick --from-here."})
	}
	return nil
}

func (r *repair) situation() situation {
	s := situationOf(r.report.Labels, r.report.Versions, r.report.Rotates)
	s.tried = s.pending != nil && s.pending.id == r.tried // another rotation is somebody else's, and may be under way
	s.renewed = s.tried && r.renewed
	s.sound = !slices.ContainsFunc(r.report.Findings, func(f doctor.Finding) bool { return f.From != "outside" && f.Verdict == rotation.Fail })
	return s
}

// helpless tells who logs in, as far as it is known, and says why nothing is done, what the
// diagnosis names first, and what a person can do.
func (r *repair) helpless(p plan) error {
	if len(r.report.Versions) > 0 {
		r.sides()
	}
	r.outcome.Person = p.person
	said := r.report.Name + ": " + p.because + "."
	if f := r.cause(); f != nil {
		r.outcome.Cause = f
		said += " " + sentence(f.Check+": "+f.Said+". "+f.Remedy)
	}
	return errors.New(said + " " + sentence(p.person))
}

// cause is the finding that explains best why the rotation is stuck: that it is is none.
func (r *repair) cause() *doctor.Finding {
	for _, verdict := range []rotation.Verdict{rotation.Fail, rotation.Warn, rotation.Skipped} {
		for i, f := range r.report.Findings {
			if f.Verdict == verdict && f.Check != "labels" && f.Check != "schedule" && (verdict != rotation.Skipped || f.Check == "inside") {
				return &r.report.Findings[i]
			}
		}
	}
	return nil
}

// staleAfter is how long a diagnosis is taken for the present.
const staleAfter = 10 * time.Second

// stillSo proves that a plan's grounds hold: who was asked may have taken a while to answer.
func (r *repair) stillSo(ctx context.Context, p plan) (bool, error) {
	if time.Since(r.examined) > staleAfter {
		before := r.report
		if err := r.examine(ctx); err != nil {
			return false, err
		}
		return same(before.Labels, r.report.Labels) && slices.Equal(decide(r.situation()).steps, p.steps), nil
	}
	out, err := r.api.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &r.report.Secret})
	if err != nil && ctx.Err() != nil {
		return false, errors.New("interrupted: no further step was made")
	}
	if err != nil {
		return false, account.Explain(ctx, "looking at the labels: DescribeSecret", err)
	}
	return same(out.VersionIdsToStages, r.report.Labels), nil
}

func same(a, b map[string][]string) bool {
	return maps.EqualFunc(a, b, func(a, b []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
	})
}
