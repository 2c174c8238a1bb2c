// Package secretstore is the [rotation.Store] on AWS Secrets Manager.
package secretstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// API is what the store calls. *secretsmanager.Client has it; so has whatever
// else speaks like it.
type API interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
	ListSecretVersionIds(context.Context, *secretsmanager.ListSecretVersionIdsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error)
}

// Store is a [rotation.Store] and a [rotation.Historian]. Each method makes one call, unless AWS asks to
// try again, a reply was lost, or a value has not arrived yet.
type Store struct {
	api API
}

// New makes a store that calls api. It is safe for several goroutines.
func New(api API) *Store { return &Store{api: api} }

// Describe implements [rotation.Store].
func (s *Store) Describe(ctx context.Context, id string) (rotation.Metadata, error) {
	out, err := s.api.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id}, withinDeadline(ctx))
	if err != nil {
		return rotation.Metadata{}, translate(ctx, "DescribeSecret", err)
	}
	return rotation.Metadata{
		ARN:             aws.ToString(out.ARN),
		RotationEnabled: aws.ToBool(out.RotationEnabled),
		Function:        aws.ToString(out.RotationLambdaARN),
		Rotated:         aws.ToTime(out.LastRotatedDate),
		Deleted:         aws.ToTime(out.DeletedDate),
		Versions:        out.VersionIdsToStages,
		Tags:            tagsOf(out.Tags),
	}, nil
}

func tagsOf(list []types.Tag) map[string]string {
	tags := make(map[string]string, len(list))
	for _, t := range list {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags
}

// lag is how long a value that was just stored may take to be readable: the
// waits between looks for it. Reported as aws-sdk-js-v3 issue 7701.
var lag = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}

// Get implements [rotation.Store]. A version asked for by its id is looked for
// again for a moment if it is not found, since it may have been stored just now.
func (s *Store) Get(ctx context.Context, id string, v rotation.Version) (rotation.Stored, error) {
	stored, err := s.get(ctx, id, v)
	if v.ID == "" {
		return stored, err
	}
	for _, wait := range lag {
		if !errors.Is(err, rotation.ErrNotFound) || !sleep(ctx, wait) {
			break
		}
		stored, err = s.get(ctx, id, v)
	}
	return stored, err
}

func (s *Store) get(ctx context.Context, id string, v rotation.Version) (rotation.Stored, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &id}
	if v.ID != "" {
		in.VersionId = &v.ID
	}
	if v.Stage != "" {
		in.VersionStage = &v.Stage
	}
	out, err := s.api.GetSecretValue(ctx, in, withinDeadline(ctx))
	var invalid *types.InvalidRequestException
	if v.ID != "" && v.Stage != "" && errors.As(err, &invalid) {
		// "You provided a VersionStage that is not associated to the provided
		// VersionId." The secret may also be marked for deletion; the machine
		// asks for the metadata to tell the two apart.
		return rotation.Stored{}, fmt.Errorf("GetSecretValue: version %s is not %s: %w", v.ID, v.Stage, rotation.ErrNotPending)
	}
	if err != nil {
		return rotation.Stored{}, translate(ctx, "GetSecretValue", err)
	}
	stored := rotation.Stored{VersionID: aws.ToString(out.VersionId), Stages: out.VersionStages}
	switch {
	case out.SecretString != nil:
		stored.Value = rotation.TextValue(*out.SecretString)
	default:
		stored.Value = rotation.BinaryValue(out.SecretBinary)
	}
	return stored, nil
}

// Put implements [rotation.Store].
func (s *Store) Put(ctx context.Context, r rotation.Rotation, v rotation.Value) error {
	in := &secretsmanager.PutSecretValueInput{
		SecretId:           &r.SecretID,
		ClientRequestToken: &r.Token,
		VersionStages:      []string{rotation.Pending},
	}
	if r.RotationToken != "" {
		in.RotationToken = aws.String(r.RotationToken.Reveal())
	}
	if v.Binary() {
		in.SecretBinary = []byte(v.Reveal())
	} else {
		in.SecretString = aws.String(v.Reveal())
	}
	if _, err := s.api.PutSecretValue(ctx, in, withinDeadline(ctx)); err != nil {
		return translate(ctx, "PutSecretValue", err)
	}
	return nil
}

// Promote implements [rotation.Store].
func (s *Store) Promote(ctx context.Context, r rotation.Rotation, from string) error {
	in := &secretsmanager.UpdateSecretVersionStageInput{
		SecretId:        &r.SecretID,
		VersionStage:    aws.String(rotation.Current),
		MoveToVersionId: &r.Token,
	}
	if from != "" {
		in.RemoveFromVersionId = &from
	}
	_, err := s.api.UpdateSecretVersionStage(ctx, in, withinDeadline(ctx))
	if err == nil {
		return nil
	}
	// A reply that was lost makes the next try fail, because the label is not
	// where it was: the metadata tells whether it is where it should be.
	md, derr := s.Describe(ctx, r.SecretID)
	if derr == nil && slices.Contains(md.Versions[r.Token], rotation.Current) {
		return nil
	}
	return translate(ctx, "UpdateSecretVersionStage", err)
}

// Unlabelled implements [rotation.Historian]. A secret has about a hundred
// versions at most, so that one page holds them.
func (s *Store) Unlabelled(ctx context.Context, id string) ([]string, error) {
	out, err := s.api.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{
		SecretId: &id, IncludeDeprecated: aws.Bool(true), MaxResults: aws.Int32(100),
	}, withinDeadline(ctx))
	if err != nil {
		return nil, translate(ctx, "ListSecretVersionIds", err)
	}
	versions := slices.DeleteFunc(out.Versions, func(v types.SecretVersionsListEntry) bool { return len(v.VersionStages) > 0 })
	slices.SortStableFunc(versions, func(a, b types.SecretVersionsListEntry) int {
		return aws.ToTime(b.CreatedDate).Compare(aws.ToTime(a.CreatedDate))
	})
	ids := make([]string, len(versions))
	for i, v := range versions {
		ids[i] = aws.ToString(v.VersionId)
	}
	return ids, nil
}

// sleep reports whether there was time for it.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
