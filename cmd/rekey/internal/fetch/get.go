// Package fetch is the command rekey get, and how commands read secrets.
package fetch

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

// Command is the command line of rekey get.
type Command struct {
	Secret  string `arg:"" help:"The secret: its name or ARN." placeholder:"SECRET"`
	Field   string `arg:"" optional:"" help:"One field of a secret that is a JSON object; the whole value if not given." placeholder:"FIELD"`
	Version `embed:""`
	Newline bool `help:"End with a newline, which the value itself does not have."`
	Reveal  bool `help:"Show the value on a terminal."`

	account.Flags `embed:""`
}

// Help is the text below the usage of rekey get --help.
func (Command) Help() string {
	return `Writes the value as it is, byte for byte, for a pipe or a file: PGPASSWORD=$(rekey get app/db password) psql …, rekey get tls key > /dev/shm/key. Do not write it into the arguments of a program, which others on the machine can read. A field that is no string is written as the JSON that it is. A terminal is refused unless --reveal says so, for what it shows stays in its history.

It needs secretsmanager:GetSecretValue on the secret, and kms:Decrypt on a key of your own.`
}

// Run gets.
func (c *Command) Run(ctx context.Context, stdout io.Writer) error {
	shown := terminal.Is(stdout)
	if err := RefuseTerminal(shown, c.Reveal); err != nil {
		return err
	}
	cfg, err := c.Config(ctx)
	if err != nil {
		return err
	}
	secret, err := Read(ctx, account.SecretsManager(cfg), c.Secret, c.Version)
	if err != nil {
		return err
	}
	text := secret.Reveal()
	if c.Field != "" {
		if text, err = secret.Field(c.Field); err != nil {
			return err
		}
	}
	if c.Newline || shown && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if _, err := io.WriteString(stdout, text); err != nil {
		return fmt.Errorf("writing the value: %w", err)
	}
	return nil
}

// RefuseTerminal is the error of a command that would show secrets on a terminal.
func RefuseTerminal(shown, reveal bool) error {
	if shown && !reveal {
		return usage.Errorf("standard output is a terminal, which would show the secret and keep it in its history: write to a pipe or a file, or say --reveal")
	}
	return nil
}
