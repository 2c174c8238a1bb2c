package cloudtrail

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"
)

// Identity is who made a call:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type Identity struct {
	Type           string          `json:"type,omitempty"` // none in service events
	PrincipalID    string          `json:"principalId,omitempty"`
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *SessionContext `json:"sessionContext,omitempty"`
	InvokedBy      string          `json:"invokedBy,omitempty"`
}

// SessionContext is the role behind temporary credentials.
type SessionContext struct {
	SessionIssuer SessionIssuer     `json:"sessionIssuer"`
	Attributes    SessionAttributes `json:"attributes"`
}

// SessionIssuer is the role itself.
type SessionIssuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName"`
}

// SessionAttributes tell when the session began, and how. CloudTrail writes the flag as text.
type SessionAttributes struct {
	CreationDate     time.Time `json:"creationDate"`
	MFAAuthenticated string    `json:"mfaAuthenticated"`
}

// DefaultPrincipal names a caller by its access key id. Ids of the form that IAM gives say
// what they are: AKIA… is a user's, ASIA… a role's session. Any other id is taken for a
// user's name, "root" for the account's root, and one such as lambda.amazonaws.com for a
// service. No id is no principal.
func DefaultPrincipal(account, accessKeyID, region string) string {
	name := strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r == ':' || r > '~' {
			return '_'
		}
		return r
	}, accessKeyID)
	p := partition(region)
	switch {
	case name == "" || strings.HasSuffix(name, ".amazonaws.com"):
		return name
	case name == "root":
		return fmt.Sprintf("arn:%s:iam::%s:root", p, account)
	case strings.HasPrefix(name, "ASIA") && len(name) == 20:
		return fmt.Sprintf("arn:%s:sts::%s:assumed-role/local/%s", p, account, name)
	}
	return fmt.Sprintf("arn:%s:iam::%s:user/%s", p, account, name)
}

// identify makes the identity of a principal: the ARN of a user, a role, a role's session or
// an account's root, or the name of a service.
func identify(principal, accessKeyID string, begun time.Time) Identity {
	if strings.HasSuffix(principal, ".amazonaws.com") && !strings.HasPrefix(principal, "arn:") {
		return Identity{Type: "AWSService", InvokedBy: principal}
	}
	part := strings.SplitN(principal, ":", 6)
	if len(part) != 6 || part[0] != "arn" {
		return Identity{Type: "Unknown", AccessKeyID: accessKeyID}
	}
	id := Identity{ARN: principal, AccountID: part[4], AccessKeyID: accessKeyID}
	kind, rest, _ := strings.Cut(part[5], "/")
	switch kind {
	case "root":
		id.Type, id.PrincipalID = "Root", id.AccountID
	case "user":
		id.Type, id.UserName = "IAMUser", rest[strings.LastIndexByte(rest, '/')+1:]
		id.PrincipalID = uniqueID("AIDA", principal)
	case "role": // a role acts through sessions only
		name := rest[strings.LastIndexByte(rest, '/')+1:]
		id.ARN = fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/local", part[1], id.AccountID, name)
		id.assume(principal, name, "local", begun)
	case "assumed-role":
		name, session, _ := strings.Cut(rest, "/")
		id.assume(fmt.Sprintf("arn:%s:iam::%s:role/%s", part[1], id.AccountID, name), name, session, begun)
	default:
		id.Type = "Unknown"
	}
	return id
}

func (id *Identity) assume(role, name, session string, begun time.Time) {
	issuer := SessionIssuer{Type: "Role", PrincipalID: uniqueID("AROA", role), ARN: role, AccountID: id.AccountID, UserName: name}
	id.Type, id.PrincipalID = "AssumedRole", issuer.PrincipalID+":"+session
	id.SessionContext = &SessionContext{
		SessionIssuer: issuer,
		Attributes:    SessionAttributes{CreationDate: begun.UTC().Truncate(time.Second), MFAAuthenticated: "false"},
	}
}

// uniqueID is of the form that IAM gives, and always the same for one ARN:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func uniqueID(prefix, arn string) string {
	sum := sha256.Sum256([]byte(arn))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
