// Package status is the command rekey status: the state of every secret, from its metadata.
package status

import (
	"context"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/output"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

var regionForm = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`)

// Command is the command line of rekey status.
type Command struct {
	Account      account.Flags `embed:""`
	Form         output.Flags  `embed:""`
	fleet.Choice `embed:""`

	Regions    []string       `help:"Several Regions, read side by side, instead of --region." placeholder:"REGION"`
	Unhealthy  bool           `short:"u" help:"Only secrets that are stuck or overdue."`
	Health     []fleet.Health `help:"Only secrets in these states: stuck, overdue, never, rotating, off, deleting, replica, managed, ok." placeholder:"STATE"`
	StuckAfter time.Duration  `help:"A rotation that has not ended by then is stuck; ${default} if not given." default:"15m" placeholder:"D"`
	Check      bool           `help:"Exit with 1 if a secret is stuck or overdue."`
	Watch      bool           `short:"w" help:"Look again and again, until Ctrl-C: the counts, and the secrets that need someone most."`
	Every      time.Duration  `help:"How often --watch looks; ${default} if not given." default:"10s" placeholder:"D"`
}

// Help is the text below the usage of rekey status --help.
func (Command) Help() string {
	return `Values are never read: everything is from ListSecrets. The states, the worst first:

stuck: AWSPENDING has been on a version that is not current for longer than a rotation takes; see rekey unstick. overdue: a rotation was due a day ago or more, and did not happen. never: rotation is on, and none has succeeded yet. rotating: one is under way. off: nothing rotates it. deleting: it is marked for deletion. replica: its primary in another Region rotates. managed: the service that made it rotates it. ok.

It needs secretsmanager:ListSecrets.`
}

// Validate checks what can be before anything is called.
func (c *Command) Validate() error {
	switch {
	case c.Unhealthy && len(c.Health) > 0:
		return usage.Errorf("--unhealthy and --health both say which states: leave one out")
	case len(c.Regions) > 0 && c.Account.Region != "":
		return usage.Errorf("--region and --regions both say where: leave one out")
	case c.Watch && c.Form.Format() != output.Table:
		return usage.Errorf("--watch shows a table: leave --output %s out, or run the command again and again", c.Form.Format())
	case c.Watch && c.Check:
		return usage.Errorf("--watch ends with Ctrl-C alone: leave --check out")
	case c.StuckAfter <= 0 || c.Every < time.Second:
		return usage.Errorf("--stuck-after is a duration such as 15m, and --every one of a second or more")
	}
	return nil
}

// Run shows the state.
func (c *Command) Run(ctx context.Context, stdout io.Writer, screen *terminal.Terminal, aside terminal.Aside) error {
	f, err := c.fleet(ctx)
	if err != nil {
		return err
	}
	r := &run{command: c, fleet: f, screen: screen, aside: aside.Terminal}
	if c.Form.Format() == output.Table {
		r.aside = screen
	}
	defer r.aside.Stop()
	if c.Watch {
		return r.watch(ctx, stdout)
	}
	return r.once(ctx, stdout)
}

// fleet is what is looked at.
func (c *Command) fleet(ctx context.Context) (*fleet.Fleet, error) {
	f := &fleet.Fleet{
		Regions: map[string]fleet.API{}, Choice: c.Choice, Now: time.Now, Deleted: true,
		Limits: fleet.Limits{Stuck: c.StuckAfter, Grace: fleet.DefaultLimits.Grace},
	}
	flags := c.Account
	if len(c.Regions) > 0 {
		flags.Region = c.Regions[0] // no other need be known
	}
	cfg, err := flags.Config(ctx)
	if err != nil {
		return nil, err
	}
	regions := c.Regions
	if len(regions) == 0 {
		regions = []string{cfg.Region}
	}
	for _, region := range regions {
		if !regionForm.MatchString(region) {
			return nil, usage.Errorf("--regions: %.64q is not the name of a Region: give names such as eu-central-1,us-east-1", region)
		}
		one := cfg.Copy()
		one.Region = region
		f.Regions[region] = account.SecretsManager(one)
	}
	return f, nil
}

// shown says whether a secret is one that was asked for.
func (c *Command) shown(s *fleet.Secret) bool {
	switch {
	case c.Unhealthy:
		return s.Health.Unhealthy()
	case len(c.Health) > 0:
		return slices.Contains(c.Health, s.Health)
	}
	return true
}

// run is one look, or one after another.
type run struct {
	command *Command
	fleet   *fleet.Fleet
	screen  *terminal.Terminal
	aside   *terminal.Terminal // shows how far it has come
}

func (r *run) once(ctx context.Context, stdout io.Writer) error {
	out := newListing(r.command.Form.Format(), stdout, r.screen, r.fleet.Now(), len(r.fleet.Regions) > 1)
	sum := &summary{regions: len(r.fleet.Regions)}
	if err := r.read(ctx, sum, out.add); err != nil {
		_ = out.write() // what came before the error, which tells more than one of writing
		return err
	}
	if err := out.close(sum); err != nil {
		return err
	}
	if bad := sum.unhealthy(); r.command.Check && bad > 0 {
		return fmt.Errorf("%s of %s: rekey status --unhealthy lists what to do", verb(bad), terminal.Count(sum.total, "secret"))
	}
	return nil
}

func verb(n int) string {
	if n == 1 {
		return "1 needs someone"
	}
	return fmt.Sprintf("%d need someone", n)
}

// read looks at all that was chosen, and hands on what is shown.
func (r *run) read(ctx context.Context, sum *summary, show func(*fleet.Secret) error) error {
	r.aside.Begin("reading " + strings.Join(slices.Sorted(maps.Keys(r.fleet.Regions)), ", "))
	told := 0
	err := r.fleet.Each(ctx, func(page fleet.Page) error {
		for _, s := range page.Secrets {
			sum.add(s)
			if !r.command.shown(s) {
				continue
			}
			if err := show(s); err != nil {
				return err
			}
		}
		if told++; told%10 == 0 {
			r.aside.Begin(grouped(sum.total) + " secrets read")
		}
		return r.screen.Err()
	})
	r.aside.Stop()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted after %s secrets", grouped(sum.total))
	}
	return err
}

// mostWatched is how many secrets --watch shows.
const mostWatched = 20

// watch shows the worst, again and again, until ctx ends, which is no error. What goes wrong for a
// moment is told below what was seen last.
func (r *run) watch(ctx context.Context, stdout io.Writer) error {
	tick := time.NewTicker(r.command.Every)
	defer tick.Stop()
	for seen := false; ; {
		err := r.look(ctx, stdout)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			seen = true
		case seen && account.Passing(err):
			r.screen.Println(r.fleet.Now().Format(time.TimeOnly) + "  " + terminal.Tame(err.Error()))
		default:
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *run) look(ctx context.Context, stdout io.Writer) error {
	sum, top := &summary{regions: len(r.fleet.Regions)}, &worst{most: mostWatched}
	if err := r.read(ctx, sum, func(s *fleet.Secret) error { top.add(s); return nil }); err != nil {
		return err
	}
	r.screen.Clear()
	now := r.fleet.Now()
	r.screen.Println(r.screen.Dim(now.Format(time.TimeOnly) + ", every " + r.command.Every.String() + ", Ctrl-C ends it"))
	out := newListing(output.Table, stdout, r.screen, now, len(r.fleet.Regions) > 1)
	out.held = top.secrets
	return out.close(sum)
}
