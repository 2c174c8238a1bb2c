package rekey_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/blues/jsonata-go"
)

// machine runs what the fleet's state machine uses of Amazon States Language, with its
// expressions evaluated: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
type machine struct {
	t *testing.T
	// call answers a task; at is the time in seconds since the branch began.
	call  func(resource string, arguments map[string]any, at float64) (any, error)
	vars  map[string]any
	clock float64
	steps int
}

// failure is how a run or a task fails.
type failure struct{ name, cause string }

func (f failure) Error() string { return f.name + ": " + f.cause }

type object = map[string]any

// run goes from the first state to the end, and returns its output.
func (m *machine) run(definition object, input any) (any, error) {
	states := definition["States"].(object)
	next := definition["StartAt"].(string)
	for {
		if m.steps++; m.steps > 100_000 {
			m.t.Fatal("the state machine does not end")
		}
		state, ok := states[next].(object)
		if !ok {
			m.t.Fatalf("there is no state %q", next)
		}
		scope := object{"input": input, "context": object{"Execution": object{"Name": "run-1"}}}
		output, after, err := m.enter(state, scope)
		if err != nil {
			return nil, err
		}
		if state["Type"] == "Succeed" || state["End"] == true {
			return output, nil
		}
		input, next = output, after
	}
}

// enter does what a state is for, and says what comes out and what is next.
func (m *machine) enter(state, scope object) (output any, next string, err error) {
	next, _ = state["Next"].(string)
	output = scope["input"]
	switch state["Type"] {
	case "Pass", "Succeed":
	case "Wait":
		m.clock += number(m.t, m.eval(state["Seconds"], scope))
	case "Choice":
		next = state["Default"].(string)
		for _, c := range state["Choices"].([]any) {
			if m.eval(c.(object)["Condition"], scope) == true {
				next = c.(object)["Next"].(string)
				break
			}
		}
	case "Task":
		result, err := m.call(state["Resource"].(string), m.eval(state["Arguments"], scope).(object), m.clock)
		if err != nil {
			return m.caught(state, scope, err)
		}
		scope["result"], output = plain(m.t, result), plain(m.t, result)
	case "Map":
		results := m.each(state, scope)
		scope["result"], output = results, results
	case "Fail":
		return nil, "", failure{fmt.Sprint(m.eval(state["Error"], scope)), fmt.Sprint(m.eval(state["Cause"], scope))}
	default:
		m.t.Fatalf("a state of type %v", state["Type"])
	}
	out, assigned := state["Output"], object{}
	if a, ok := state["Assign"].(object); ok {
		for name, e := range a {
			assigned[name] = m.eval(e, scope)
		}
	}
	if out != nil {
		output = m.eval(out, scope)
	}
	maps.Copy(m.vars, assigned)
	return output, next, nil
}

func (m *machine) caught(state, scope object, err error) (any, string, error) {
	f := err.(failure)
	scope["errorOutput"] = object{"Error": f.name, "Cause": f.cause}
	for _, c := range list(state["Catch"]) {
		if c, ok := c.(object); ok {
			return m.eval(c["Output"], scope), c["Next"].(string), nil
		}
	}
	return nil, "", f
}

// each runs a branch for each item, all at once: their clocks begin together.
func (m *machine) each(state, scope object) []any {
	items, _ := m.eval(state["Items"], scope).([]any)
	results := []any{}
	latest := m.clock
	for i, item := range items {
		scope["context"].(object)["Map"] = object{"Item": object{"Index": i, "Value": item}}
		branch := &machine{t: m.t, call: m.call, vars: object{}, clock: m.clock}
		out, err := branch.run(state["ItemProcessor"].(object), m.eval(state["ItemSelector"], scope))
		if err != nil {
			m.t.Fatalf("a branch failed: %v", err)
		}
		results = append(results, out)
		latest = max(latest, branch.clock)
	}
	m.clock = latest
	return results
}

// eval replaces the expressions in a value, which are texts between {% and %}.
func (m *machine) eval(v any, scope object) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for key, one := range v {
			out[key] = m.eval(one, scope)
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, m.eval(one, scope))
		}
		return out
	case string:
		if !strings.HasPrefix(v, "{%") {
			return v
		}
		text := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(v, "{%"), "%}"))
		e, err := jsonata.Compile(text)
		if err != nil {
			m.t.Fatalf("%s: %v", text, err)
		}
		vars := maps.Clone(m.vars)
		vars["states"] = scope
		if err := e.RegisterVars(vars); err != nil {
			m.t.Fatal(err)
		}
		count := 0
		if err := e.RegisterExts(map[string]jsonata.Extension{"uuid": {Func: func() string {
			count++
			return fmt.Sprintf("00000000-0000-4000-8000-%012d", count)
		}}}); err != nil {
			m.t.Fatal(err)
		}
		out, err := e.Eval(nil)
		if err != nil {
			m.t.Fatalf("%s: %v", text, err)
		}
		return plain(m.t, out)
	}
	return v
}

// plain is a value as JSON has it.
func plain(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func number(t *testing.T, v any) float64 {
	t.Helper()
	n, ok := v.(float64)
	if !ok {
		t.Fatalf("%v is no number", v)
	}
	return n
}
