package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
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

// tree is a document as JSON has it (map[string]any, []any, string, bool, int64, float64),
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
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		t.syntax(err)
		return t
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	switch len(docs) {
	case 0:
		t.add(nil, "the file is empty", "rekey init writes an example")
	case 1:
		t.root = t.value(nil, docs[0].Body)
	default:
		t.at(position(docs[1].Body), nil, "a second document begins here", "a deployment is one document: remove the line ---")
	}
	return t
}

func (t *tree) syntax(err error) {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		p := e.GetToken().Position
		t.at(place{p.Line, p.Column}, nil, "this is not YAML: "+e.GetMessage(), "")
		return
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	t.add(nil, "this is not YAML: "+text, "")
}

// absent is what becomes of a value that was refused: the document goes on without it.
type absent struct{}

func (t *tree) value(at path, n ast.Node) any {
	if _, known := t.places[at.key()]; !known {
		t.places[at.key()] = position(n)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return t.mapping(at, n.Values)
	case *ast.MappingValueNode:
		return t.mapping(at, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		list := []any{}
		for i, item := range n.Values {
			v := t.value(at.to(strconv.Itoa(i)), item)
			if v == (absent{}) {
				v = nil // so that the others keep their places
			}
			list = append(list, v)
		}
		return list
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.BoolNode:
		return n.Value
	case *ast.IntegerNode:
		return t.integer(at, n)
	case *ast.FloatNode:
		return n.Value
	case *ast.NullNode:
		t.add(at, "it is empty", "give it a value, or leave the key out")
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		t.add(at, "anchors and aliases are not read", "write it out; what many secrets share can stand in defaults")
	case *ast.TagNode:
		t.add(at, "YAML tags are not read", "remove "+n.Start.Value)
	default:
		t.add(at, "this is no value that is read here", "use text, numbers, true or false, lists and keys")
	}
	return absent{}
}

func (t *tree) mapping(at path, values []*ast.MappingValueNode) any {
	object := map[string]any{}
	for _, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			t.at(position(v.Key), at, fmt.Sprintf("the key %s is not text", v.Key.String()), "put it in quotes")
			continue
		}
		below := at.to(key.Value)
		if first, twice := t.places[below.key()]; twice {
			t.at(position(key), below, fmt.Sprintf("it is there already, in line %d", first.line), "remove one of the two")
			continue
		}
		t.places[below.key()] = position(key)
		if value := t.value(below, v.Value); value != (absent{}) {
			object[key.Value] = value
		}
	}
	return object
}

func (t *tree) integer(at path, n *ast.IntegerNode) any {
	switch v := n.Value.(type) {
	case int64:
		return v
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v)
		}
	}
	t.add(at, "the number is too large", "")
	return absent{}
}

func position(n ast.Node) place {
	switch m := n.(type) {
	case *ast.MappingNode: // its token is the first colon, or the brace
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return position(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return position(m.Key)
	}
	p := n.GetToken().Position
	return place{p.Line, p.Column}
}
