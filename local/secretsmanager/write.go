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
	sec, err := s.change(c, id, func(sec *secret) error {
		if err := first(sec.live(), sec.readableBy(c)); err != nil {
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
	KmsKeyId           *string
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
	if err := first(length("Description", in.Description, 0, 2048), s.kmsKey(in.KmsKeyId, c.region)); err != nil {
		return nil, err
	}
	v, err := secretValue(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	if v == nil && in.Description == nil && in.KmsKeyId != nil {
		if sec, err := s.find(c.place, id); err == nil && sec.isReplica() {
			return s.updateReplicaKey(c, id, *in.KmsKeyId)
		}
	}
	out := &written{}
	sec, err := s.change(c, id, func(sec *secret) error {
		if err := sec.live(); err != nil {
			return err
		}
		if in.Description != nil {
			sec.Description = *in.Description
		}
		if in.KmsKeyId != nil {
			sec.encryptWith(*in.KmsKeyId)
		}
		sec.Changed = s.opt.Now()
		if v == nil {
			return nil
		}
		if err := sec.readableBy(c); err != nil {
			return err
		}
		out.VersionId = token
		_, err := sec.store(token, v, nil, s.opt.Now())
		if errors.Is(err, errUnchanged) && (in.Description != nil || in.KmsKeyId != nil) {
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

// updateReplicaKey is the one update that a replica takes: it "can't be updated independently
// from its primary secret, except for its encryption key"
// (https://docs.aws.amazon.com/secretsmanager/latest/userguide/standalone-secret.html).
func (s *Server) updateReplicaKey(c *caller, id, key string) (*written, error) {
	sec, err := s.changeReplica(c, id, func(own, primary *secret) {
		own.encryptWith(key)
		if primary != nil {
			primary.replicaIn(own.Region).KmsKeyId = key
		}
	})
	if err != nil {
		return nil, err
	}
	return &written{ARN: sec.ARN, Name: sec.Name}, nil
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
	sec, err := s.change(c, id, func(sec *secret) error {
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
		return s.forceDelete(c, id)
	}
	days := int64(30)
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
	}
	if days < 7 || days > 30 {
		return nil, invalidParameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	sec, err := s.change(c, id, func(sec *secret) error {
		if err := first(sec.live(), sec.mayEnd()); err != nil {
			return err
		}
		sec.DeleteAt = s.opt.Now().Add(time.Duration(days) * 24 * time.Hour)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.happened(SecretEvent{Kind: StartSecretVersionDelete, ARN: sec.ARN, Region: sec.Region})
	return &deleteSecretOutput{ARN: sec.ARN, Name: sec.Name, DeletionDate: date(sec.DeleteAt)}, nil
}

// forceDelete ends a secret at once. It succeeds for one that does not exist, as documented:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
func (s *Server) forceDelete(c *caller, id string) (*deleteSecretOutput, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	now := s.opt.Now()
	sec, err := s.lookup(c, id)
	if isNotFound(err) {
		_, name, arn := splitID(c.place, id)
		if arn == "" {
			arn = newARN(c.place, name)
		}
		return &deleteSecretOutput{ARN: arn, Name: name, DeletionDate: date(now)}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := first(sec.mayChange(), sec.mayEnd()); err != nil {
		return nil, err
	}
	if err := s.commit(change{sec, nil}); err != nil {
		return nil, err
	}
	s.happened(SecretEvent{Kind: EndSecretVersionDelete, ARN: sec.ARN, Region: sec.Region})
	return &deleteSecretOutput{ARN: sec.ARN, Name: sec.Name, DeletionDate: date(now)}, nil
}

type onlySecretID struct {
	SecretId *string
}

func (s *Server) restoreSecret(c *caller, in *onlySecretID) (*written, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	restored := false
	sec, err := s.change(c, id, func(sec *secret) error {
		if !sec.deleted() {
			return errUnchanged
		}
		sec.DeleteAt, restored = time.Time{}, true
		return nil
	})
	if err != nil {
		return nil, err
	}
	if restored {
		s.happened(SecretEvent{Kind: CancelSecretVersionDelete, ARN: sec.ARN, Region: sec.Region})
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
	_, err = s.change(c, id, func(sec *secret) error {
		if err := sec.live(); err != nil {
			return err
		}
		tags, err := edit(sec.Tags)
		if err != nil {
			return err
		}
		sec.Tags, sec.Changed = tags, s.opt.Now()
		// "If the completion of this operation would result in you losing your permissions for
		// this secret, then Secrets Manager blocks the operation and returns an Access Denied
		// error": https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_TagResource.html
		return s.authorize(c, id, sec)
	})
	return err
}
