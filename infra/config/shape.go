package config

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Schema is the JSON Schema of the file.
//
//go:embed rekey.schema.json
var Schema []byte

const schemaName = "rekey.schema.json"

// shape is the schema, compiled and as it is written: it is the program's own, so that what
// is wrong with it is a defect.
var shape = sync.OnceValues(func() (*jsonschema.Schema, any) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaName, document); err != nil {
		panic(err)
	}
	return c.MustCompile(schemaName), document
})

// checkShape finds where the document is not as the schema has it, and takes that out.
func (t *tree) checkShape() {
	if t.root == nil {
		return
	}
	schema, _ := shape()
	var invalid *jsonschema.ValidationError
	if errors.As(schema.Validate(t.root), &invalid) {
		t.explain(invalid)
	}
}

// explain finds a problem for each leaf of the schema's errors.
func (t *tree) explain(e *jsonschema.ValidationError) {
	at := path(e.InstanceLocation)
	for _, cause := range e.Causes {
		t.explain(cause)
	}
	if len(e.Causes) > 0 || t.has(at) {
		return
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			t.unknown(at.to(name), name, e)
		}
		return
	case *kind.Required:
		for _, name := range k.Missing {
			if !t.has(at.to(name)) {
				t.add(at, name+" is missing", strings.TrimSuffix(described(e, name), "."))
			}
		}
		return
	}
	wrong, remedy := t.mismatch(at, e)
	t.add(at, wrong, remedy)
	t.drop(at)
}

// mismatch words an error about one value.
func (t *tree) mismatch(at path, e *jsonschema.ValidationError) (wrong, remedy string) {
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return t.mistyped(at, k)
	case *kind.Enum:
		var all []string
		for _, v := range k.Want {
			all = append(all, fmt.Sprint(v))
		}
		return quoted(at, k.Got) + " is not allowed", oneOf(k.Got, all)
	case *kind.Pattern:
		return quoted(at, k.Got) + " is not allowed", "use " + title(e)
	case *kind.Minimum:
		return number(k.Got) + " is too small", "the least is " + number(k.Want)
	case *kind.Maximum:
		return number(k.Got) + " is too large", "the most is " + number(k.Want)
	case *kind.MinItems:
		return "the list has too few members", fmt.Sprintf("it needs at least %d", k.Want)
	case *kind.MinLength:
		return "it is empty", "give it a value, or leave the key out"
	case *kind.MaxLength:
		return "it is too long", fmt.Sprintf("the most is %d characters", k.Want)
	case *kind.UniqueItems:
		return "a member is there twice", "remove one of the two"
	}
	return "it is not as it should be", "see docs/config.md"
}

func (t *tree) mistyped(at path, k *kind.Type) (wrong, remedy string) {
	words := map[string]string{
		"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
		"array": "a list", "object": "keys with values", "null": "nothing",
	}
	want := words[k.Want[0]]
	switch {
	case k.Want[0] == "string" && (k.Got == "number" || k.Got == "boolean"):
		return "it is " + words[k.Got] + " and should be text", "put it in quotes"
	case k.Want[0] == "array":
		remedy = "write [a, b], or one member a line after a hyphen"
	case k.Want[0] == "object" && at == nil:
		remedy = "begin with name: …; rekey init writes an example"
	}
	return "it is " + words[k.Got] + " and should be " + want, remedy
}

// unknown is a key that the schema has not.
func (t *tree) unknown(at path, name string, e *jsonschema.ValidationError) {
	allowed := known(e)
	switch near := nearest(name, allowed); {
	case t.has(at):
	case len(allowed) == 0 && title(e) != "": // the keys are names
		t.add(at, fmt.Sprintf("the name %s is not allowed", quoted(at, name)), "use "+title(e))
	case len(allowed) == 0:
		t.add(at, "there is no such key here", "write {}")
	case near != "":
		t.add(at, "there is no such key here", fmt.Sprintf("did you mean %s?", near))
	default:
		t.add(at, "there is no such key here", "allowed are "+strings.Join(allowed, ", "))
	}
	t.drop(at)
}

func oneOf(got any, allowed []string) string {
	remedy := "use one of " + strings.Join(allowed, ", ")
	if text, ok := got.(string); ok {
		if near := nearest(text, allowed); near != "" {
			remedy = fmt.Sprintf("did you mean %s? Else %s", near, remedy)
		}
	}
	return remedy
}

// drop takes a refused value out, so that what remains can be looked at.
func (t *tree) drop(at path) {
	if len(at) == 0 {
		t.root = nil
		return
	}
	last := at[len(at)-1]
	switch around := valueAt(t.root, at[:len(at)-1]).(type) {
	case map[string]any:
		delete(around, last)
	case []any:
		if i, err := strconv.Atoi(last); err == nil && i < len(around) {
			around[i] = nil
		}
	}
}

func valueAt(v any, at path) any {
	for _, step := range at {
		switch around := v.(type) {
		case map[string]any:
			v = around[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(around) {
				return nil
			}
			v = around[i]
		default:
			return nil
		}
	}
	return v
}

// has says whether something was found at a path already.
func (t *tree) has(at path) bool {
	return slices.ContainsFunc(t.found, func(p Problem) bool { return p.Path == at.String() && len(at) > 0 })
}

// written is the schema that an error is of.
func written(e *jsonschema.ValidationError) map[string]any {
	_, document := shape()
	_, pointer, _ := strings.Cut(e.SchemaURL, "#")
	var at path
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		if step != "" {
			at = append(at, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
		}
	}
	schema, _ := valueAt(document, at).(map[string]any)
	return schema
}

// title says what a text must look like.
func title(e *jsonschema.ValidationError) string {
	schema := written(e)
	for _, key := range []string{"title", "description"} {
		if text, ok := schema[key].(string); ok {
			return text
		}
	}
	return ""
}

func known(e *jsonschema.ValidationError) []string {
	properties, _ := written(e)["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(properties))
}

func described(e *jsonschema.ValidationError, property string) string {
	text, _ := valueAt(written(e), path{"properties", property, "description"}).(string)
	return text
}

func number(r *big.Rat) string { return strings.TrimSuffix(r.FloatString(2), ".00") }
