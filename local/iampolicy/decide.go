package iampolicy

import "strings"

// Request is what a policy decides on. Keys are the condition keys that have values, their
// names in lower case.
type Request struct {
	Principal string // the caller's ARN
	Account   string // that the caller belongs to
	Action    string // service:Operation
	Resource  string // its ARN
	Keys      map[string][]string
}

// Decision is what a policy says of a request.
type Decision int

// The decisions. A denial outweighs what is allowed.
const (
	Neither Decision = iota
	Allowed
	Denied
)

// Decide evaluates the policy.
func (p *Policy) Decide(r Request) Decision {
	decision := Neither
	for _, st := range p.statements {
		if !st.applies(r) {
			continue
		}
		if st.deny {
			return Denied
		}
		decision = Allowed
	}
	return decision
}

func (st *statement) applies(r Request) bool {
	if !st.actions.match(r.Action, true) || !st.resources.match(r.Resource, false) || !st.principals.names(r) {
		return false
	}
	for _, c := range st.conditions {
		if !c.met(r.Keys) {
			return false
		}
	}
	return true
}

func (p patterns) match(s string, anyCase bool) bool {
	for _, pattern := range p.list {
		if anyCase && like(strings.ToLower(pattern), strings.ToLower(s)) || !anyCase && like(pattern, s) {
			return !p.not
		}
	}
	return p.not
}

// names says whether the caller is among the principals.
func (p patterns) names(r Request) bool {
	for _, principal := range p.list {
		if isPrincipal(principal, r) {
			return !p.not
		}
	}
	return p.not
}

// isPrincipal says whether a principal of a policy stands for the caller: everyone, their
// account, themselves, or the role that their session is of.
func isPrincipal(principal string, r Request) bool {
	switch {
	case principal == "*", principal == r.Principal, principal == r.Account:
		return true
	case strings.HasSuffix(principal, ":iam::"+r.Account+":root"):
		return true
	}
	role := RoleOf(r.Principal)
	if role == r.Principal || !strings.Contains(principal, ":role/") {
		return false
	}
	// The ARN of a session has the role's name without its path.
	return accountOf(principal) == accountOf(role) && lastPart(principal) == lastPart(role)
}

// RoleOf is the ARN of the role that a session's ARN is of, and any other ARN unchanged. It is
// the value of aws:PrincipalArn; the path of the role is not known from the session.
func RoleOf(principal string) string {
	head, session, found := strings.Cut(principal, ":assumed-role/")
	if !found {
		return principal
	}
	role, _, _ := strings.Cut(session, "/")
	return strings.Replace(head, ":sts:", ":iam:", 1) + ":role/" + role
}

func accountOf(arn string) string {
	if part := strings.Split(arn, ":"); len(part) > 4 {
		return part[4]
	}
	return ""
}

func lastPart(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// DeniesAll says whether the policy denies an action to everyone, under no condition.
func (p *Policy) DeniesAll(action, resource string) bool {
	for _, st := range p.statements {
		if st.deny && len(st.conditions) == 0 && st.everyone() && st.actions.match(action, true) && st.resources.match(resource, false) {
			return true
		}
	}
	return false
}

func (st *statement) everyone() bool {
	for _, p := range st.principals.list {
		if p == "*" {
			return !st.principals.not
		}
	}
	return false
}

// Public says whether the policy gives broad access: whether a statement allows something to
// everyone, or to all but some, and no condition holds it to fixed callers or networks. It
// looks at each statement alone: what another one denies again does not count, where AWS's
// automated reasoning would see it.
func (p *Policy) Public() bool {
	for _, st := range p.statements {
		if st.deny || !st.everyone() && !st.principals.not {
			continue
		}
		if !st.confined() {
			return true
		}
	}
	return false
}

func (st *statement) confined() bool {
	for _, c := range st.conditions {
		if c.confines() {
			return true
		}
	}
	return false
}

// like matches * and ? as policies do.
func like(pattern, s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, mark = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == s[i]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(pattern) && pattern[j] == '*' {
		j++
	}
	return j == len(pattern)
}
