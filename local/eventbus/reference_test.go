package eventbus

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// reference matches as the grammar says, without any care for speed: the event is flattened
// to every choice of one element from each array, and each choice is looked at alone.
func reference(pattern, event string) bool {
	p, e := decoded(pattern).(map[string]any), decoded(event)
	return refObject(p, e, true, e, nil)
}

func decoded(text string) any {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

func refObject(p map[string]any, e any, there bool, root any, path []string) bool {
	members, isObject := e.(map[string]any)
	for name, want := range p {
		if list, ok := want.([]any); ok && name == or {
			found := false
			for _, alternative := range list {
				found = found || refObject(alternative.(map[string]any), e, there, root, path)
			}
			if !found {
				return false
			}
			continue
		}
		child, has := members[name]
		has = has && isObject && there
		where := append(append([]string(nil), path...), name)
		switch want := want.(type) {
		case map[string]any:
			ok := refObject(want, nil, false, root, where)
			for _, o := range elements(child) {
				if _, isObject := o.(map[string]any); isObject && has {
					ok = ok || refObject(want, o, true, root, where)
				}
			}
			if !ok {
				return false
			}
		case []any:
			if !refLeaf(want, child, has, len(leavesAt(root, where)) > 0) {
				return false
			}
		}
	}
	return true
}

// elements are a value, or those of an array, at any depth.
func elements(v any) []any {
	list, ok := v.([]any)
	if !ok {
		return []any{v}
	}
	var all []any
	for _, e := range list {
		all = append(all, elements(e)...)
	}
	return all
}

func leavesAt(v any, path []string) []any {
	var leaves []any
	for _, e := range elements(v) {
		o, isObject := e.(map[string]any)
		if len(path) == 0 && !isObject {
			leaves = append(leaves, e)
		} else if child, ok := o[first(path)]; ok && len(path) > 0 {
			leaves = append(leaves, leavesAt(child, path[1:])...)
		}
	}
	return leaves
}

func first(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return path[0]
}

func refLeaf(wants []any, v any, has, anywhere bool) bool {
	for _, want := range wants {
		o, isOperator := want.(map[string]any)
		if exists, ok := o["exists"].(bool); ok && !exists {
			if !anywhere {
				return true
			}
			continue
		}
		if !has {
			continue
		}
		for _, e := range elements(v) {
			if _, isObject := e.(map[string]any); isObject {
				continue
			}
			if isOperator && refOperator(o, e) || !isOperator && e == want {
				return true
			}
		}
	}
	return false
}

func refOperator(o map[string]any, v any) bool {
	text, isText := v.(string)
	number, isNumber := v.(json.Number)
	for name, arg := range o {
		switch name {
		case "exists":
			return true
		case "anything-but":
			for _, a := range elements(arg) {
				if refBut(a, v) {
					return false
				}
			}
			return true
		case "cidr":
			a, err := netip.ParseAddr(text)
			return err == nil && netip.MustParsePrefix(arg.(string)).Contains(a)
		case "numeric":
			return isNumber && refNumeric(arg.([]any), number)
		default:
			return isText && refText(name, arg, text)
		}
	}
	return false
}

func refBut(a, v any) bool {
	if n, ok := a.(json.Number); ok {
		m, isNumber := v.(json.Number)
		return isNumber && float(n) == float(m)
	}
	if o, ok := a.(map[string]any); ok {
		for name, args := range o {
			for _, arg := range elements(args) {
				text, isText := v.(string)
				if isText && refText(name, arg, text) {
					return true
				}
			}
		}
		return false
	}
	return a == v
}

func float(n json.Number) float64 { f, _ := n.Float64(); return f }

func refNumeric(list []any, n json.Number) bool {
	for i := 0; i < len(list); i += 2 {
		v, limit := float(n), float(list[i+1].(json.Number))
		ok := map[string]bool{"=": v == limit, "<": v < limit, "<=": v <= limit, ">": v > limit, ">=": v >= limit}
		if !ok[list[i].(string)] {
			return false
		}
	}
	return true
}

func refText(name string, arg any, text string) bool {
	if o, ok := arg.(map[string]any); ok {
		arg, text = strings.ToLower(o["equals-ignore-case"].(string)), strings.ToLower(text)
	}
	s := arg.(string)
	switch name {
	case "prefix":
		return strings.HasPrefix(text, s)
	case "suffix":
		return strings.HasSuffix(text, s)
	case "equals-ignore-case":
		return strings.EqualFold(text, s)
	case "wildcard":
		return regexp.MustCompile(`(?s)^` + strings.ReplaceAll(regexp.QuoteMeta(s), `\*`, `.*`) + `$`).MatchString(text)
	}
	return false
}

// A small alphabet makes patterns and events that meet.
var (
	drawName   = rapid.SampledFrom([]string{"a", "b", "c", "$x", "d\"e"})
	drawText   = rapid.SampledFrom([]string{"", "x", "xy", "Xy", "yx", "xyx", "10.0.0.1", "null", "1", "ü\n\"\\"})
	drawNumber = rapid.SampledFrom([]string{"0", "1", "1.0", "-2", "1e0", "4999999999", "2.5"})
)

func drawScalar(t *rapid.T) any {
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return json.Number(drawNumber.Draw(t, "number"))
	}
	return drawText.Draw(t, "text")
}

