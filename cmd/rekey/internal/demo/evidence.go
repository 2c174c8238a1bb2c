package demo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/sample"
)

// The labels of versions.
const (
	current  = "AWSCURRENT"
	pending  = "AWSPENDING"
	previous = "AWSPREVIOUS"
)

// evidence is what the proof is made from: what the database and Secrets Manager say after
// the rotation, and everything that was written down during it.
type evidence struct {
	user, server           string
	oldVersion, newVersion string
	original               string              // the document as it was created
	current, previous      stored              // as GetSecretValue gives them now
	stages                 map[string][]string // version → labels, as DescribeSecret gives them

	newLogin, oldLogin error
	newPassword        string
	oldPassword        string

	calls  []string // of the function
	logins int
	steps  int

	functionLog, databaseLog, callLog, wire string
}

type stored struct{ version, document string }

// gather asks both, by ways of its own: it logs in past the wire, and its calls are not
// counted as the function's.
func (s *stage) gather(ctx context.Context) (*evidence, error) {
	s.view.Begin("checking")
	e := &evidence{
		user: sample.User, server: s.database.Title(),
		oldVersion: s.oldVersion, newVersion: s.report.Rotation.Version,
		original: s.original, oldPassword: s.database.Password,
		logins: s.wire.connections(), steps: len(s.report.Steps), wire: s.wire.text(),
	}
	if err := s.askSecretsManager(ctx, e); err != nil {
		return nil, err
	}
	var err error
	if e.newPassword, err = passwordOf(e.current.document); err != nil {
		return nil, err
	}
	// The logs come last: they shall hold the logins of the proof too.
	e.newLogin = s.database.Login(ctx, e.user, e.newPassword)
	e.oldLogin = s.database.Login(ctx, e.user, e.oldPassword)
	if e.databaseLog, err = s.database.Logs(); err != nil { //nolint:contextcheck // it has a time limit of its own
		return nil, err
	}
	e.functionLog = s.ledger.functionLog.String()
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	e.calls, e.callLog = s.ledger.calls, s.ledger.callLog.String()
	return e, nil
}

func (s *stage) askSecretsManager(ctx context.Context, e *evidence) error {
	var err error
	if e.current, err = s.value(ctx, current); err != nil {
		return err
	}
	if e.previous, err = s.value(ctx, previous); err != nil {
		return err
	}
	described, err := s.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(secretName)})
	if err != nil {
		return fmt.Errorf("describing the secret: %w", err)
	}
	e.stages = described.VersionIdsToStages
	for _, id := range []string{e.newVersion, e.oldVersion} {
		s.report.Versions = append(s.report.Versions, versionSummary{id, e.stages[id]})
	}
	return nil
}

func (s *stage) value(ctx context.Context, stage string) (stored, error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: aws.String(secretName), VersionStage: aws.String(stage),
	})
	if err != nil {
		return stored{}, fmt.Errorf("getting the value labelled %s: %w", stage, err)
	}
	return stored{aws.ToString(out.VersionId), aws.ToString(out.SecretString)}, nil
}
