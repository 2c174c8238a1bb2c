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
}

// written is the reply of the operations that write to a secret.
type written struct {
	ARN           string
	Name          string
	VersionId     string   `json:",omitempty"`
	VersionStages []string `json:",omitempty"`
}

func (s *Server) createSecret(c *caller, in *createSecretInput) (*written, error) {
	if in.Name == nil {
		return nil, missing("Name")
	}
	if err := first(length("Name", in.Name, 1, 512), length("Description", in.Description, 0, 2048)); err != nil {
		return nil, err
	}
	if !nameForm.MatchString(*in.Name) {
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
	tags, err := tagged(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	now := s.opt.Now()
	s.mu.RLock()
	old := s.regions[c.region][*in.Name]
	s.mu.RUnlock()
	if old != nil && !old.gone(now) {
		return recreated(old, token, v)
	}
	sec := &secret{
		Record: newRecord(), Region: c.region, Name: *in.Name, ARN: newARN(c.region, s.opt.Account, *in.Name),
		Description: deref(in.Description), Tags: tags, CreateToken: token, Created: now, Changed: now,
	}
	out := &written{ARN: sec.ARN, Name: sec.Name}
	if v != nil {
		sec.add(token, v, now).attach(current)
		out.VersionId = token
	}
	return out, s.replace(old, sec)
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
