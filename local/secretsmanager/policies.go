package secretsmanager

import (
	"errors"

	"github.com/rekey-aws/rekey/local/iampolicy"
)

type putResourcePolicyInput struct {
	SecretId          *string
	ResourcePolicy    *string
	BlockPublicPolicy *bool
}

type resourcePolicyOutput struct {
	ARN            string
	Name           string
	ResourcePolicy string `json:",omitempty"`
}

// Texts of the service about policies:
// https://github.com/awsdocs/aws-secrets-manager-user-guide, manage_secret-policy.md.
const (
	textSyntax    = "This resource policy contains a syntax error."
	textPrincipal = "This resource policy contains an unsupported principal."
	textPublic    = "You can't attach a resource-based policy that allows broad access to the secret."
	textLockOut   = "Your requested changes will not allow you to manage this secret in the future."
)

func (s *Server) putResourcePolicy(c *caller, in *putResourcePolicyInput) (*resourcePolicyOutput, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := policyLength(in.ResourcePolicy); err != nil {
		return nil, err
	}
	sec, err := s.change(c, id, func(sec *secret) error {
		if err := sec.live(); err != nil {
			return err
		}
		policy, err := parsePolicy(*in.ResourcePolicy)
		if err != nil {
			return err
		}
		if deref(in.BlockPublicPolicy) && policy.Public() {
			return apiErr("PublicPolicyException", textPublic)
		}
		sec.Policy, sec.policy, sec.Changed = *in.ResourcePolicy, policy, s.opt.Now()
		if !s.mayManage(c, sec) {
			return apiErr("MalformedPolicyDocumentException", textLockOut)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &resourcePolicyOutput{ARN: sec.ARN, Name: sec.Name}, nil
}

func policyLength(policy *string) error {
	if policy == nil {
		return missing("ResourcePolicy")
	}
	return length("ResourcePolicy", policy, 1, 20480)
}

// parsePolicy reads a policy. What AWS would take and this stand-in does not enforce is
// refused: a policy that seems to protect and does not would be worse than none.
func parsePolicy(document string) (*iampolicy.Policy, error) {
	policy, err := iampolicy.Parse(document, conditionKeys)
	var not *iampolicy.UnsupportedError
	switch {
	case errors.As(err, &not):
		return nil, unsupported(not.Error())
	case errors.Is(err, iampolicy.ErrPrincipal):
		return nil, apiErr("MalformedPolicyDocumentException", "%s (%v)", textPrincipal, err)
	case err != nil:
		return nil, apiErr("MalformedPolicyDocumentException", "%s (%v)", textSyntax, err)
	}
	return policy, nil
}

func (s *Server) getResourcePolicy(c *caller, in *onlySecretID) (*resourcePolicyOutput, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	sec, err := s.lookup(c, id)
	if err != nil {
		return nil, err
	}
	if err := sec.live(); err != nil {
		return nil, err
	}
	return &resourcePolicyOutput{ARN: sec.ARN, Name: sec.Name, ResourcePolicy: sec.Policy}, nil
}

func (s *Server) deleteResourcePolicy(c *caller, in *onlySecretID) (*resourcePolicyOutput, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	sec, err := s.change(c, id, func(sec *secret) error {
		if err := sec.live(); err != nil {
			return err
		}
		sec.Policy, sec.policy, sec.Changed = "", nil, s.opt.Now()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &resourcePolicyOutput{ARN: sec.ARN, Name: sec.Name}, nil
}

type validateResourcePolicyInput struct {
	SecretId       *string
	ResourcePolicy *string
}

type validateResourcePolicyOutput struct {
	PolicyValidationPassed bool
	ValidationErrors       []validationError
}

type validationError struct {
	CheckName    string
	ErrorMessage string
}

// validateResourcePolicy makes the three checks of
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ValidateResourcePolicy.html:
// syntax, broad access, and whether the caller would lock themselves out. AWS's names of the
// checks are not recorded.
func (s *Server) validateResourcePolicy(c *caller, in *validateResourcePolicyInput) (*validateResourcePolicyOutput, error) {
	if err := policyLength(in.ResourcePolicy); err != nil {
		return nil, err
	}
	sec := &secret{Account: c.account, Region: c.region, ARN: newARN(c.place, "any")}
	if in.SecretId != nil {
		id, err := secretID(in.SecretId)
		if err != nil {
			return nil, err
		}
		if sec, err = s.lookup(c, id); err != nil {
			return nil, err
		}
		sec = sec.clone()
	}
	out := &validateResourcePolicyOutput{ValidationErrors: []validationError{}}
	fail := func(check, why string) {
		out.ValidationErrors = append(out.ValidationErrors, validationError{check, why})
	}
	policy, err := parsePolicy(*in.ResourcePolicy)
	switch errorCode(err) {
	case "":
		if policy.Public() {
			fail("BROAD_ACCESS", textPublic)
		}
		if sec.policy = policy; !s.mayManage(c, sec) {
			fail("LOCKOUT", textLockOut)
		}
	case "MalformedPolicyDocumentException":
		fail("SYNTAX", errorMessage(err))
	default:
		return nil, err
	}
	out.PolicyValidationPassed = len(out.ValidationErrors) == 0
	return out, nil
}
