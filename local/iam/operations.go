package iam

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

type operation struct {
	parameters []string
	do         func(*Server, *query) (any, error)
}

// operations by service and action.
//
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html
var operations = map[string]operation{
	"iam:CreateUser":           {[]string{"UserName"}, (*Server).createUser},
	"iam:CreateAccessKey":      {[]string{"UserName"}, (*Server).createAccessKey},
	"iam:ListAccessKeys":       {[]string{"UserName", "Marker", "MaxItems"}, (*Server).listAccessKeys},
	"iam:UpdateAccessKey":      {[]string{"UserName", "AccessKeyId", "Status"}, (*Server).updateAccessKey},
	"iam:DeleteAccessKey":      {[]string{"UserName", "AccessKeyId"}, (*Server).deleteAccessKey},
	"iam:GetAccessKeyLastUsed": {[]string{"AccessKeyId"}, (*Server).getAccessKeyLastUsed},
	"sts:GetCallerIdentity":    {nil, (*Server).getCallerIdentity},
}

var nameForm = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)

func invalid(code, format string, args ...any) error {
	return &apiError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

func noSuch(format string, args ...any) error {
	return &apiError{http.StatusNotFound, "NoSuchEntity", fmt.Sprintf(format, args...)}
}

// user is the one that a call names. Only the function's owner manages keys here:
// the name must be given.
func (s *Server) user(q *query) (*user, error) {
	name := q.form.Get("UserName")
	if !nameForm.MatchString(name) {
		return nil, invalid("ValidationError", "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-")
	}
	u := s.users[name]
	if u == nil {
		return nil, noSuch("The user with name %s cannot be found.", name)
	}
	return u, nil
}

// key is the one of a user that a call names.
func (s *Server) key(q *query) (*key, error) {
	u, err := s.user(q)
	if err != nil {
		return nil, err
	}
	id := q.form.Get("AccessKeyId")
	for _, k := range u.live() {
		if k.id == id {
			return k, nil
		}
	}
	return nil, noSuch("The Access Key with id %.128s cannot be found.", id)
}

func (s *Server) createUser(q *query) (any, error) {
	name := q.form.Get("UserName")
	switch {
	case !nameForm.MatchString(name):
		return nil, invalid("ValidationError", "The specified value for userName is invalid.")
	case s.users[name] != nil:
		return nil, &apiError{http.StatusConflict, "EntityAlreadyExists", "User with name " + name + " already exists."}
	}
	s.users[name] = &user{name: name}
	type made struct {
		UserName, Arn, Path string
		UserID              string `xml:"UserId"`
		CreateDate          time.Time
	}
	return struct{ User made }{made{name, s.arn(name), "/", "AIDA" + strings.ToUpper(name), s.opt.Now().UTC()}}, nil
}

func (s *Server) arn(name string) string { return "arn:aws:iam::" + s.opt.Account + ":user/" + name }

type accessKey struct {
	UserName        string
	AccessKeyID     string `xml:"AccessKeyId"`
	Status          string
	SecretAccessKey string `xml:",omitempty"`
	CreateDate      string
}

func (u *user) tell(k *key) accessKey {
	status := "Inactive"
	if k.active {
		status = "Active"
	}
	return accessKey{UserName: u.name, AccessKeyID: k.id, Status: status, CreateDate: k.created.UTC().Format(time.RFC3339)}
}

func (s *Server) createAccessKey(q *query) (any, error) {
	u, err := s.user(q)
	if err != nil {
		return nil, err
	}
	if len(u.live()) >= maxKeys {
		return nil, &apiError{http.StatusConflict, "LimitExceeded", fmt.Sprintf("Cannot exceed quota for AccessKeysPerUser: %d", maxKeys)}
	}
	k := s.newKey(u)
	told := u.tell(k)
	told.SecretAccessKey = k.secret
	return struct{ AccessKey accessKey }{told}, nil
}

func (s *Server) listAccessKeys(q *query) (any, error) {
	u, err := s.user(q)
	if err != nil {
		return nil, err
	}
	var out struct {
		AccessKeyMetadata struct {
			Member []accessKey `xml:"member"`
		}
		IsTruncated bool
	}
	for _, k := range u.live() {
		out.AccessKeyMetadata.Member = append(out.AccessKeyMetadata.Member, u.tell(k))
	}
	return out, nil
}

func (s *Server) updateAccessKey(q *query) (any, error) {
	k, err := s.key(q)
	if err != nil {
		return nil, err
	}
	switch status := q.form.Get("Status"); status {
	case "Active", "Inactive":
		if active := status == "Active"; active != k.active {
			s.change(k, func() { k.active = active })
		}
		return nil, nil
	}
	return nil, invalid("ValidationError", "Value at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]")
}

func (s *Server) deleteAccessKey(q *query) (any, error) {
	k, err := s.key(q)
	if err != nil {
		return nil, err
	}
	s.change(k, func() { k.deleted = true })
	return nil, nil
}

func (s *Server) getAccessKeyLastUsed(q *query) (any, error) {
	id := q.form.Get("AccessKeyId")
	u, k := s.find(id)
	if k == nil || k.deleted {
		// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html
		return nil, &apiError{http.StatusForbidden, "AccessDenied", "User is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key " + id}
	}
	type used struct {
		LastUsedDate        string `xml:",omitempty"`
		ServiceName, Region string
	}
	out := struct {
		UserName          string
		AccessKeyLastUsed used
	}{u.name, used{ServiceName: "N/A", Region: "N/A"}}
	if !k.used.IsZero() && s.opt.Now().Sub(k.used) >= s.opt.UsedLag {
		out.AccessKeyLastUsed = used{k.used.UTC().Format(time.RFC3339), "sts", "us-east-1"}
	}
	return out, nil
}

// getCallerIdentity verifies the caller's signature: it is what keys are tried with.
func (s *Server) getCallerIdentity(q *query) (any, error) {
	u, k := s.find(q.caller)
	if k == nil || !s.accepted(k) {
		return nil, &apiError{http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid."}
	}
	if err := q.signedWith(k.secret); err != nil {
		return nil, err
	}
	k.used = s.opt.Now()
	return struct {
		Arn     string
		UserID  string `xml:"UserId"`
		Account string
	}{s.arn(u.name), "AIDAEXAMPLE", s.opt.Account}, nil
}
