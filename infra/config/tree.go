package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxFile is more than a deployment of thousands of secrets needs, in bytes.
const maxFile = 4 << 20

// path leads to a value: keys, and indices as decimal numbers.
type path []string

func (p path) String() string {
	var b strings.Builder
	for i, step := range p {
		if _, err := strconv.Atoi(step); err == nil && i > 0 {
			b.WriteString("[" + step + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(step)
	}
	return b.String()
}

// key makes a path comparable.
func (p path) key() string { return strings.Join(p, "\x00") }

func (p path) to(steps ...string) path { return slices.Concat(p, steps) }

// tree is a document as JSON has it (map[string]any, []any, string, bool, int, float64),
// and where each value stands.
type tree struct {
	root   any
	places map[string]place // by path: of the key where there is one, else of the value
	found  []Problem
}

type place struct{ line, column int }

// read takes a YAML document apart. Whatever is wrong is in found; root is what remains.
func read(text []byte) *tree {
	t := &tree{places: map[string]place{}}
	if len(text) > maxFile {
		t.add(nil, fmt.Sprintf("the file has more than %d MB", maxFile>>20), "")
		return t
	}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	switch err := documents.Decode(&first); {
	case errors.Is(err, io.EOF):
		t.add(nil, "the file is empty", "rekey init writes an example")
		return t
	case err != nil:
		t.syntax(text, err)
		return t
	}
	switch err := documents.Decode(&second); {
	case err == nil:
		t.at(place{second.Line, second.Column}, nil, "a second document begins here", "a deployment is one document: remove the line ---")
	case !errors.Is(err, io.EOF):
		t.syntax(text, err)
		return t
	}
	t.root = t.value(nil, first.Content[0])
	if t.root == (absent{}) {
		t.root = nil
	}
	return t
}

func (t *tree) syntax(document []byte, err error) {
	where, text := place{}, strings.TrimPrefix(err.Error(), "yaml: ")
	if e := (*yaml.LoadError)(nil); errors.As(err, &e) {
		where.line, text = e.Mark.Line, e.Message
	}
	remedy := ""
	if lines := bytes.Split(document, []byte("\n")); where.line > 0 && where.line <= len(lines) &&
		bytes.ContainsAny(bytes.Join(lines[max(0, where.line-2):where.line], nil), "*?") {
		remedy = "put text that has * or ? in quotes"
	}
	t.at(where, nil, "this is not YAML: "+text, remedy)
}

// absent is what becomes of a value that was refused: the document goes on without it.
type absent struct{}

func (t *tree) value(at path, n *yaml.Node) any {
	if _, known := t.places[at.key()]; !known {
		t.places[at.key()] = place{n.Line, n.Column}
	}
	switch {
	case n.Anchor != "" || n.Kind == yaml.AliasNode:
		t.add(at, "anchors and aliases are not read", "write it out; what many secrets share can stand in defaults")
		return absent{}
	case n.Style&yaml.TaggedStyle != 0:
		t.add(at, "YAML tags are not read", "remove "+n.Tag)
		return absent{}
	case n.Kind == yaml.MappingNode:
		return t.mapping(at, n.Content)
	case n.Kind == yaml.SequenceNode:
		list := []any{}
		for i, item := range n.Content {
			v := t.value(at.to(strconv.Itoa(i)), item)
			if v == (absent{}) {
				v = nil // so that the others keep their places
			}
			list = append(list, v)
		}
		return list
	}
	return t.scalar(at, n)
}

func (t *tree) mapping(at path, content []*yaml.Node) any {
	object := map[string]any{}
	for i := 0; i+1 < len(content); i += 2 {
		key, value := content[i], content[i+1]
		where := place{key.Line, key.Column}
		switch tag := key.ShortTag(); {
		case tag == "!!merge" || key.Anchor != "" || key.Kind == yaml.AliasNode:
			t.at(where, at, "anchors and aliases are not read", "write it out; what many secrets share can stand in defaults")
			continue
		case tag != "!!str":
			t.at(where, at, "a key is not text", "put it in quotes")
			continue
		}
		below := at.to(key.Value)
		if first, twice := t.places[below.key()]; twice {
			t.at(where, below, fmt.Sprintf("it is there already, in line %d", first.line), "remove one of the two")
			continue
		}
		t.places[below.key()] = where
		if v := t.value(below, value); v != (absent{}) {
			object[key.Value] = v
		}
	}
	return object
}

func (t *tree) scalar(at path, n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		t.add(at, "it is empty", "give it a value, or leave the key out")
		return absent{}
	case "!!str", "!!timestamp":
		return n.Value
	}
	var v any
	if err := n.Decode(&v); err != nil {
		t.add(at, "this is no value that is read here", "use text, numbers, true or false, lists and keys")
		return absent{}
	}
	switch number := v.(type) {
	case bool, int:
		return v
	case float64:
		if !math.IsInf(number, 0) && !math.IsNaN(number) {
			return v
		}
	}
	t.add(at, "the number is too large", "")
	return absent{}
}
