package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/checkout"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/onemachine"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/sample"
	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/lambda"
	standin "github.com/rekey-aws/rekey/local/secretsmanager"
)

const (
	functionName = "rotate-rds"
	secretName   = "demo/app"
	region       = "us-east-1"
)

// stage is all that the demonstration needs, and its end.
type stage struct {
	view   *view
	report *report
	dir    string // for the function, removed at the end

	binary   string
	database *sample.Database
	wire     *wire // between the function and the database
	machine  *onemachine.Machine
	client   *secretsmanager.Client
	ledger   ledger

	original   string // the secret as it was created
	oldVersion string
}

// close ends everything, in the order in which one needs the other.
func (s *stage) close() error {
	var failed error
	if s.machine != nil {
		failed = s.machine.Close()
	}
	if s.wire != nil {
		s.wire.close()
	}
	if s.database != nil {
		failed = errors.Join(failed, s.database.Stop())
	}
	return errors.Join(failed, os.RemoveAll(s.dir))
}

// phase notes how long a part of the preparation took, and shows it.
func (s *stage) phase(name, text string, begin time.Time) {
	took := time.Since(begin)
	s.report.Setup = append(s.report.Setup, phase{name, milliseconds(took)})
	s.view.ready(text, took)
}

func (s *stage) build(ctx context.Context, given string) error {
	begin := time.Now()
	s.report.Function = functionName
	if given != "" {
		// What is wrong with the file shall be told before a database is started.
		if _, err := lambda.New(lambda.Config{Name: functionName, Binary: given}); err != nil {
			return err
		}
		s.binary = given
		s.phase("build", "took "+functionName+" from "+given, begin)
		return nil
	}
	s.view.Begin("building " + functionName + " (the first time takes a while)")
	root, err := checkout.Find(".", checkout.NameFunction)
	if err != nil {
		return err
	}
	if s.binary, err = checkout.Build(ctx, root, functionName, s.dir); err != nil {
		return err
	}
	s.phase("build", "built "+functionName+" with the deployment's flags", begin)
	return nil
}

func (s *stage) startDatabase(ctx context.Context, engine string) error {
	begin := time.Now()
	s.view.Begin("starting a database")
	if engine == string(database.Embedded) {
		s.view.Begin("building and starting the embedded database (the first time takes a while)")
	}
	d, err := sample.Start(ctx, engine, s.view.passedOver)
	if err != nil {
		return err
	}
	s.database = d
	if s.wire, err = tap(ctx, d.Port); err != nil {
		return err
	}
	s.report.Engine, s.report.Server = string(d.Engine), d.Title()
	s.phase("database", "started "+d.Title()+", TLS only, logging every statement", begin)
	return nil
}

// startAWS starts the stand-in with the function, and makes the secret in it.
func (s *stage) startAWS(ctx context.Context) error {
	begin := time.Now()
	listener, err := onemachine.Listen(ctx, 0)
	if err != nil {
		return err
	}
	s.machine, err = onemachine.Start(onemachine.Options{ //nolint:contextcheck // calls are recorded whoever has gone away
		Listener: listener,
		Service:  standin.Options{Region: region, Attempts: 1, OnCall: s.onCall, OnRotation: s.onRotation},
		Functions: []onemachine.Function{{Name: functionName, Binary: s.binary, Env: map[string]string{
			"SSL_CERT_FILE": s.database.CAFile(), // so that the server's certificate is verified
		}}},
		OnInvoke: s.onInvoke, Logs: &s.ledger.functionLog,
	})
	if err != nil {
		return err
	}
	s.client = s.machine.Client("demo")
	if s.original, err = s.database.Document(s.wire.port()); err != nil {
		return err
	}
	created, err := s.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(secretName), SecretString: aws.String(s.original),
	})
	if err != nil {
		return fmt.Errorf("creating the secret: %w", err)
	}
	s.oldVersion, s.report.Secret = aws.ToString(created.VersionId), secretName
	s.phase("secret", "put the password of "+sample.User+" into the secret "+secretName, begin)
	return nil
}

// rotate asks for the rotation and waits for its end.
func (s *stage) rotate(ctx context.Context) error {
	s.view.heading("RotateSecret " + secretName)
	function := s.machine.Functions.Functions()[0]
	started, err := s.client.RotateSecret(ctx, &secretsmanager.RotateSecretInput{
		SecretId: aws.String(secretName), RotationLambdaARN: aws.String(function.ARN()),
		RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	if err != nil {
		return fmt.Errorf("starting the rotation: %w", err)
	}
	result, err := s.machine.Manager.Wait(ctx, secretName)
	s.summarize(aws.ToString(started.VersionId), result.Duration)
	var failure *lambda.FunctionError
	if errors.As(err, &failure) {
		return fmt.Errorf("the rotation failed: %s", failure.Message) // which names step, cause and remedy
	}
	if err != nil {
		return fmt.Errorf("the rotation failed: %w", err)
	}
	return nil
}

func (s *stage) summarize(version string, took time.Duration) {
	l := &s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	s.report.Steps = l.steps
	s.report.Rotation = rotationSummary{
		Version: version, Millis: milliseconds(took),
		InitMillis: milliseconds(l.init), PeakMemory: l.peakMemory,
	}
	s.report.Calls = callSummary{Total: len(l.calls), OfficialTemplates: officialCalls, ByOperation: l.byOperation()}
	s.report.Logins = s.wire.connections()
}