func drawEvent(t *rapid.T, depth int) any {
	switch n := rapid.IntRange(0, 5).Draw(t, "shape"); {
	case n == 0 && depth > 0:
		list := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range list {
			list[i] = drawEvent(t, depth-1)
		}
		return list
	case n <= 2 && depth > 0:
		return drawEventObject(t, depth)
	}
	return drawScalar(t)
}

func drawEventObject(t *rapid.T, depth int) map[string]any {
	o := map[string]any{}
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		o[drawName.Draw(t, "name")] = drawEvent(t, depth-1)
	}
	return o
}

func drawPattern(t *rapid.T, depth int) map[string]any {
	p := map[string]any{}
	for range rapid.IntRange(1, 3).Draw(t, "members") {
		switch n := rapid.IntRange(0, 5).Draw(t, "shape"); {
		case n == 0 && depth > 0:
			p[or] = []any{drawPattern(t, depth-1), drawPattern(t, depth-1)}
		case n <= 2 && depth > 0:
			p[drawName.Draw(t, "name")] = drawPattern(t, depth-1)
		default:
			list := make([]any, rapid.IntRange(1, 3).Draw(t, "values"))
			for i := range list {
				list[i] = drawComparison(t)
			}
			p[drawName.Draw(t, "name")] = list
		}
	}
	return p
}

func drawComparison(t *rapid.T) any {
	text := drawText.Draw(t, "text")
	full := rapid.SampledFrom([]string{"x", "xy", "Y", "yx"}).Draw(t, "some text")
	number := func() any { return json.Number(drawNumber.Draw(t, "number")) }
	wild := rapid.SampledFrom([]string{"*", "x*", "*y*", "x*x", "xy", "*x*y*"}).Draw(t, "wildcard")
	return rapid.SampledFrom([]any{
		drawScalar(t), drawScalar(t),
		map[string]any{"prefix": text},
		map[string]any{"suffix": text},
		map[string]any{"equals-ignore-case": text},
		map[string]any{"prefix": map[string]any{"equals-ignore-case": text}},
		map[string]any{"suffix": map[string]any{"equals-ignore-case": text}},
		map[string]any{"wildcard": wild},
		map[string]any{"cidr": "10.0.0.0/8"},
		map[string]any{"exists": rapid.Bool().Draw(t, "exists")},
		map[string]any{"numeric": []any{rapid.SampledFrom([]any{"=", "<", "<=", ">", ">="}).Draw(t, "sign"), number()}},
		map[string]any{"numeric": []any{">", json.Number("-3"), "<=", json.Number("1.5")}},
		map[string]any{"anything-but": text},
		map[string]any{"anything-but": []any{text, full}},
		map[string]any{"anything-but": number()},
		map[string]any{"anything-but": []any{number(), number()}},
		map[string]any{"anything-but": map[string]any{"prefix": []any{full, "1"}}},
		map[string]any{"anything-but": map[string]any{"suffix": full}},
		map[string]any{"anything-but": map[string]any{"equals-ignore-case": full}},
		map[string]any{"anything-but": map[string]any{"wildcard": wild}},
	}).Draw(t, "comparison")
}

func TestMatchesAsTheReferenceDoes(t *testing.T) {
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		pattern, _ := json.Marshal(drawPattern(t, 3))
		p, err := Compile(pattern)
		if err != nil {
			t.Fatalf("compiling %s: %v", pattern, err)
		}
		for range 30 { // few of the pairs match
			event, _ := json.Marshal(drawEventObject(t, 4))
			want := reference(string(pattern), string(event))
			if got := p.Matches(event); got != want {
				t.Fatalf("pattern %s\nevent %s\ngot %t, want %t", pattern, event, got, want)
			}
			if want {
				matched++
			}
		}
	})
	t.Logf("%d matched", matched)
	if matched == 0 {
		t.Error("no pattern matched: the generators do not meet")
	}
}

func FuzzPattern(f *testing.F) {
	for _, c := range matches {
		f.Add(c.pattern, example)
	}
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := Compile([]byte(pattern))
		if err != nil {
			if p != nil {
				t.Fatal("a pattern beside an error")
			}
			return
		}
		if p.Matches([]byte(event)) && !json.Valid([]byte(event)) {
			t.Fatalf("%q matches %q, which is not JSON", pattern, event)
		}
		if p.String() != pattern {
			t.Fatal("the text of the pattern is lost")
		}
	})
}

// FuzzDocument holds our parser to the standard library's.
func FuzzDocument(f *testing.F) {
	for _, text := range []string{example, `[]`, `{"a":1}`, `-0.5e+3`, `"\ud800"`, "\"\xff\"", `{"a":1,"a":2}`, `[1,]`, `01`, ` null `, `{"\u0061":[[{}]]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d document
		err := d.parse(text)
		if strings.ToValidUTF8(string(text), "") != string(text) {
			if err == nil {
				t.Fatal("text that is not UTF-8 was accepted")
			}
			return
		}
		if valid := json.Valid(text); valid != (err == nil) && err != errDepth {
			t.Fatalf("%q: %v, but valid is %t", text, err, valid)
		}
		if err != nil || d.nodes[0].kind != kindObject {
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatal(err)
		}
		for name, raw := range members {
			at, ok := d.member(0, name)
			if !ok || string(d.raw(at)) != string(raw) {
				t.Fatalf("%q: the member %q is %q, want %q", text, name, d.raw(at), raw)
			}
		}
	})
}
