package lambdaapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// policy is the resource policy of a function, or of one of its versions and aliases.
type policy struct {
	revision   int
	statements []statement
}

type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// secretsManager is the service that every function here lets invoke it, as those that are
// deployed do.
const secretsManager = "secretsmanager.amazonaws.com"

// of is the policy of an ARN. Until it is changed it is what the deployment gives. The caller
// holds s.mu.
func (s *Server) of(c *call) *policy {
	if p, changed := s.policies[c.arn]; changed {
		return p
	}
	account := strings.Split(c.arn, ":")[4]
	return &policy{revision: 1, statements: []statement{{
		Sid: "InvokedBySecretsManager", Effect: "Allow", Principal: map[string]string{"Service": secretsManager},
		Action: "lambda:InvokeFunction", Resource: c.arn,
		Condition: map[string]map[string]string{"StringEquals": {"AWS:SourceAccount": account}},
	}}}
}

// RotationAllowed reports whether the policy of a function, by its name or ARN, lets Secrets
// Manager invoke it. Of a function that is not there it is false.
func (s *Server) RotationAllowed(function string) bool {
	f, arn, err := s.opt.Functions.Find(function)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.of(&call{function: f, arn: arn}).statements, func(st statement) bool {
		service, ok := st.Principal.(map[string]string)
		return ok && service["Service"] == secretsManager && st.Action == "lambda:InvokeFunction"
	})
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html
func (s *Server) getPolicy(c *call) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.of(c)
	if len(p.statements) == 0 {
		return &reply{err: refuse("ResourceNotFoundException", "The resource you requested does not exist.")}
	}
	document := encode(map[string]any{"Version": "2012-10-17", "Id": "default", "Statement": p.statements})
	return &reply{body: encode(map[string]string{"Policy": string(document), "RevisionId": strconv.Itoa(p.revision)})}
}

// permission is the body of AddPermission, without what the stand-in does not know.
type permission struct {
	StatementID   string `json:"StatementId"`
	Action        string
	Principal     string
	SourceAccount string
	SourceArn     string
}

var (
	statementID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	actionName  = regexp.MustCompile(`^(lambda:[*]|lambda:[A-Za-z]+|[*])$`)
	service     = regexp.MustCompile(`^[a-z0-9.-]+\.amazonaws\.com(\.cn)?$`)
	account     = regexp.MustCompile(`^[0-9]{12}$`)
)

// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
func (s *Server) addPermission(c *call) *reply {
	var in permission
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return &reply{err: refuse("InvalidParameterValueException", "the stand-in does not take this: %v", err)}
	}
	st := statement{Sid: in.StatementID, Effect: "Allow", Action: in.Action, Resource: c.arn}
	switch {
	case !statementID.MatchString(in.StatementID):
		return &reply{err: refuse("InvalidParameterValueException", "StatementId must be 1 to 100 letters, digits, hyphens and underscores.")}
	case !actionName.MatchString(in.Action):
		return &reply{err: refuse("InvalidParameterValueException", "Action must be one of Lambda's, such as lambda:InvokeFunction.")}
	case service.MatchString(in.Principal):
		st.Principal = map[string]string{"Service": in.Principal}
	case account.MatchString(in.Principal):
		st.Principal = map[string]string{"AWS": "arn:aws:iam::" + in.Principal + ":root"}
	default:
		return &reply{err: refuse("InvalidParameterValueException", "The provided principal was invalid. Please check the principal and try again.")}
	}
	if in.SourceAccount != "" {
		st.condition("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	}
	if in.SourceArn != "" {
		st.condition("ArnLike", "AWS:SourceArn", in.SourceArn)
	}
	return s.change(c, func(p *policy) error {
		if slices.ContainsFunc(p.statements, func(have statement) bool { return have.Sid == st.Sid }) {
			return refuse("ResourceConflictException", "The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", st.Sid)
		}
		p.statements = append(p.statements, st)
		return nil
	}, &reply{status: http.StatusCreated, body: encode(map[string]string{"Statement": string(encode(st))})})
}

func (st *statement) condition(operator, key, value string) {
	if st.Condition == nil {
		st.Condition = map[string]map[string]string{}
	}
	st.Condition[operator] = map[string]string{key: value}
}

// https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html
func (s *Server) removePermission(c *call) *reply {
	sid := c.request.PathValue("Statement")
	return s.change(c, func(p *policy) error {
		n := len(p.statements)
		p.statements = slices.DeleteFunc(p.statements, func(st statement) bool { return st.Sid == sid })
		if len(p.statements) == n {
			return refuse("ResourceNotFoundException", "Statement %.100s is not found in resource policy.", sid)
		}
		return nil
	}, &reply{status: http.StatusNoContent})
}

// change changes a policy, if the call was made of the revision that it has.
func (s *Server) change(c *call, how func(*policy) error, done *reply) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.of(c)
	if asked := c.request.URL.Query().Get("RevisionId"); cmp.Or(asked, strconv.Itoa(old.revision)) != strconv.Itoa(old.revision) {
		return &reply{err: refuse("PreconditionFailedException", "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the latest RevisionId.")}
	}
	p := &policy{revision: old.revision + 1, statements: slices.Clone(old.statements)}
	if err := how(p); err != nil {
		return &reply{err: err}
	}
	s.policies[c.arn] = p
	return done
}
