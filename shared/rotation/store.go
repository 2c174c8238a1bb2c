package rotation

import (
	"context"
	"slices"
	"time"
)

// Store holds the versions of secrets: AWS Secrets Manager, or something that
// behaves like it. Methods retry what is worth retrying within the context's
// deadline, and are safe for several goroutines.
type Store interface {
	// Describe reads the secret's metadata. ErrNotFound if there is no such secret.
	Describe(ctx context.Context, id string) (Metadata, error)
	// Get reads one value. ErrNotFound: no such secret or version, or the
	// version has no value yet. ErrNotPending: both an id and a stage were asked
	// for, and the version does not carry the stage.
	Get(ctx context.Context, id string, v Version) (Stored, error)
	// Put stores the value of the rotation's token, labelled AWSPENDING. Storing
	// the same value again succeeds. ErrConflict: the token holds another value.
	Put(ctx context.Context, r Rotation, v Value) error
	// Promote moves AWSCURRENT from the version "from" ("" if none has it) to
	// the rotation's token: the only commit point. It succeeds if the token has
	// AWSCURRENT already.
	Promote(ctx context.Context, r Rotation, from string) error
}

// Historian is a [Store] that can also list the versions that lost all labels:
// where the live credential of a rotation lies that a person cleared away
// half done.
type Historian interface {
	// Unlabelled lists the ids of the versions without labels, the newest first.
	Unlabelled(ctx context.Context, id string) ([]string, error)
}

// Version selects a version by id, by staging label, or by both, which also
// proves that the version carries the label.
type Version struct {
	ID    string
	Stage string
}

// Stored is a version with its value.
type Stored struct {
	VersionID string
	Stages    []string
	Value     Value
}

// Metadata is the part of DescribeSecret that the contract needs.
type Metadata struct {
	ARN             string
	RotationEnabled bool
	Function        string              // the ARN of the function that rotates it, or that did; "" if none ever has
	Rotated         time.Time           // when the last rotation ended well; zero if not known
	Deleted         time.Time           // zero, or when the secret is going to be deleted
	Versions        map[string][]string // version id → staging labels
	Tags            map[string]string   // the secret's tags, those of AWS ("aws:…") included
}

// versionWith returns the version that carries a label, or "".
func (md Metadata) versionWith(stage string) string {
	for id, stages := range md.Versions {
		if slices.Contains(stages, stage) {
			return id
		}
	}
	return ""
}
