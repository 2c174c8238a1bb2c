package secretsmanager

import (
	"crypto/rand"
	"encoding/hex"
)

type createSecretInput struct {
	Name               *string
	ClientRequestToken *string
	Description        *string
	SecretString       *string
	SecretBinary       []byte
	Tags               []tag
	KmsKeyId           *string

	AddReplicaRegions           []replicaRegion
	ForceOverwriteReplicaSecret *bool
}

// written is the reply of the operations that write to a secret.
type written struct {
	ARN           string
	Name          string
	VersionId     string   `json:",omitempty"`
	VersionStages []string `json:",omitempty"`

	ReplicationStatus []replicationStatus `json:",omitempty"`
}

func (s *Server) createSecret(c *caller, in *createSecretInput) (*written, error) {
	if in.Name == nil {
		return nil, missing("Name")
	}
	if err := first(length("Name", in.Name, 1, 512), length("Description", in.Description, 0, 2048)); err != nil {
		return nil, err
	}
	if !validName(*in.Name) {
		return nil, errName()
	}
	token, err := requestToken(in.ClientRequestToken, invalidRequest)
	if err != nil {
		return nil, err
	}
	v, err := secretValue(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	sec, err := s.drawUp(c, in, token)
	if err != nil {
		return nil, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	old := s.kept(c.place, sec.Name)
	if old != nil && !old.gone(sec.Created) {
		c.secret = old
		out, err := recreated(old, token, v)
		if err == nil {
			out.ReplicationStatus = s.replicationStatus(old)
		}
		return out, err
	}
	out := &written{ARN: sec.ARN, Name: sec.Name}
	if v != nil {
		sec.add(token, v, sec.Created).attach(current)
		out.VersionId = token
	}
	c.secret = sec
	if err := s.commit(append(s.spread(sec), change{old, sec})...); err != nil {
		return nil, err
	}
	out.ReplicationStatus = s.begun(sec, in.AddReplicaRegions)
	return out, nil
}

// drawUp makes a secret without a value.
func (s *Server) drawUp(c *caller, in *createSecretInput, token string) (*secret, error) {
	tags, err := tagged(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	if err := first(s.kmsKey(in.KmsKeyId, c.region), s.replicaRegions(in.AddReplicaRegions, c.region)); err != nil {
		return nil, err
	}
	if in.AddReplicaRegions != nil {
		if err := atLeastOne("AddReplicaRegions", in.AddReplicaRegions); err != nil {
			return nil, err
		}
	}
	now := s.opt.Now()
	sec := &secret{
		Record: newRecord(), Account: c.account, Region: c.region, Name: *in.Name, ARN: newARN(c.place, *in.Name), KmsKeyId: deref(in.KmsKeyId),
		Description: deref(in.Description), Tags: tags, CreateToken: token, Created: now, Changed: now,
	}
	sec.replicateTo(in.AddReplicaRegions, deref(in.ForceOverwriteReplicaSecret))
	return sec, nil
}

// recreated answers CreateSecret for a name that is taken: with success if this is the same
// request again, whose reply may have been lost.
func recreated(old *secret, token string, v *value) (*written, error) {
	if old.deleted() {
		return nil, invalidRequest("You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	if v == nil && old.CreateToken == token && len(old.Versions) == 0 {
		return &written{ARN: old.ARN, Name: old.Name}, nil
	}
	ver := old.version(token)
	switch {
	case ver == nil || v == nil:
		return nil, apiErr("ResourceExistsException", "The operation failed because the secret %s already exists.", old.Name)
	case !ver.value.equal(v):
		return nil, errTokenUsed(token, old.ARN)
	}
	return &written{ARN: old.ARN, Name: old.Name, VersionId: token}, nil
}

func newRecord() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
