package review

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// narrowing are the condition keys that say whose principals a statement for everyone means.
var narrowing = []string{
	"aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:PrincipalArn", "aws:SourceAccount", "aws:SourceArn", "kms:CallerAccount",
}

// policies looks for statements wherever policies stand in a resource.
func (r *reviewer) policies(id, at string, value any) {
	switch v := value.(type) {
	case map[string]any:
		if _, ok := v["Statement"]; ok && v["Version"] != nil {
			for i, s := range list(v["Statement"]) {
				if statement, ok := s.(map[string]any); ok {
					r.statement(id, fmt.Sprintf("%s.Statement.%d", at, i), statement)
				}
			}
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			r.policies(id, at+"."+key, v[key])
		}
	case []any:
		for i, one := range v {
			r.policies(id, fmt.Sprintf("%s.%d", at, i), one)
		}
	}
}

func (r *reviewer) statement(id, at string, s map[string]any) {
	if s["Effect"] != "Allow" {
		return
	}
	if everyone(s["Principal"]) && !narrowed(s["Condition"]) {
		r.add("not-everyone", id, at+".Principal", "everyone is allowed, of any account", "Name the principals, or the account in a condition (aws:PrincipalAccount).")
	}
	if s["NotPrincipal"] != nil || s["NotAction"] != nil {
		r.add("not-everyone", id, at, "it allows all but those that it names", "Name those that are allowed.")
	}
	for _, action := range list(s["Action"]) {
		name := fmt.Sprint(action)
		if name == "*" || strings.HasSuffix(name, ":*") {
			r.add("no-full-grant", id, at+".Action", fmt.Sprintf("%q allows every action", name), "Name the actions that are used.")
		}
	}
}

func everyone(principal any) bool {
	if m, ok := principal.(map[string]any); ok {
		principal = m["AWS"]
	}
	return slices.Contains(list(principal), any("*"))
}

// narrowed: a condition compares one of the keys for equality, with a value that is no pattern
// for everyone.
func narrowed(condition any) bool {
	operators, _ := condition.(map[string]any)
	for operator, keys := range operators {
		if !strings.HasPrefix(operator, "StringEquals") && !strings.HasPrefix(operator, "Arn") && !strings.HasPrefix(operator, "StringLike") ||
			strings.HasSuffix(operator, "IfExists") || strings.Contains(operator, "Not") {
			continue
		}
		values, _ := keys.(map[string]any)
		for key, value := range values {
			if slices.ContainsFunc(narrowing, func(n string) bool { return strings.EqualFold(n, key) }) && !slices.Contains(list(value), any("*")) {
				return true
			}
		}
	}
	return false
}

func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// size estimates what a document will have: an ARN stands for what is known only when the
// template is deployed.
func (r *reviewer) size(id, property string, document any, most int) {
	text, err := json.Marshal(longest(document))
	if err != nil {
		return
	}
	if n := len(text); n > most {
		r.add("limits", id, "Properties."+property, fmt.Sprintf("about %d characters; AWS takes %d", n, most), "Divide it: fewer secrets, or several deployments.")
	}
}

// longest replaces what CloudFormation fills in by a text as long as an ARN usually is.
func longest(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 1 {
			if parts, ok := v["Fn::Join"].([]any); ok && len(parts) == 2 {
				joined := ""
				for _, p := range list(parts[1]) {
					joined += fmt.Sprint(longest(p))
				}
				return joined
			}
			for key := range v {
				if key == "Ref" || strings.HasPrefix(key, "Fn::") {
					return strings.Repeat("x", 100)
				}
			}
		}
		out := map[string]any{}
		for key, one := range v {
			out[key] = longest(one)
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, longest(one))
		}
		return out
	}
	return v
}
