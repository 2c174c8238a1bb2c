// Package iampolicy reads and evaluates resource-based policies of AWS: statements that allow
// or deny actions to principals under conditions. What it does not evaluate it refuses to
// read, since a policy that seems to protect and does not is worse than none.
//
// The language: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
package iampolicy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Policy is a policy that was read. It is never changed.
type Policy struct{ statements []statement }

// ErrPrincipal is a policy that names a principal of no known form.
var ErrPrincipal = errors.New("unsupported principal")

// UnsupportedError is a policy that AWS may accept, and this package does not evaluate.
type UnsupportedError struct{ What string }

// Error names the part of the policy, as something that is not supported.
func (e *UnsupportedError) Error() string { return e.What }

type statement struct {
	deny       bool
	principals patterns
	actions    patterns
	resources  patterns
	conditions []condition
}

// patterns is a list with wildcards, or all that is not in the list.
type patterns struct {
	list []string
	not  bool
}

// document is a policy as it is written. Unknown members are syntax errors.
type document struct {
	Version   string
	ID        string `json:"Id"`
	Statement many[written]
}

type written struct {
	Sid                     string
	Effect                  string
	Principal, NotPrincipal *principals
	Action, NotAction       many[string]
	Resource, NotResource   many[string]
	Condition               map[string]map[string]many[scalar]
}

// many is one value or a list of them.
type many[T any] []T

func (m *many[T]) UnmarshalJSON(text []byte) error {
	if text[0] == '[' {
		return strict(text, (*[]T)(m))
	}
	*m = make([]T, 1)
	return strict(text, &(*m)[0])
}

// scalar is a string; numbers and booleans count as what they are written as.
type scalar string

func (s *scalar) UnmarshalJSON(text []byte) error {
	switch text[0] {
	case '"':
		return json.Unmarshal(text, (*string)(s))
	case '{', '[', 'n':
		return errors.New("a condition has a value that is no string, number or boolean")
	}
	*s = scalar(text)
	return nil
}

// principals is "*", or principals by type.
type principals []string

func (p *principals) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		var all string
		if err := json.Unmarshal(text, &all); err != nil || all != "*" {
			return errors.New(`a principal is a string other than "*"`)
		}
		*p = principals{"*"}
		return nil
	}
	var byType map[string]many[string]
	if err := strict(text, &byType); err != nil {
		return err
	}
	for kind, list := range byType {
		if kind != "AWS" && kind != "Service" && kind != "Federated" && kind != "CanonicalUser" {
			return fmt.Errorf("the type of principal %q does not exist", kind)
		}
		*p = append(*p, list...)
	}
	if len(*p) == 0 {
		return errors.New("a statement names no principal")
	}
	return nil
}

func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// Parse reads a policy. The condition keys it may use are those that known accepts. The error
// is an [*UnsupportedError], or says what is wrong with the policy's syntax.
func Parse(text string, known func(key string) bool) (*Policy, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	var doc document
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the policy")
	}
	switch {
	case doc.Version != "" && doc.Version != "2012-10-17" && doc.Version != "2008-10-17":
		return nil, fmt.Errorf("the Version is %q, not 2012-10-17", doc.Version)
	case len(doc.Statement) == 0:
		return nil, errors.New("there is no Statement")
	}
	p := &Policy{}
	for i := range doc.Statement {
		st, err := doc.Statement[i].read(known)
		if err != nil {
			return nil, err
		}
		p.statements = append(p.statements, st)
	}
	return p, nil
}

func (w *written) read(known func(string) bool) (statement, error) {
	st := statement{deny: w.Effect == "Deny"}
	if w.Effect != "Allow" && w.Effect != "Deny" {
		return st, fmt.Errorf("the Effect is %q, not Allow or Deny", w.Effect)
	}
	var err error
	if st.actions, err = oneOf("Action", w.Action, w.NotAction); err != nil {
		return st, err
	}
	for _, action := range st.actions.list {
		if service, name, found := strings.Cut(action, ":"); action != "*" && (!found || service == "" || name == "") {
			return st, fmt.Errorf("the Action %q is not of the form service:operation", action)
		}
	}
	if st.resources, err = oneOf("Resource", w.Resource, w.NotResource); err != nil {
		return st, err
	}
	for _, resource := range st.resources.list {
		if resource != "*" && !strings.HasPrefix(resource, "arn:") {
			return st, fmt.Errorf("the Resource %q is no ARN", resource)
		}
	}
	var in, out []string
	if w.Principal != nil {
		in = *w.Principal
	}
	if w.NotPrincipal != nil {
		out = *w.NotPrincipal
	}
	if st.principals, err = oneOf("Principal", in, out); err != nil {
		return st, err
	}
	if err := checkPrincipals(st.principals.list); err != nil {
		return st, err
	}
	for _, list := range [][]string{st.actions.list, st.resources.list, st.principals.list} {
		for _, s := range list {
			if strings.Contains(s, "${") {
				return st, &UnsupportedError{fmt.Sprintf("the policy variable in %q", s)}
			}
		}
	}
	st.conditions, err = readConditions(w.Condition, known)
	return st, err
}

func oneOf(name string, in, out []string) (patterns, error) {
	switch {
	case len(in) > 0 && len(out) > 0:
		return patterns{}, fmt.Errorf("a statement has both %s and Not%s", name, name)
	case len(in) == 0 && len(out) == 0:
		return patterns{}, fmt.Errorf("a statement has no %s", name)
	case len(out) > 0:
		return patterns{list: out, not: true}, nil
	}
	return patterns{list: in}, nil
}

// checkPrincipals refuses principals of no known form: a wildcard stands alone, never in a
// part of an ARN, as https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html says.
func checkPrincipals(list []string) error {
	for _, p := range list {
		arn := strings.HasPrefix(p, "arn:") && (strings.Contains(p, ":iam::") || strings.Contains(p, ":sts::"))
		service := strings.HasSuffix(p, ".amazonaws.com") || strings.HasSuffix(p, ".amazonaws.com.cn")
		if p != "*" && (!arn && !isAccount(p) && !service || strings.ContainsAny(p, "*?")) {
			return fmt.Errorf("%w: %q", ErrPrincipal, p)
		}
	}
	return nil
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}
