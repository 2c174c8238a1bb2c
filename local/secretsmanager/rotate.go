package secretsmanager

import (
	"time"

	"github.com/rekey-aws/rekey/shared/schedule"
)

// rotationConfig is a secret's rotation as RotateSecret left it.
type rotationConfig struct {
	Enabled     bool
	FunctionARN string
	Rules       *rotationRules  `json:",omitempty"`
	Last        time.Time       // the end of the last rotation that succeeded
	Next        schedule.Window // zero without rules
}

// plan sets the next window, counted from a rotation at t.
func (r *rotationConfig) plan(t time.Time) {
	r.Next = schedule.Window{}
	if r.Rules == nil {
		return
	}
	if sched, err := r.Rules.schedule(); err == nil { // checked when it was set
		r.Next = sched.After(t)
	}
}

// rotatedByHand moves the next rotation of a secret that rotates every so many days, since
// "manually updating the secret value … is considered a valid rotation":
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
func (s *secret) rotatedByHand(now time.Time) {
	if r := s.Rotation; r != nil && r.Enabled && r.Rules != nil && r.Rules.AutomaticallyAfterDays != nil {
		r.plan(now)
	}
}

// inFlight is a rotation that has begun and not ended. It is kept with the secret, so that a
// server that stops takes it up again.
type inFlight struct {
	Token string
	Test  bool // only testSecret, on a copy of the current value that is then removed
}

type rotateSecretInput struct {
	SecretId           *string
	ClientRequestToken *string
	RotationLambdaARN  *string
	RotationRules      *rotationRules
	RotateImmediately  *bool
}

func (s *Server) rotateSecret(c *caller, in *rotateSecretInput) (*written, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	token, err := requestToken(in.ClientRequestToken, invalidParameter)
	if err != nil {
		return nil, err
	}
	if err := length("RotationLambdaARN", in.RotationLambdaARN, 0, 2048); err != nil {
		return nil, err
	}
	if in.RotationRules != nil {
		if _, err := in.RotationRules.schedule(); err != nil {
			return nil, err
		}
	}
	function, err := s.rotationFunction(c, id, deref(in.RotationLambdaARN))
	if err != nil {
		return nil, err
	}
	test := in.RotateImmediately != nil && !*in.RotateImmediately
	sec, err := s.changeAndStart(c, id, func(sec *secret) error {
		if err := sec.live(); err != nil {
			return err
		}
		if err := sec.mayRotate(token, test); err != nil {
			return err
		}
		if sec.Rotation == nil {
			sec.Rotation = &rotationConfig{}
		}
		sec.Rotation.Enabled, sec.Rotation.FunctionARN = true, function
		if in.RotationRules != nil {
			sec.Rotation.Rules = in.RotationRules
		}
		sec.Rotation.plan(s.opt.Now())
		sec.begin(token, test, s.opt.Now())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &written{ARN: sec.ARN, Name: sec.Name, VersionId: token}, nil
}

// rotationFunction is the function to rotate with: the one named, or the one configured. The
// texts are AWS's, as recorded in public issues.
func (s *Server) rotationFunction(c *caller, id, named string) (string, error) {
	sec, err := s.lookup(c, id)
	if err != nil {
		return "", err
	}
	if err := first(sec.mayChange(), sec.live()); err != nil {
		return "", err
	}
	if named == "" {
		if sec.Rotation == nil || sec.Rotation.FunctionARN == "" {
			return "", invalidRequest("No Lambda rotation function ARN is associated with this secret.")
		}
		named = sec.Rotation.FunctionARN
	}
	if s.opt.Invoker == nil || !s.opt.Invoker.Has(named) {
		return "", apiErr("AccessDeniedException", "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.")
	}
	return named, nil
}

// mayRotate says whether a rotation with this token may begin: not while one with another
// token is pending. A rotation that runs, or that has ended well, is not begun again with
// its own token (errUnchanged); one that failed is.
func (s *secret) mayRotate(token string, test bool) error {
	if s.InFlight != nil && s.InFlight.Token == token {
		return errUnchanged
	}
	p := s.holder(pending)
	// A test ends by removing its version, so it never takes over a pending one.
	if s.InFlight != nil || p != nil && !p.has(current) && (p.ID != token || test) {
		return invalidRequest("A previous rotation isn't complete. That rotation will be reattempted.")
	}
	v := s.version(token)
	switch {
	case v == nil, v.has(pending) && !v.has(current):
		return nil
	case v.has(current):
		return errUnchanged
	}
	return invalidRequest("You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", token, s.ARN)
}

// begin makes the version that a rotation is about, and marks the rotation as in flight. The
// version has no value: the function's createSecret puts it there. A test's has the current one.
func (s *secret) begin(token string, test bool, now time.Time) {
	v := s.version(token)
	if v == nil {
		v = s.add(token, nil, now)
	}
	if cur := s.holder(current); test && cur != nil {
		v.value = cur.value
	}
	s.label(pending, v)
	s.InFlight = &inFlight{Token: token, Test: test}
	s.Changed = now
	s.prune(now)
}

// cancelRotateSecret turns rotation off. A rotation in flight ends after the step it is in,
// and leaves AWSPENDING where it is, as documented:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CancelRotateSecret.html
func (s *Server) cancelRotateSecret(c *caller, in *onlySecretID) (*written, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	out := &written{}
	sec, err := s.changeLocked(c, id, func(sec *secret) error {
		if err := sec.live(); err != nil {
			return err
		}
		if sec.Rotation == nil {
			return invalidRequest("You tried to cancel the rotation of a secret that was never configured for rotation.")
		}
		if p := sec.holder(pending); p != nil && !p.has(current) {
			out.VersionId = p.ID
		}
		sec.Rotation.Enabled, sec.Rotation.Next, sec.InFlight = false, schedule.Window{}, nil
		sec.Changed = s.opt.Now()
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.rotations.abandon(sec.ARN)
	out.ARN, out.Name = sec.ARN, sec.Name
	return out, nil
}
