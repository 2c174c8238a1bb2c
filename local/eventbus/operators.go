package eventbus

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// maxNumber is the largest number that can be compared by value:
// https://github.com/aws/event-ruler#numeric-matching
const maxNumber = 5e9

// operators compile what follows an operator's name. It is filled by init because
// anything-but looks operators up.
var operators map[string]func(any, place) (test, error)

func init() {
	operators = map[string]func(any, place) (test, error){
		"prefix":             foldable(opPrefix, opPrefixFold),
		"suffix":             foldable(opSuffix, opSuffixFold),
		"equals-ignore-case": text(opEqualFold),
		"wildcard":           compileWildcard,
		"numeric":            compileNumeric,
		"cidr":               compileCIDR,
		"anything-but":       compileAnythingBut,
		"exists":             nil, // see leaf.operator
	}
}

func operatorNames() string {
	return strings.Join(slices.Sorted(maps.Keys(operators)), ", ")
}

func text(o op) func(any, place) (test, error) {
	return func(v any, at place) (test, error) {
		s, ok := v.(string)
		if !ok {
			return test{}, at.refuse("it takes a string")
		}
		return test{op: o, texts: []string{s}}, nil
	}
}

// foldable takes a string, or {"equals-ignore-case": string}.
func foldable(exact, fold op) func(any, place) (test, error) {
	return func(v any, at place) (test, error) {
		members, ok := v.(map[string]any)
		if !ok {
			return text(exact)(v, at)
		}
		s, ok := members["equals-ignore-case"].(string)
		if !ok || len(members) != 1 {
			return test{}, at.refuse(`it takes a string, or {"equals-ignore-case": string}`)
		}
		return test{op: fold, texts: []string{s}}, nil
	}
}

func compileWildcard(v any, at place) (test, error) {
	s, ok := v.(string)
	if !ok {
		return test{}, at.refuse("it takes a string")
	}
	parts, err := splitWildcard(s, at)
	return test{op: opWildcard, wild: [][]string{parts}}, err
}

// splitWildcard returns what stands between the asterisks, unescaped.
func splitWildcard(s string, at place) ([]string, error) {
	var parts []string
	var part strings.Builder
	asterisk := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '*' && asterisk:
			return nil, at.refuse("two asterisks in a row, at character %d: one matches any text", i)
		case s[i] == '*':
			parts = append(parts, part.String())
			part.Reset()
			asterisk = true
			continue
		case s[i] == '\\':
			i++
			if i == len(s) || s[i] != '*' && s[i] != '\\' {
				return nil, at.refuse(`a backslash, at character %d, stands before * or \ only`, i-1)
			}
		}
		part.WriteByte(s[i])
		asterisk = false
	}
	return append(parts, part.String()), nil
}

func compileNumeric(v any, at place) (test, error) {
	list, _ := v.([]any)
	if len(list) != 2 && len(list) != 4 {
		return test{}, at.refuse(`it takes a comparison or two, as in [">", 0, "<=", 5]`)
	}
	r := numberRange{low: -maxNumber, high: maxNumber}
	for i := 0; i < len(list); i += 2 {
		sign, _ := list[i].(string)
		n, err := compileNumber(list[i+1], at)
		if err != nil {
			return test{}, err
		}
		switch {
		case sign == "=" && len(list) == 2:
			r = numberRange{low: n, high: n}
		case (sign == ">" || sign == ">=") && i == 0:
			r.low, r.openLow = n, sign == ">"
		case (sign == "<" || sign == "<=") && (i == 2 || len(list) == 2):
			r.high, r.openHigh = n, sign == "<"
		default:
			return test{}, at.refuse("%s cannot stand there: it is =, or > or >=, then < or <=", quoted(list[i]))
		}
	}
	if len(list) == 4 && r.low >= r.high {
		return test{}, at.refuse("the lower end is not below the upper end")
	}
	return test{op: opNumeric, ranges: r}, nil
}

func compileNumber(v any, at place) (float64, error) {
	number, ok := v.(json.Number)
	if !ok {
		return 0, at.refuse("%s is not a number", quoted(v))
	}
	n, err := number.Float64()
	if err != nil || n < -maxNumber || n > maxNumber {
		return 0, at.refuse("%s is outside of -5.0e9 to 5.0e9", quoted(v))
	}
	return n, nil
}

func compileCIDR(v any, at place) (test, error) {
	s, ok := v.(string)
	if !ok {
		return test{}, at.refuse("it takes a string")
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return test{}, at.refuse("%s is not an IP prefix such as 10.0.0.0/8", quoted(s))
	}
	return test{op: opCIDR, prefix: p.Masked()}, nil
}

// anythingButOperators are those that can be negated.
var anythingButOperators = map[string]op{
	"prefix": opPrefix, "suffix": opSuffix, "equals-ignore-case": opEqualFold, "wildcard": opWildcard,
}

func compileAnythingBut(v any, at place) (test, error) {
	if members, ok := v.(map[string]any); ok {
		return anythingButOperator(members, at)
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	t := test{not: true}
	for _, v := range list {
		switch v := v.(type) {
		case string:
			t.texts = append(t.texts, v)
		case json.Number:
			n, err := compileNumber(v, at)
			if err != nil {
				return test{}, err
			}
			t.op, t.values = opEqualNumber, append(t.values, n)
		default:
			return test{}, at.refuse("it takes a string, a number, a list of either, or an operator, and not %s", quoted(v))
		}
	}
	if len(list) == 0 || len(t.texts) > 0 && len(t.values) > 0 {
		return test{}, at.refuse("its list holds strings, or numbers, and not both nor none")
	}
	return t, nil
}

func anythingButOperator(members map[string]any, at place) (test, error) {
	names := slices.Sorted(maps.Keys(members))
	if len(names) != 1 {
		return test{}, at.refuse("it takes one operator, not %d", len(names))
	}
	o, known := anythingButOperators[names[0]]
	at = place{path: at.path, shown: at.shown + "." + names[0]}
	if !known {
		return test{}, at.refuse("anything-but combines with %s only", strings.Join(slices.Sorted(maps.Keys(anythingButOperators)), ", "))
	}
	list, ok := members[names[0]].([]any)
	if !ok {
		list = []any{members[names[0]]}
	}
	t := test{op: o, not: true}
	for _, v := range list {
		s, ok := v.(string)
		if !ok || s == "" {
			return test{}, at.refuse("it takes a string that is not empty, or a list of them")
		}
		t.texts = append(t.texts, s)
		if o == opWildcard {
			parts, err := splitWildcard(s, at)
			if err != nil {
				return test{}, err
			}
			t.wild = append(t.wild, parts)
		}
	}
	if len(t.texts) == 0 {
		return test{}, at.refuse("an empty list")
	}
	return t, nil
}
