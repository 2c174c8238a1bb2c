package plan

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/infra/config"
)

// ValueCommand is the command line of rekey value.
type ValueCommand struct {
	Secret string `arg:"" help:"The secret: its name, or its place in the file, such as orders.app." placeholder:"SECRET"`
	File   string `help:"The deployment; ${default} if not given." default:"rekey.yaml" short:"f" placeholder:"FILE"`
	Host   string `help:"The database's endpoint, where the file names an instance or a cluster." placeholder:"NAME"`

	stdin io.Reader // os.Stdin, if nil
}

// Help is the text below the usage of rekey value --help.
func (ValueCommand) Help() string {
	return `The first value of a secret is what the file says of it, and what is secret, such as the password: that is read from standard input, a line each; on a terminal it is asked for and not shown. The value goes to standard output, which must be a pipe or a file:

  rekey value orders.app |
    aws secretsmanager put-secret-value --secret-string file:///dev/stdin \
      --secret-id shop/production/orders/app`
}

// Run writes the value.
func (c *ValueCommand) Run(ctx context.Context, stdout io.Writer) error {
	if terminal.Is(stdout) {
		return errors.New("the value would be shown on the terminal: send it on, see rekey value --help")
	}
	f, err := config.Load(c.File)
	if err != nil {
		return err
	}
	secret, err := find(f, c.Secret)
	if err != nil {
		return err
	}
	if secret.NeedsHost() && c.Host == "" {
		return fmt.Errorf("%s names its server by instance or cluster: give the endpoint with --host, as aws rds describe-db-instances, aws rds describe-db-clusters or aws redshift describe-clusters tells it", secret.Path)
	}
	known, err := c.read(ctx, secret.SecretKeys())
	if err != nil {
		return err
	}
	value, err := secret.FirstValue(c.Host, known)
	if err != nil {
		return err
	}
	_, err = stdout.Write(append(value, '\n'))
	return err
}

// find is the secret with a name, a path, or the end of one.
func find(f *config.File, name string) (config.Resolved, error) {
	var all []string
	var found []config.Resolved
	for _, s := range f.Secrets() {
		short := strings.NewReplacer("databases.", "", ".users", "", "apiKeys.", "", "generated.", "").Replace(s.Path)
		all = append(all, short)
		if slices.Contains([]string{s.Name, s.Path, short}, name) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0:
		return config.Resolved{}, fmt.Errorf("there is no secret %q in the file: there are %s", name, strings.Join(all, ", "))
	case len(found) > 1:
		return config.Resolved{}, fmt.Errorf("%q is more than one secret: name it in full, such as %s", name, found[0].Path)
	}
	return found[0], nil
}

// read takes a line for each key. A terminal does not show what is typed.
func (c *ValueCommand) read(ctx context.Context, keys []string) (map[string]string, error) {
	in := c.stdin
	if in == nil {
		in = os.Stdin
	}
	values := map[string]string{}
	lines := bufio.NewReader(in)
	for _, key := range keys {
		var line string
		var err error
		if terminal.Is(in) {
			line, err = terminal.Hidden(ctx, in.(*os.File), os.Stderr, key)
		} else if line, err = lines.ReadString('\n'); errors.Is(err, io.EOF) && line != "" {
			err = nil
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" && (err == nil || errors.Is(err, io.EOF)) {
			return nil, fmt.Errorf("no %s was given on standard input: one line each for %s", key, strings.Join(keys, ", "))
		}
		if err != nil {
			return nil, fmt.Errorf("reading the %s: %w", key, err)
		}
		values[key] = line
	}
	return values, nil
}
