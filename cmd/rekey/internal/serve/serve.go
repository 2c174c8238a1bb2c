// Package serve is the command rekey local: Secrets Manager on one machine, until Ctrl-C,
// whose rotations run this project's functions.
package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/onemachine"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/sample"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// Command is the command line of rekey local.
type Command struct {
	Port         int      `help:"Loopback port, ${default} if not given; 0 is any free one." default:"7353" placeholder:"N"`
	Region       string   `help:"Region of the functions; us-east-1 if not given." env:"AWS_REGION,AWS_DEFAULT_REGION" placeholder:"NAME"`
	State        string   `help:"Keep the secrets in this directory, encrypted; in memory if not given." type:"path" placeholder:"DIR"`
	Function     []string `help:"Serve this function of functions/ only, or this built file under the name. Repeatable." sep:"none" placeholder:"NAME[=FILE]"`
	Env          []string `help:"Set a variable of one function's environment, or of every function's. Repeatable." sep:"none" placeholder:"[FUNCTION:]KEY=VALUE"`
	Database     string   `help:"Start a throw-away database too, with a user and its secret: auto, postgres, mysql, mariadb or embedded." enum:",auto,postgres,mysql,mariadb,embedded" default:"" placeholder:"ENGINE"`
	FunctionLogs bool     `help:"Write what the functions log to stderr."`
	JSON         bool     `name:"json" help:"Print a JSON object per line instead of text."`
	Quiet        bool     `short:"q" help:"Print the endpoint and failed rotations only."`
}

// Help is the text below the usage of rekey local --help.
func (Command) Help() string {
	return `Use it with any AWS CLI or SDK, such as: aws secretsmanager list-secrets --endpoint-url http://127.0.0.1:7353. Any credentials do. A database with a certificate of its own needs --env SSL_CERT_FILE=FILE.`
}

// patience is how long a rotation that is under way is waited for at the end.
const patience = 10 * time.Second

// Run serves until ctx ends, which is no error.
func (c *Command) Run(ctx context.Context, stdout io.Writer, screen *terminal.Terminal) (err error) {
	c.Region = cmp.Or(c.Region, "us-east-1")
	s := &service{command: c, journal: newJournal(c, stdout, screen), screen: screen}
	if c.JSON {
		s.screen = terminal.Plain(io.Discard)
	}
	defer func() { //nolint:contextcheck // also after Ctrl-C
		s.screen.Stop()
		err = errors.Join(err, s.close())
	}()
	if err := s.start(ctx); err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted before it was ready: nothing was changed, run it again at any time")
		}
		return err
	}
	s.journal.ready(s)
	return s.serve(ctx)
}

// service is what runs, and its end.
type service struct {
	command *Command
	journal *journal
	screen  *terminal.Terminal // shows what takes time at the start

	dir      string // for built functions
	database *sample.Database
	machine  *onemachine.Machine
}

func (s *service) start(ctx context.Context) (err error) {
	c := s.command
	listener, err := onemachine.Listen(ctx, c.Port) // first: what fails soonest
	if err != nil {
		return err
	}
	functions, err := s.prepare(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return s.launch(ctx, listener, functions)
}

// prepare builds the functions, and starts the database if one is asked for.
func (s *service) prepare(ctx context.Context) ([]onemachine.Function, error) {
	var err error
	if s.dir, err = os.MkdirTemp("", "rekey-local-"); err != nil {
		return nil, fmt.Errorf("making a folder for the functions: %w", err)
	}
	functions, err := s.functions(ctx)
	if err != nil {
		return nil, err
	}
	if s.command.Database == "" {
		return functions, nil
	}
	s.screen.Begin("starting a database")
	s.database, err = sample.Start(ctx, s.command.Database, func(err error) {
		s.screen.Begin("starting another database (the first time takes a while)")
	})
	if err != nil {
		return nil, err
	}
	for i := range functions {
		functions[i].Env[certificates] = s.database.CAFile()
	}
	return functions, nil
}

func (s *service) launch(ctx context.Context, listener net.Listener, functions []onemachine.Function) (err error) {
	c := s.command
	o := onemachine.Options{
		Listener: listener, Region: c.Region, StateDir: c.State, Functions: functions,
		OnCall: s.journal.call, OnRotation: s.journal.rotation,
	}
	if c.FunctionLogs {
		o.Logs = os.Stderr
	}
	if s.machine, err = onemachine.Start(o); err != nil {
		return err
	}
	if s.database == nil {
		return nil
	}
	return s.storeSample(ctx)
}

// serve returns when ctx has ended and rotations under way have too, or patience with them.
func (s *service) serve(ctx context.Context) error {
	schedules, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.machine.Manager.Run(schedules) }()
	var failed error
	select {
	case <-ctx.Done():
		stop()
		failed = <-ended // no rotation begins any more
		s.journal.stopping()
		s.journal.await(patience)
		s.removeSample() //nolint:contextcheck // ctx has ended
	case failed = <-ended:
		failed = fmt.Errorf("running what is due: %w: restart it", failed)
	case failed = <-s.machine.Serving():
		failed = fmt.Errorf("serving %s: %w: restart it", s.machine.Endpoint, failed)
	case <-s.journal.broken:
		failed = fmt.Errorf("%w: restart it, or use --quiet", s.journal.failure())
	}
	stop()
	return failed
}

func (s *service) close() error {
	s.journal.mute()
	var failed error
	if s.machine != nil {
		failed = s.machine.Close()
	}
	if s.database != nil {
		failed = errors.Join(failed, s.database.Stop())
	}
	if s.dir != "" {
		failed = errors.Join(failed, os.RemoveAll(s.dir))
	}
	return failed
}
