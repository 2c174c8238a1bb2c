package mysql

import (
	"encoding/json"
	"testing"
)

func TestAttributePatch(t *testing.T) {
	document := func(s string) (m map[string]any) {
		if s != "" && json.Unmarshal([]byte(s), &m) != nil {
			t.Fatal(s)
		}
		return m
	}
	for _, c := range []struct{ from, to, want string }{
		{``, ``, ``},
		{``, `{}`, ``},
		{``, `{"a": 1}`, `{"a":1}`},
		{`{"a": 1}`, `{"a": 1}`, ``},
		{`{"a": 1, "b": 2}`, `{"b": 3}`, `{"a":null,"b":3}`},
		{`{"a": {"x": 1, "y": 2}, "c": [1]}`, `{"a": {"y": 2, "z": 3}, "c": [1]}`, `{"a":{"x":null,"z":3}}`},
		{`{"a": 1}`, `{"a": {"x": 1}}`, `{"a":{"x":1}}`},
		{`{"a": {"x": 1}}`, `{"a": [1]}`, `{"a":[1]}`},
	} {
		if got := attributePatch(document(c.from), document(c.to)); got != c.want {
			t.Errorf("from %s to %s: got %s, want %s", c.from, c.to, got, c.want)
		}
	}
}

func TestMarked(t *testing.T) {
	model := account{name: "app", attributes: map[string]any{"comment": "x"}}
	clone := account{attributes: model.marked()}
	if base, ok := clone.markedAs(); base != "app" || !ok || clone.attributes["comment"] != "x" {
		t.Errorf("got %v", clone.attributes)
	}
	if _, ok := model.markedAs(); ok || len(model.attributes) != 1 {
		t.Error("the mark is on the model")
	}
}

func TestVersionNumber(t *testing.T) {
	for text, want := range map[string]int{"8.0.21": 80021, "9.7.4": 90704, "8.0.32-log": 80032, "": 0} {
		if got := versionNumber(text); got != want {
			t.Errorf("%q: got %d", text, got)
		}
	}
}
