// Package inject is the command rekey inject: a file made of a template and of secrets.
package inject

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/fetch"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// Command is the command line of rekey inject.
type Command struct {
	Template string `arg:"" help:"The template's file; - is standard input." type:"path" placeholder:"TEMPLATE"`
	OutFile  string `short:"o" help:"Write here, for the owner alone (mode 0600), all at once; standard output if not given." type:"path" placeholder:"FILE"`
	Reveal   bool   `help:"Show the result on a terminal."`

	account.Flags `embed:""`

	stdin io.Reader // os.Stdin, if nil
}

// Help is the text below the usage of rekey inject --help.
func (Command) Help() string {
	return `A template is text with secrets in double braces: {{secret "app/db"}} is a whole value, {{secret "app/db" "password"}} a field of a JSON object. Quote it for where it stands: {{secret "app/db" "password" | json}}; there are json (also TOML and JavaScript), yaml, shell, url, xml and base64. The language is that of Go (https://pkg.go.dev/text/template), and sees nothing but the secrets that the template names: no variables of the environment, no files, no programs.

Each secret is read once, so that its fields belong together. Nothing is written if something is missing.

It needs secretsmanager:GetSecretValue on the secrets, and kms:Decrypt on a key of your own.`
}

// Run injects.
func (c *Command) Run(ctx context.Context, stdout io.Writer) error {
	if err := c.refuse(stdout); err != nil {
		return err
	}
	text, err := c.read()
	if err != nil {
		return err
	}
	t, err := newDocument(c.name(), text)
	if err != nil {
		return err
	}
	cfg, err := c.Config(ctx)
	if err != nil {
		return err
	}
	result, err := t.execute(ctx, account.SecretsManager(cfg))
	if err != nil {
		return err
	}
	if c.toFile() {
		return writeFile(c.OutFile, result)
	}
	if _, err := stdout.Write(result); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// refuse looks at where the result goes, before anything is read.
func (c *Command) refuse(stdout io.Writer) error {
	if c.toFile() {
		return checkFile(c.OutFile)
	}
	return fetch.RefuseTerminal(terminal.Is(stdout), c.Reveal)
}

func (c *Command) toFile() bool { return c.OutFile != "" && c.OutFile != "-" }

func (c *Command) name() string {
	if c.Template == "-" {
		return "standard input"
	}
	return filepath.Base(c.Template)
}

// maxTemplate is more than anybody writes by hand.
const maxTemplate = 16 << 20

func (c *Command) read() (string, error) {
	in := c.stdin
	if in == nil {
		in = os.Stdin
	}
	if c.Template != "-" {
		f, err := os.Open(c.Template)
		if err != nil {
			return "", fmt.Errorf("reading the template: %w", err)
		}
		defer f.Close()
		in = f
	}
	var text bytes.Buffer
	switch n, err := io.Copy(&text, io.LimitReader(in, maxTemplate+1)); {
	case err != nil:
		return "", fmt.Errorf("reading the template: %w", err)
	case n > maxTemplate:
		return "", errors.New("the template has more than 16 MiB: is it one?")
	}
	return text.String(), nil
}
