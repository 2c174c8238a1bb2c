package dynamodb

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// attribute is a value of one of the types S, N, BOOL and SS.
type attribute struct {
	kind  string
	text  string // S
	n     int64  // N
	truth bool   // BOOL
	set   []string
}

// item is the attributes of one, by name.
type item map[string]attribute

// UnmarshalJSON reads {"S": "text"}.
func (a *attribute) UnmarshalJSON(b []byte) error {
	var typed map[string]json.RawMessage
	if err := json.Unmarshal(b, &typed); err != nil || len(typed) != 1 {
		return fmt.Errorf("an attribute has one type")
	}
	for kind, raw := range typed {
		a.kind = kind
		switch kind {
		case "S":
			return json.Unmarshal(raw, &a.text)
		case "BOOL":
			return json.Unmarshal(raw, &a.truth)
		case "N":
			var digits string
			if err := json.Unmarshal(raw, &digits); err != nil {
				return err
			}
			n, err := strconv.ParseInt(digits, 10, 64)
			a.n = n
			return err
		case "SS":
			if err := json.Unmarshal(raw, &a.set); err != nil {
				return err
			}
			slices.Sort(a.set)
			if len(a.set) == 0 || len(slices.Compact(slices.Clone(a.set))) != len(a.set) {
				return fmt.Errorf("a set is not empty, and has no member twice")
			}
			return nil
		}
	}
	return fmt.Errorf("attributes of type %s are not known here", a.kind)
}

// MarshalJSON writes what UnmarshalJSON reads.
func (a attribute) MarshalJSON() ([]byte, error) {
	var value any
	switch a.kind {
	case "S":
		value = a.text
	case "BOOL":
		value = a.truth
	case "N":
		value = strconv.FormatInt(a.n, 10)
	case "SS":
		value = a.set
	default:
		return nil, fmt.Errorf("an attribute without a type")
	}
	return json.Marshal(map[string]any{a.kind: value})
}

func (a attribute) equals(b attribute) bool {
	return a.kind == b.kind && a.text == b.text && a.n == b.n && a.truth == b.truth && slices.Equal(a.set, b.set)
}

// less tells the order of two strings or two numbers; ok is false for others.
func (a attribute) less(b attribute) (is, ok bool) {
	switch {
	case a.kind != b.kind:
		return false, false
	case a.kind == "S":
		return a.text < b.text, true
	case a.kind == "N":
		return a.n < b.n, true
	}
	return false, false
}
