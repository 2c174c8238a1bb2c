package secretsmanager

import (
	"slices"
	"time"
)

// The labels the service moves by itself:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html#term_version
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
	pending  = "AWSPENDING"
)

// maxStages is the number of labels a version can have.
const maxStages = 20

func (v *version) has(stage string) bool { return slices.Contains(v.Stages, stage) }

func (v *version) attach(stage string) {
	if i, found := slices.BinarySearch(v.Stages, stage); !found {
		v.Stages = slices.Insert(v.Stages, i, stage)
	}
}

func (v *version) detach(stage string) {
	v.Stages = slices.DeleteFunc(v.Stages, func(s string) bool { return s == stage })
}

// holder is the one version that has a label, or nil.
func (s *secret) holder(stage string) *version {
	for _, v := range s.Versions {
		if v.has(stage) {
			return v
		}
	}
	return nil
}

// label moves a label to a version, off any other. Moving AWSCURRENT leaves AWSPREVIOUS on
// the version that lost it.
func (s *secret) label(stage string, to *version) {
	from := s.holder(stage)
	if from == to {
		return
	}
	if from != nil {
		from.detach(stage)
	}
	to.attach(stage)
	if stage == current && from != nil {
		s.label(previous, from)
	}
}

// store puts a value in the version named token, making the version if need be, and attaches
// labels to it: AWSCURRENT if none are named. It is idempotent: the same value again changes
// nothing (errUnchanged), another one is refused.
func (s *secret) store(token string, v *value, stages []string, now time.Time) (*version, error) {
	ver := s.version(token)
	if ver != nil && ver.value != nil {
		if !ver.value.equal(v) {
			return nil, errTokenUsed(token, s.ARN)
		}
		return ver, errUnchanged
	}
	if ver == nil {
		ver = s.add(token, v, now)
	}
	ver.value = v
	if len(stages) == 0 {
		stages = []string{current}
	}
	// A write that becomes current ends a rotation that was pending: recorded
	// (https://github.com/localstack/localstack, test_secretsmanager.snapshot.json,
	// "…current_pending": the demoted version loses AWSPENDING too), and relied on by
	// Terraform's acceptance tests to "clear in-rotation state".
	if slices.Contains(stages, current) && !slices.Contains(stages, pending) {
		if p := s.holder(pending); p != nil {
			p.detach(pending)
		}
	}
	for _, stage := range stages {
		s.label(stage, ver)
	}
	if len(ver.Stages) > maxStages {
		return nil, errTooManyStages()
	}
	if slices.Contains(stages, current) {
		s.rotatedByHand(now)
	}
	s.Changed = now
	s.prune(now)
	return ver, nil
}

// moveStage is UpdateSecretVersionStage.
func (s *secret) moveStage(stage, to, from string, now time.Time) error {
	holder := s.holder(stage)
	if err := s.mayMove(stage, holder, to, from); err != nil {
		return err
	}
	if to == "" {
		holder.detach(stage)
	} else {
		target := s.version(to)
		if target == nil {
			return errNoVersion(to)
		}
		if target == holder {
			return errUnchanged
		}
		// AWS's answer is not documented. A current version that cannot be read locks every
		// consumer out, so we take the strict side.
		if stage == current && target.value == nil {
			return invalidRequest("You can't move staging label %s to version %s because the version has no secret value.", stage, to)
		}
		s.label(stage, target)
		if len(target.Stages) > maxStages {
			return errTooManyStages()
		}
	}
	s.Changed = now
	s.prune(now)
	return nil
}

// mayMove checks that the caller names the version that has the label now, so that two who
// move it at once cannot both succeed.
func (s *secret) mayMove(stage string, holder *version, to, from string) error {
	switch {
	case to == "" && from == "":
		return invalidParameter("You must specify MoveToVersionId, RemoveFromVersionId, or both.")
	case from != "" && (holder == nil || holder.ID != from):
		return invalidParameter("The version %s in RemoveFromVersionId doesn't have the staging label %s.", from, stage)
	case to == "" && stage == current:
		return invalidParameter("You can only move staging label AWSCURRENT to a different secret version. It can’t be completely removed.")
	case from == "" && holder != nil && holder.ID != to:
		return invalidParameter("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", stage, holder.ID)
	}
	return nil
}
