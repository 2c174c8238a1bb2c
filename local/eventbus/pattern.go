package eventbus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
)

// PatternError says what is wrong in a pattern, and where.
type PatternError struct {
	Path   string // such as detail.eventName[1]; empty: the pattern as a whole
	Reason string
}

func (e *PatternError) Error() string {
	if e.Path == "" {
		return "the event pattern is not valid: " + e.Reason
	}
	return fmt.Sprintf("the event pattern is not valid at %s: %s", e.Path, e.Reason)
}

// Compile reads a pattern in the grammar that the package's documentation gives. A pattern
// that EventBridge would refuse is refused, with a [*PatternError].
func Compile(text []byte) (*Pattern, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, &PatternError{Reason: "it is not JSON: " + err.Error()}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &PatternError{Reason: "there is more after the JSON object"}
	}
	members, ok := v.(map[string]any)
	if !ok {
		return nil, &PatternError{Reason: "it is not a JSON object"}
	}
	root, err := compileObject(members, place{})
	if err != nil {
		return nil, err
	}
	return &Pattern{root: root, text: string(text)}, nil
}

// place is where the compiler is in a pattern.
type place struct {
	path  []string // the names of fields, as in an event
	shown string   // the same for people, with positions in arrays
}

func (p place) field(name string) place {
	shown := name
	if p.shown != "" {
		shown = p.shown + "." + name
	}
	return place{path: append(slices.Clone(p.path), name), shown: shown}
}

// at is a position in an array of the pattern; an event's path does not have it.
func (p place) at(i int) place {
	return place{path: p.path, shown: p.shown + "[" + strconv.Itoa(i) + "]"}
}

func (p place) refuse(format string, args ...any) error {
	return &PatternError{Path: p.shown, Reason: fmt.Sprintf(format, args...)}
}

const or = "$or"

func compileObject(members map[string]any, at place) (*object, error) {
	if len(members) == 0 {
		return nil, at.refuse("an empty object matches nothing: name a field, or leave it out")
	}
	o := &object{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		where := at.field(name)
		list, isList := members[name].([]any)
		if name == or && isList {
			alternatives, err := compileOr(list, place{path: at.path, shown: where.shown})
			if err != nil {
				return nil, err
			}
			o.ors = append(o.ors, alternatives)
			continue
		}
		f, err := compileField(name, members[name], where)
		if err != nil {
			return nil, err
		}
		o.fields = append(o.fields, f)
	}
	// What is quick to compare goes first.
	slices.SortStableFunc(o.fields, func(a, b field) int { return a.cost() - b.cost() })
	return o, nil
}

func (f *field) cost() int {
	if f.leaf == nil {
		return 2
	}
	return min(len(f.leaf.tests), 1)
}

// compileOr takes every list under the name $or for alternatives. EventBridge takes one that
// cannot be for an ordinary field; here it is refused, since it is a mistake.
func compileOr(list []any, at place) ([]*object, error) {
	if len(list) < 2 {
		return nil, at.refuse("%s needs at least two alternatives", or)
	}
	var alternatives []*object
	for i, v := range list {
		members, ok := v.(map[string]any)
		if !ok {
			return nil, at.at(i).refuse("an alternative of %s is an object", or)
		}
		for name := range members {
			if _, reserved := operators[name]; reserved {
				return nil, at.at(i).refuse("an alternative of %s names fields, and %q is an operator", or, name)
			}
		}
		o, err := compileObject(members, at.at(i))
		if err != nil {
			return nil, err
		}
		alternatives = append(alternatives, o)
	}
	return alternatives, nil
}

func compileField(name string, v any, at place) (field, error) {
	switch v := v.(type) {
	case map[string]any:
		sub, err := compileObject(v, at)
		return field{name: name, sub: sub}, err
	case []any:
		l, err := compileLeaf(v, at)
		return field{name: name, leaf: l}, err
	}
	return field{}, at.refuse("a field is compared with a list: write [%s]", quoted(v))
}

func compileLeaf(list []any, at place) (*leaf, error) {
	if len(list) == 0 {
		return nil, at.refuse("an empty list matches nothing")
	}
	l := &leaf{strings: map[string]struct{}{}, numbers: map[string]struct{}{}, path: at.path}
	for i, v := range list {
		switch v := v.(type) {
		case nil:
			l.null = true
		case bool:
			l.yes, l.no = l.yes || v, l.no || !v
		case string:
			l.strings[v] = struct{}{}
		case json.Number:
			l.numbers[v.String()] = struct{}{}
		case []any:
			return nil, at.at(i).refuse("a list inside a list")
		case map[string]any:
			if err := l.operator(v, at.at(i)); err != nil {
				return nil, err
			}
		}
	}
	return l, nil
}

func (l *leaf) operator(members map[string]any, at place) error {
	names := slices.Sorted(maps.Keys(members))
	if len(names) != 1 {
		return at.refuse("a comparison has one operator, not %d", len(names))
	}
	name := names[0]
	at = place{path: at.path, shown: at.shown + "." + name}
	if name == "exists" {
		there, ok := members[name].(bool)
		if !ok {
			return at.refuse("exists takes true or false")
		}
		l.present, l.absent = l.present || there, l.absent || !there
		return nil
	}
	compile := operators[name]
	if compile == nil {
		return at.refuse("unknown operator %q: there are %s", name, operatorNames())
	}
	t, err := compile(members[name], at)
	if err != nil {
		return err
	}
	l.tests = append(l.tests, t)
	return nil
}

// quoted shows a value in a message, cut if it is long.
func quoted(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "…"
	}
	if len(b) > 60 {
		return "…"
	}
	return string(b)
}
