package declarative

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// shape compares a YAML tree with the Go type that it is to become, and takes
// note of every line. A decoder would stop at the first thing that is wrong.
func (p *problems) shape(n ast.Node, t reflect.Type, path string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if tag, ok := n.(*ast.TagNode); ok {
		p.add(path, "has the tag %s: YAML tags are not used here", tag.Start.Value)
		return
	}
	p.lines[path] = n.GetToken().Position.Line
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		p.add(path, "is an anchor or an alias: write it out")
		return
	case *ast.NullNode:
		if t.Kind() != reflect.Interface {
			p.add(path, "is empty: give it a value, or remove the key")
		}
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		p.structure(n, t, path)
	case reflect.Map:
		p.mapping(n, path, func(key string, value ast.Node) { p.shape(value, t.Elem(), join(path, key)) })
	case reflect.Slice:
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			p.add(path, "must be a list")
			return
		}
		for i, item := range list.Values {
			p.shape(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Interface:
		p.tree(n, path)
	default:
		p.scalar(n, t, path)
	}
}

// structure checks keys against fields, by their json and jsonschema tags.
func (p *problems) structure(n ast.Node, t reflect.Type, path string) {
	fields := fieldsOf(t)
	seen := map[string]bool{}
	known := p.mapping(n, path, func(key string, value ast.Node) {
		f, ok := fields[key]
		if !ok {
			names := make([]string, 0, len(fields))
			for name := range fields {
				names = append(names, name)
			}
			slices.Sort(names)
			p.lines[join(path, key)] = value.GetToken().Position.Line
			p.add(join(path, key), "is not a key of the format here; there are %s", strings.Join(names, ", "))
			return
		}
		seen[key] = true
		p.shape(value, f.Type, join(path, key))
		p.constraints(value, f, join(path, key))
	})
	if !known {
		return
	}
	for name, f := range fields {
		if slices.Contains(rules(f), "required") && !seen[name] {
			p.add(path, "lacks the key %q", name)
		}
	}
}

// fieldsOf are the fields by their names in the file; those of embedded structs too.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	fields := map[string]reflect.StructField{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous {
			for name, inner := range fieldsOf(f.Type) {
				fields[name] = inner
			}
			continue
		}
		fields[name] = f
	}
	return fields
}

func rules(f reflect.StructField) []string { return strings.Split(f.Tag.Get("jsonschema"), ",") }

// constraints are those of the JSON Schema that hold for single values.
func (p *problems) constraints(n ast.Node, f reflect.StructField, path string) {
	scalar, ok := n.(ast.ScalarNode)
	if !ok {
		if list, ok := n.(*ast.SequenceNode); ok && len(list.Values) == 0 {
			p.add(path, "is an empty list")
		}
		return
	}
	text := fmt.Sprint(scalar.GetValue())
	var allowed []string
	for _, rule := range rules(f) {
		name, value, _ := strings.Cut(rule, "=")
		switch name {
		case "enum":
			allowed = append(allowed, value)
		case "pattern":
			if !regexp.MustCompile(value).MatchString(text) {
				p.add(path, "is %q: it must match %s", text, value)
			}
		}
	}
	if len(allowed) > 0 && !slices.Contains(allowed, text) {
		p.add(path, "is %q: it must be one of %s", text, strings.Join(allowed, ", "))
	}
}

// mapping visits the pairs of a mapping; it reports whether n is one.
func (p *problems) mapping(n ast.Node, path string, visit func(key string, value ast.Node)) bool {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		p.add(path, "must be a mapping of keys to values")
		return false
	}
	for _, pair := range pairs {
		if pair.Key.IsMergeKey() {
			p.add(path, "has a merge key: write it out")
			continue
		}
		scalar, ok := pair.Key.(ast.ScalarNode)
		if !ok {
			p.add(path, "has a key that is not text")
			continue
		}
		key, ok := scalar.GetValue().(string)
		if !ok {
			p.add(path, "has the key %v, which is not text: put it into quotes", scalar.GetValue())
			continue
		}
		visit(key, pair.Value)
	}
	return true
}

// tree takes note of the lines of free-form JSON.
func (p *problems) tree(n ast.Node, path string) {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		p.mapping(n, path, func(key string, value ast.Node) { p.shape(value, anyType, join(path, key)) })
	case *ast.SequenceNode:
		for i, item := range n.Values {
			p.shape(item, anyType, fmt.Sprintf("%s[%d]", path, i))
		}
	}
}

var anyType = reflect.TypeFor[any]()

func (p *problems) scalar(n ast.Node, t reflect.Type, path string) {
	ok := false
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		ok = t.Kind() == reflect.String
	case *ast.IntegerNode:
		ok = t.Kind() == reflect.Int
	case *ast.BoolNode:
		ok = t.Kind() == reflect.Bool
	}
	if ok {
		return
	}
	expected := map[reflect.Kind]string{reflect.String: "text (put it into quotes)", reflect.Int: "a whole number", reflect.Bool: "true or false"}[t.Kind()]
	p.add(path, "must be %s", expected)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
