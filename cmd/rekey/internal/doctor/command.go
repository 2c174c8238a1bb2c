// Package doctor is the command rekey doctor: what is wrong with a secret and its rotation,
// and what mends it, seen from outside and from where the rotation function stands. It changes
// nothing.
package doctor

import (
	"context"
	"fmt"
	"io"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/output"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Command is the command line of rekey doctor.
type Command struct {
	Secret      string `arg:"" help:"The secret: its name or ARN." placeholder:"SECRET"`
	OutsideOnly bool   `help:"Look at what AWS says only: the function is not invoked, and nothing logs in." xor:"depth"`
	FromHere    bool   `help:"Examine from this machine, with these credentials, instead of inside the function." xor:"depth"`

	Form output.Flags `embed:""`

	account.Flags `embed:""`
}

// Help is the text below the usage of rekey doctor --help.
func (Command) Help() string {
	return `It looks at the secret, its schedule, key, policies, replicas and labels, at the rotation function and at the function's log; then it has the function examine the target from where it stands: name, connection, TLS, login, privileges, the administrator, and which version's credential is accepted. Every finding has its remedy, and the last line names the first thing to mend. Nothing is changed, and no value is shown. It exits with 1 if something fails.

The credentials need secretsmanager:DescribeSecret; with GetResourcePolicy, lambda:GetFunctionConfiguration, GetPolicy and InvokeFunction, kms:DescribeKey and logs:FilterLogEvents it sees more, and what it may not see is said. --from-here needs what the function needs, secretsmanager:GetSecretValue first.`
}

// Depth is what the flags ask for.
func (c *Command) depth() Depth {
	switch {
	case c.OutsideOnly:
		return Outside
	case c.FromHere:
		return Here
	}
	return Inside
}

// Run examines the secret.
func (c *Command) Run(ctx context.Context, stdout io.Writer, screen *terminal.Terminal) error {
	cfg, err := c.Config(ctx)
	if err != nil {
		return err
	}
	form := c.Form.Format()
	if form == output.Table {
		screen.Begin("examining " + c.Secret)
	}
	r, err := New(cfg).Examine(ctx, c.Secret, c.depth())
	screen.Stop()
	if err != nil {
		return err
	}
	if err := write(r, form, stdout, screen); err != nil {
		return err
	}
	if r.Verdict == rotation.Fail {
		return fmt.Errorf("%s: %s. First mend %s: %s", r.Name, failed(r.Failures()), r.First.Check, r.First.Remedy)
	}
	return nil
}

func failed(n int) string {
	if n == 1 {
		return "1 check failed"
	}
	return fmt.Sprintf("%d checks failed", n)
}
