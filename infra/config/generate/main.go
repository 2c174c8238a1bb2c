// Command generate writes the JSON Schema of rekey.yaml and its reference page from the
// types of package config.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/rekey-aws/rekey/infra/config"
)

const module = "github.com/rekey-aws/rekey/infra/config"

func main() {
	if err := generate("rekey.schema.json", "../../docs/config.md"); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(schemaFile, page string) error {
	schema, secret, err := reflected()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(schema); err != nil {
		return err
	}
	if err := os.WriteFile(schemaFile, text.Bytes(), 0o600); err != nil {
		return err
	}
	return os.WriteFile(page, []byte(reference(schema, secret)), 0o600)
}

// reflected is the schema of the types, with what their comments and defaults say; and that
// of what every kind of secret has, which the types embed.
func reflected() (file, secret *jsonschema.Schema, err error) {
	r := &jsonschema.Reflector{ExpandedStruct: true, Anonymous: true, Mapper: text}
	if err := r.AddGoComments(module, ".", jsonschema.WithFullComment()); err != nil {
		return nil, nil, err
	}
	for name, comment := range r.CommentMap {
		r.CommentMap[name] = forReaders(name, comment)
	}
	s := r.Reflect(&config.File{})
	s.Title = "rekey.yaml"
	s.Description = "What a deployment of rekey consists of: secrets, who may read them, when they rotate, who is told."
	for _, d := range append([]*jsonschema.Schema{s}, definitions(s)...) {
		for p := range properties(d) {
			if a := p.AdditionalProperties; a != nil && a.Ref != "" {
				name := formats[reflect.TypeFor[config.Name]()]
				p.Title = name.words
				p.PatternProperties = map[string]*jsonschema.Schema{name.pattern: a}
				p.AdditionalProperties = jsonschema.FalseSchema
			}
		}
	}
	values, err := json.Marshal(config.Default())
	if err != nil {
		return nil, nil, err
	}
	var defaults map[string]any
	if err := json.Unmarshal(values, &defaults); err != nil {
		return nil, nil, err
	}
	setDefaults(s, s, defaults)
	return s, r.Reflect(&config.Secret{}), nil
}

// setDefaults writes values where the schema describes them: at a property of its own, or,
// of a definition that several share, at the property that has it.
func setDefaults(root, s *jsonschema.Schema, values map[string]any) {
	for name, value := range values {
		p, ok := s.Properties.Get(name)
		if !ok {
			continue
		}
		inner, isObject := value.(map[string]any)
		switch {
		case isObject && len(inner) == 0: // a required member that a file without it has not
		case isObject && uses(root, p.Ref) == 1:
			setDefaults(root, definition(root, p.Ref), inner)
		case value != "" && value != false && value != nil:
			p.Default = value
		}
	}
}

// forReaders is a comment as a page shows it: without line breaks, nor the Go name that some
// begin with ("OutsideVPC: the functions run…").
func forReaders(name, comment string) string {
	comment = strings.Join(strings.Fields(comment), " ")
	goName := name[strings.LastIndexByte(name, '.')+1:]
	if rest, ok := strings.CutPrefix(comment, goName+": "); ok {
		return strings.ToUpper(rest[:1]) + rest[1:]
	}
	return comment
}

func definitions(s *jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	for _, d := range s.Definitions {
		all = append(all, d)
	}
	return all
}

func definition(root *jsonschema.Schema, ref string) *jsonschema.Schema {
	return root.Definitions[strings.TrimPrefix(ref, "#/$defs/")]
}

// properties are those of an object, in the order of the type's fields.
func properties(s *jsonschema.Schema) func(func(*jsonschema.Schema, string) bool) {
	return func(yield func(*jsonschema.Schema, string) bool) {
		for p := s.Properties.Oldest(); p != nil; p = p.Next() {
			if !yield(p.Value, p.Key) {
				return
			}
		}
	}
}

// uses counts the properties that have a definition.
func uses(root *jsonschema.Schema, ref string) int {
	n := 0
	for _, d := range append([]*jsonschema.Schema{root}, definitions(root)...) {
		for p := range properties(d) {
			if ref != "" && p.Ref == ref {
				n++
			}
		}
	}
	return n
}
