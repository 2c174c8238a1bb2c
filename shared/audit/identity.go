package audit

import "strings"

// Identity is who really acted: for a session, the role behind it and the session's name.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type Identity struct {
	Type           string `json:"type,omitempty"`           // AssumedRole, IAMUser, Root, AWSService, FederatedUser, …; empty in service events
	Principal      string `json:"principal,omitempty"`      // who to compare and count: the ARN of the role or user, or a service's name
	ARN            string `json:"arn,omitempty"`            // as recorded, with the session
	Name           string `json:"name,omitempty"`           // of the role or the user
	Session        string `json:"session,omitempty"`        // of a role
	Account        string `json:"account,omitempty"`        // of the caller
	InvokedBy      string `json:"invokedBy,omitempty"`      // the service that called on the caller's behalf
	SourceIdentity string `json:"sourceIdentity,omitempty"` // who assumed the role first, if that was recorded
	Provider       string `json:"provider,omitempty"`       // of a federated identity
	AccessKeyID    string `json:"accessKeyId,omitempty"`    // of IAM's form only
}

// String is the identity for people: "role app, session i-0abc", "user alice", "root",
// or a service's name. It is never empty.
func (i Identity) String() string {
	var who string
	switch {
	case i.Type == "Root":
		who = "root"
	case i.Session != "":
		who = "role " + i.Name + ", session " + i.Session
	case i.Name != "" && strings.HasPrefix(i.Type, "IAMUser"):
		who = "user " + i.Name
	case i.Name != "":
		who = i.Name
	case i.Principal != "":
		who = i.Principal
	case i.InvokedBy != "":
		return i.InvokedBy
	default:
		return "an unknown caller"
	}
	if i.SourceIdentity != "" {
		who += " (" + i.SourceIdentity + ")"
	}
	return who
}

// isService says whether a service of AWS acted by itself: no caller of the account can take
// such an identity. What a service does in a caller's name has the caller's.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html
func (i *Identity) isService() bool {
	return i.Type == "AWSService" || strings.Contains(i.Principal, ":role/aws-service-role/")
}

// names are those by which the caller may be known, empty ones included: the principal, a role
// also without its path, which not every record tells and not everyone writes; and the service
// that called in the caller's name.
func (i *Identity) names() [3]string {
	names := [3]string{i.Principal, i.InvokedBy}
	const kind = ":role/"
	at, last := strings.Index(i.Principal, kind), strings.LastIndexByte(i.Principal, '/')
	if at >= 0 && last > at+len(kind) {
		names[2] = i.Principal[:at+len(kind)] + i.Principal[last+1:]
	}
	return names
}
