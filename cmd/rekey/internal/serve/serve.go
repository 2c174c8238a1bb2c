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
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/local/cloudwatchlogs"
	"github.com/rekey-aws/rekey/local/dynamodb"
)

// Command is the command line of rekey local.
type Command struct {
	Port     int      `help:"Loopback port, ${default} if not given; 0 is any free one." default:"7353" placeholder:"N"`
	Region   string   `help:"Region of the functions; us-east-1 if not given." env:"AWS_REGION,AWS_DEFAULT_REGION" placeholder:"NAME"`
	State    string   `help:"Keep the secrets in this directory, encrypted; in memory if not given." type:"path" placeholder:"DIR"`
	Function []string `help:"Serve this function of functions/ only, or this built file under the name. Repeatable." sep:"none" placeholder:"NAME[=FILE]"`
	Env      []string `help:"Set a variable of one function's environment, or of every function's. Repeatable." sep:"none" placeholder:"[FUNCTION:]KEY=VALUE"`
	Database string   `help:"Start a throw-away database too, with a user and its secret: auto, postgres, mysql, mariadb or embedded." enum:",auto,postgres,mysql,mariadb,embedded" default:"" placeholder:"ENGINE"`

	RetireAfter time.Duration `help:"Have functions end old credentials so long after a rotation, by a schedule: 24h on AWS; not at all if not given." placeholder:"D"`

	Events      bool     `help:"Print the event that AWS makes of each call and each rotation too; with -q, little else."`
	Rule        []string `help:"Hand events to a function: a JSON file with Name, EventPattern and Targets. Repeatable." sep:"none" type:"path" placeholder:"FILE"`
	Alerts      string   `help:"Send what the detections find in these events to a webhook, such as http://127.0.0.1:8080/." placeholder:"URL"`
	DeadLetters string   `help:"Keep the events that a function of a --rule did not take here; under --state, or in a temporary folder if not given." type:"path" placeholder:"DIR"`

	Fault            []string      `help:"Make calls fail or wait: GetSecretValue:throttle=5%, PutSecretValue:lose=#2, quotas. Repeatable." sep:"none" placeholder:"SPEC"`
	ReplicationDelay time.Duration `help:"How long replicas lag behind their primary; not at all if not given." placeholder:"D"`
	KMSKey           []string      `name:"kms-key" help:"A KMS key that exists: an ARN, an id or an alias. Any does if none is given. Repeatable." sep:"none" placeholder:"ID"`
	Credentials      string        `help:"Check signatures: only the profiles of this file, in the format of ~/.aws/credentials, may call." type:"path" placeholder:"FILE"`

	FunctionLogs bool `help:"Write what the functions log to stderr."`
	JSON         bool `name:"json" help:"Print a JSON object per line instead of text."`
	Quiet        bool `short:"q" help:"Print the endpoint and failed rotations only."`
}

// Help is the text below the usage of rekey local --help.
func (Command) Help() string {
	return `Use it with any AWS CLI or SDK, such as: aws secretsmanager list-secrets --endpoint-url http://127.0.0.1:7353. Any credentials do, unless --credentials says whose. A database with a certificate of its own needs --env SSL_CERT_FILE=FILE.`
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

	dir string // for built functions

	lettersFolder  string // of dead letters
	lettersAreTemp bool   // it is removed if it stays empty
	database       *sample.Database
	table          *dynamodb.Database // of the alerter
	machine        *onemachine.Machine
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
	return functions, s.allowDual(ctx)
}

func (s *service) launch(ctx context.Context, listener net.Listener, functions []onemachine.Function) (err error) {
	o, err := s.options(functions) //nolint:contextcheck // what is scheduled happens whoever has gone away
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	o.Listener = listener
	if s.machine, err = onemachine.Start(o); err != nil { //nolint:contextcheck // calls are recorded whoever has gone away
		return err
	}
	if err := s.storeAlerts(ctx); err != nil {
		return err
	}
	if s.database == nil {
		return nil
	}
	return s.storeSample(ctx)
}

// options are those of the command line. Validate has seen that they can be read.
func (s *service) options(functions []onemachine.Function) (o onemachine.Options, err error) {
	c := s.command
	o = onemachine.Options{Functions: functions, Signed: c.Credentials != ""}
	if o.Service, err = c.stand(); err != nil {
		return o, err
	}
	for _, f := range functions {
		if _, taken := o.Service.Callers[f.Name]; taken {
			return o, usage.Errorf("--credentials: %s: the access key id %s is the function's of that name: give another", c.Credentials, f.Name)
		}
	}
	o.Service.StateDir = c.State
	o.Service.OnCall, o.Service.OnRotation = s.journal.call, s.journal.rotation
	if c.FunctionLogs {
		o.Logs = os.Stderr
	}
	logs := cloudwatchlogs.New(cloudwatchlogs.Options{})
	o.LogsOf = func(function string) io.Writer { return logs.Group("/aws/lambda/" + function) }
	o.Services = onemachine.Services{
		"scheduler": s.scheduler(), "events": s.questions(),
		"logs": func(*onemachine.Machine) (onemachine.Service, error) { return onemachine.Service{API: logs}, nil },
	}
	if err := s.equip(functions, &o); err != nil {
		return o, err
	}
	o.Events, err = s.events(functions)
	return o, err
}

// serve returns when ctx has ended and rotations under way have too, or patience with them.
func (s *service) serve(ctx context.Context) error {
	schedules, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.machine.Manager.Run(schedules) }()
	if s.command.Alerts != "" {
		go s.schedule(schedules)
	}
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
	if s.table != nil {
		failed = errors.Join(failed, s.table.Close())
	}
	if s.lettersAreTemp {
		_ = os.Remove(s.lettersFolder) // unless there are letters in it
	}
	if s.database != nil {
		failed = errors.Join(failed, s.database.Stop())
	}
	if s.dir != "" {
		failed = errors.Join(failed, os.RemoveAll(s.dir))
	}
	return failed
}
