// Package plan is what the command line does with rekey.yaml before anything is deployed:
// write one to begin with, and price it.
package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/examples"
)

// InitCommand is the command line of rekey init.
type InitCommand struct {
	File    string `arg:"" optional:"" help:"The file to write; ${default} if not given." default:"rekey.yaml" placeholder:"FILE"`
	Example string `help:"What to begin with: minimal (one database), multi-region-banking, api-keys." enum:"minimal,multi-region-banking,api-keys" default:"minimal" placeholder:"NAME"`
	Force   bool   `help:"Replace a file that is there."`
}

// Help is the text below the usage of rekey init --help.
func (InitCommand) Help() string {
	return `The file is valid as it is written, and commented. What every key means: docs/config.md. It asks nothing.`
}

// Run writes the file. One that is there stays as it is, unless Force is set.
func (c *InitCommand) Run(screen *terminal.Terminal) error {
	text, err := examples.Files.ReadFile(c.Example + ".yaml")
	if err != nil {
		return fmt.Errorf("reading the example %s: %w", c.Example, err)
	}
	if err := c.write(text); err != nil {
		return err
	}
	screen.Println("Wrote " + c.File + ": the example " + c.Example + ".")
	screen.Println("Next: put your account, network and names into it; rekey cost " + c.File + " checks and prices it; docs/deploy.md deploys it.")
	return screen.Err()
}

func (c *InitCommand) write(text []byte) error {
	if c.Force {
		return replace(c.File, text)
	}
	file, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and was not touched: name another file, or use --force", c.File)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

// replace leaves the old file or the new one, whatever happens.
func replace(name string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(name), ".rekey-init-*")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
