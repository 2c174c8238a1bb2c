package secretsmanager

import (
	"errors"
	"fmt"
	"time"
)

type putSecretValueInput struct {
	SecretId           *string
	ClientRequestToken *string
	RotationToken      *string
	SecretString       *string
	SecretBinary       []byte
	VersionStages      []string
}

func (s *Server) putSecretValue(c *caller, in *putSecretValueInput) (*written, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	token, err := requestToken(in.ClientRequestToken, invalidRequest)
	if err != nil {
		return nil, err
	}
	// The rotation token proves, on AWS, that a function in another account may write. Here
	// every caller may: only its form is checked.
	if err := first(length("RotationToken", in.RotationToken, 36, 256), stageNames(in.VersionStages)); err != nil {
		return nil, err
	}
	if in.VersionStages != nil && len(in.VersionStages) == 0 {
		return nil, violation("'[]'", "VersionStages", "Member must have length greater than or equal to 1")
	}
	v, err := secretValue(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, invalidRequest("You must provide either SecretString or SecretBinary.")
	}
	var ver *version
	sec, err := s.change(c.region, id, func(sec *secret) error {
		if err := sec.live(); err != nil {
			return err
		}
		ver, err = sec.store(token, v, in.VersionStages, s.opt.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	return &written{ARN: sec.ARN, Name: sec.Name, VersionId: token, VersionStages: ver.Stages}, nil
}

type updateSecretInput struct {
	SecretId           *string
	ClientRequestToken *string
	Description        *string
	SecretString       *string
	SecretBinary       []byte
}

func (s *Server) updateSecret(c *caller, in *updateSecretInput) (*written, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	token, err := requestToken(in.ClientRequestToken, invalidRequest)
	if err != nil {
		return nil, err
	}
	if err := length("Description", in.Description, 0, 2048); err != nil {
		return nil, err
	}
	v, err := secretValue(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	out := &written{}
	sec, err := s.change(c.region, id, func(sec *secret) error {
		if err := sec.live(); err != nil {
			return err
		}
		if in.Description != nil {
			sec.Description = *in.Description
			sec.Changed = s.opt.Now()
		}
		if v == nil {
			return nil
		}
		out.VersionId = token
		_, err := sec.store(token, v, nil, s.opt.Now())
		if errors.Is(err, errUnchanged) && in.Description != nil {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out.ARN, out.Name = sec.ARN, sec.Name
	return out, nil
}

type updateSecretVersionStageInput struct {
	SecretId            *string
	VersionStage        *string
	MoveToVersionId     *string
	RemoveFromVersionId *string
}

func (s *Server) updateSecretVersionStage(c *caller, in *updateSecretVersionStageInput) (*written, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	if in.VersionStage == nil {
		return nil, missing("VersionStage")
	}
	if err := first(length("VersionStage", in.VersionStage, 1, 256),
		length("MoveToVersionId", in.MoveToVersionId, 32, 64),
		length("RemoveFromVersionId", in.RemoveFromVersionId, 32, 64)); err != nil {
		return nil, err
	}
	sec, err := s.change(c.region, id, func(sec *secret) error {
		if err := sec.live(); err != nil {
			return err
		}
		return sec.moveStage(*in.VersionStage, deref(in.MoveToVersionId), deref(in.RemoveFromVersionId), s.opt.Now())
	})
	if err != nil {
		return nil, err
	}
	return &written{ARN: sec.ARN, Name: sec.Name}, nil
}

type deleteSecretInput struct {
	SecretId                   *string
	RecoveryWindowInDays       *int64
	ForceDeleteWithoutRecovery *bool
}

type deleteSecretOutput struct {
	ARN          string
	Name         string
	DeletionDate *epoch
}

func (s *Server) deleteSecret(c *caller, in *deleteSecretInput) (*deleteSecretOutput, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	force := deref(in.ForceDeleteWithoutRecovery)
	if force && in.RecoveryWindowInDays != nil {
		return nil, invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	}
	if force {
		return s.forceDelete(c.region, id)
	}
	days := int64(30)
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
	}
	if days < 7 || days > 30 {
		return nil, invalidParameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	sec, err := s.change(c.region, id, func(sec *secret) error {
		if err := sec.live(); err != nil {
			return err
		}
		sec.DeleteAt = s.opt.Now().Add(time.Duration(days) * 24 * time.Hour)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &deleteSecretOutput{ARN: sec.ARN, Name: sec.Name, DeletionDate: date(sec.DeleteAt)}, nil
}

// forceDelete ends a secret at once. It succeeds for one that does not exist, as documented:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
func (s *Server) forceDelete(region, id string) (*deleteSecretOutput, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	now := s.opt.Now()
	sec, err := s.lookup(region, id)
	if err != nil {
		_, name, arn := splitID(region, id)
		if arn == "" {
			arn = newARN(region, s.opt.Account, name)
		}
		return &deleteSecretOutput{ARN: arn, Name: name, DeletionDate: date(now)}, nil
	}
	return &deleteSecretOutput{ARN: sec.ARN, Name: sec.Name, DeletionDate: date(now)}, s.replace(sec, nil)
}

type onlySecretID struct {
	SecretId *string
}

func (s *Server) restoreSecret(c *caller, in *onlySecretID) (*written, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	sec, err := s.change(c.region, id, func(sec *secret) error {
		if !sec.deleted() {
			return errUnchanged
		}
		sec.DeleteAt = time.Time{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &written{ARN: sec.ARN, Name: sec.Name}, nil
}

// nothing is the empty reply.
type nothing struct{}

type tagResourceInput struct {
	SecretId *string
	Tags     []tag
}

func (s *Server) tagResource(c *caller, in *tagResourceInput) (*nothing, error) {
	if in.Tags == nil {
		return nil, missing("Tags")
	}
	return nil, s.retag(c, in.SecretId, func(tags []tag) ([]tag, error) { return tagged(tags, in.Tags) })
}

type untagResourceInput struct {
	SecretId *string
	TagKeys  []string
}

func (s *Server) untagResource(c *caller, in *untagResourceInput) (*nothing, error) {
	if in.TagKeys == nil {
		return nil, missing("TagKeys")
	}
	for i := range in.TagKeys {
		if err := first(length(fmt.Sprintf("TagKeys.%d", i+1), &in.TagKeys[i], 1, 128), ownKey(in.TagKeys[i])); err != nil {
			return nil, err
		}
	}
	return nil, s.retag(c, in.SecretId, func(tags []tag) ([]tag, error) { return untagged(tags, in.TagKeys), nil })
}

func (s *Server) retag(c *caller, named *string, edit func([]tag) ([]tag, error)) error {
	id, err := secretID(named)
	if err != nil {
		return err
	}
	_, err = s.change(c.region, id, func(sec *secret) error {
		if err := sec.live(); err != nil {
			return err
		}
		tags, err := edit(sec.Tags)
		sec.Tags, sec.Changed = tags, s.opt.Now()
		return err
	})
	return err
}
