// Package submit is the command rekey submit: a person hands over the credential that a
// rotation waits for.
package submit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/generated"
	"github.com/rekey-aws/rekey/shared/apikey/iamkey"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Command is the command line of rekey submit.
type Command struct {
	Secret    string        `arg:"" help:"The secret whose rotation waits: its name or ARN." placeholder:"SECRET"`
	Providers string        `help:"Folder of the deployment's own provider files." type:"existingdir" placeholder:"DIR"`
	Timeout   time.Duration `help:"How long to follow the rotation; ${default} if not given." default:"2m" placeholder:"D"`
	Wait      bool          `help:"Follow the rotation to its end. With --no-wait it only goes on." default:"true" negatable:""`
	JSON      bool          `name:"json" help:"Print one JSON document instead of text."`

	account.Flags `embed:""`

	stdin io.Reader // os.Stdin, if nil
}

// Help is the text below the usage of rekey submit --help.
func (Command) Help() string {
	return `For vendors who issue keys to people only: the rotation of such a secret waits until its pending version has a value. Make a key at the vendor, and hand it over on standard input: the key alone on a line, or a JSON object with its parts, such as {"apiKey": "…", "apiKeyId": "…"}. On a terminal it is asked for and not shown. It is never an argument. The rotation then goes on: the key is tried, becomes AWSCURRENT, and the old one is ended after the grace period.

The credentials need secretsmanager:DescribeSecret, GetSecretValue, PutSecretValue and RotateSecret on the secret.`
}

// Validate checks what can be before anything is called.
func (c *Command) Validate() error {
	if c.Timeout < time.Second {
		return usage.Errorf("--timeout: %s is too short: give a second or more, or --no-wait", c.Timeout)
	}
	return nil
}

// report is what came of it. It holds no value.
type report struct {
	Secret   string `json:"secret"`
	Version  string `json:"version"`
	Provider string `json:"provider"`
	Promoted bool   `json:"promoted"` // the version is AWSCURRENT
}

// Run submits.
func (c *Command) Run(ctx context.Context, stdout io.Writer, screen *terminal.Terminal) error {
	cfg, err := c.Config(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		screen = terminal.Plain(io.Discard)
	}
	defer screen.Stop()
	s := &submission{command: c, api: account.SecretsManager(cfg), screen: screen}
	if err := s.find(ctx); err != nil {
		return err
	}
	if err := s.read(ctx); err != nil {
		return err
	}
	if err := s.store(ctx); err != nil {
		return err
	}
	if err := s.resume(ctx); err != nil {
		return err
	}
	return s.tell(ctx, stdout)
}

// submission is one, as far as it has come.
type submission struct {
	command *Command
	api     *secretsmanager.Client
	screen  *terminal.Terminal

	arn, version string
	provider     string
	traits       apikey.Traits
	document     rotation.Document // of AWSCURRENT
	next         rotation.Value
}

// find looks for the version that waits, before anybody is asked for anything.
func (s *submission) find(ctx context.Context) error {
	out, err := s.api.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &s.command.Secret})
	if err != nil {
		return fmt.Errorf("looking for the secret %s: %w", s.command.Secret, account.Explain(ctx, "DescribeSecret", err))
	}
	s.arn = aws.ToString(out.ARN)
	for id, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, rotation.Pending) && !slices.Contains(stages, rotation.Current) {
			s.version = id
		}
	}
	if s.version == "" {
		return fmt.Errorf("no rotation of %s is waiting: start one with rekey rotate %s, and then submit", s.command.Secret, s.command.Secret)
	}
	_, err = s.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.arn, VersionId: &s.version})
	var absent *types.ResourceNotFoundException
	if err == nil {
		return fmt.Errorf("version %s has a value already, which cannot be replaced: let its rotation go on (rekey rotate %s), "+
			"or take %s from it (aws secretsmanager update-secret-version-stage) and rotate anew", s.version, s.command.Secret, rotation.Pending)
	}
	if !errors.As(err, &absent) {
		return fmt.Errorf("looking at the pending version: %w", account.Explain(ctx, "GetSecretValue", err))
	}
	current, err := s.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.arn, VersionStage: aws.String(rotation.Current)})
	if err != nil {
		return fmt.Errorf("reading %s: %w", rotation.Current, account.Explain(ctx, "GetSecretValue", err))
	}
	return s.understand(rotation.TextValue(aws.ToString(current.SecretString)))
}

// understand finds out what a credential of the secret consists of.
func (s *submission) understand(current rotation.Value) error {
	var err error
	if s.document, err = rotation.ParseDocument(current); err != nil {
		return account.WithRemedy(err)
	}
	raw, _ := s.document.Raw("provider")
	s.provider = strings.Trim(string(raw), `"`)
	if s.provider == "" {
		return errors.New(`the secret names no "provider": only secrets of rotate-apikey can be submitted to`)
	}
	folders := []fs.FS{providers.Files}
	if s.command.Providers != "" {
		folders = []fs.FS{os.DirFS(s.command.Providers), providers.Files}
	}
	builtin := generated.Providers(generated.Config{})
	builtin[iamkey.Name] = &iamkey.Provider{} // for its traits
	p, err := apikey.Builtin{Providers: builtin, Others: declarative.NewDirectory(declarative.Config{}, folders...)}.Provider(s.provider)
	if err != nil {
		return account.WithRemedy(err)
	}
	s.traits = p.Traits()
	return nil
}

// store puts the value into the pending version.
func (s *submission) store(ctx context.Context) error {
	_, err := s.api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &s.arn, ClientRequestToken: &s.version, SecretString: aws.String(s.next.Reveal()), VersionStages: []string{rotation.Pending},
	})
	var exists *types.ResourceExistsException
	if errors.As(err, &exists) {
		return fmt.Errorf("version %s was given another value meanwhile: nothing was changed", s.version)
	}
	if err != nil {
		return fmt.Errorf("storing the value: %w", account.Explain(ctx, "PutSecretValue", err))
	}
	return nil
}

// resume lets the rotation go on. Secrets Manager does so by itself too, later; it
// says "reattempted" where it takes this for another rotation.
func (s *submission) resume(ctx context.Context) error {
	_, err := s.api.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: &s.arn, ClientRequestToken: &s.version})
	var invalid *types.InvalidRequestException
	if errors.As(err, &invalid) && strings.Contains(invalid.ErrorMessage(), "reattempted") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the value is stored; having the rotation go on failed: %w. Then run rekey rotate %s", account.Explain(ctx, "RotateSecret", err), s.command.Secret)
	}
	return nil
}
