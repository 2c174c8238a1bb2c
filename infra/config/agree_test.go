package config_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/rekey-aws/rekey/examples"
	"github.com/rekey-aws/rekey/infra/config"
)

// schema is what an editor has: the published schema, and a YAML reader that is not ours.
type schema struct{ compiled *jsonschema.Schema }

func published(t testing.TB) schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("rekey.schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("rekey.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema{compiled}
}

// accepts says whether the schema takes a document; a document that the other reader does
// not read is not accepted.
func (s schema) accepts(text []byte) bool {
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		return false
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	return err == nil && s.compiled.Validate(document) == nil
}

func TestExamplesAreValidInEditors(t *testing.T) {
	t.Parallel()
	s := published(t)
	for name, text := range allExamples(t) {
		if !s.accepts(text) {
			t.Errorf("%s: the schema refuses it", name)
		}
	}
}

// Whatever is done to an example, the loader accepts nothing that the schema refuses, and
// refuses nothing but contradictions that the schema accepts.
func TestLoaderAndSchemaAgree(t *testing.T) {
	t.Parallel()
	s := published(t)
	var seeds []any
	for _, text := range allExamples(t) {
		var document any
		if err := yaml.Unmarshal(text, &document); err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, document)
	}
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		seed := seeds[rapid.IntRange(0, len(seeds)-1).Draw(t, "seed")]
		document := mutated(t, seed, rapid.IntRange(0, 3).Draw(t, "changes"))
		text, err := json.Marshal(document) // JSON is YAML
		if err != nil {
			t.Fatal(err)
		}
		_, err = config.Parse("rekey.yaml", text)
		allowed := s.compiled.Validate(roundTrip(text)) == nil
		switch {
		case err == nil && !allowed:
			t.Fatalf("the loader takes what the schema refuses: %s", text)
		case err != nil && !allowed, err == nil:
		default: // a contradiction: none of the words for a wrong shape
			for _, words := range []string{"there is no such key", "and should be", "is not allowed", "is missing"} {
				if strings.Contains(err.Error(), words) {
					t.Fatalf("the schema takes what the loader refuses for its shape: %v", err)
				}
			}
		}
		if err == nil {
			accepted++
		} else {
			refused++
		}
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted, %d refused: the test compares nothing", accepted, refused)
	}
}

func roundTrip(text []byte) any {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	return v
}

// mutated is a copy with so many members changed, removed or added.
func mutated(t *rapid.T, v any, changes int) any {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var root any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	for range changes {
		change(t, root)
	}
	return root
}

var odd = rapid.SampledFrom([]any{
	"", "x", 7, -1, 2.5, true,
	[]any{},
	[]any{"a", "a"},
	map[string]any{},
	map[string]any{"every": "30d"},
	"30d", "eu-west-1", "arn:aws:iam::123456789012:role/x",
})

// change walks down from v and changes one member on the way.
func change(t *rapid.T, v any) {
	switch around := v.(type) {
	case map[string]any:
		if len(around) == 0 {
			around["extra"] = odd.Draw(t, "value")
			return
		}
		// A map's own order is no choice that rapid could repeat.
		key := rapid.SampledFrom(slices.Sorted(maps.Keys(around))).Draw(t, "key")
		switch rapid.IntRange(0, 5).Draw(t, "deed") {
		case 0:
			delete(around, key)
		case 1:
			around[key] = odd.Draw(t, "value")
		case 2:
			around[key+"x"] = around[key]
		default:
			change(t, around[key])
		}
	case []any:
		if len(around) == 0 {
			return
		}
		i := rapid.IntRange(0, len(around)-1).Draw(t, "index")
		if rapid.Bool().Draw(t, "change") {
			around[i] = odd.Draw(t, "value")
			return
		}
		change(t, around[i])
	}
}

func allExamples(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	names, err := fs.Glob(examples.Files, "*.yaml")
	if err != nil || len(names) < 3 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		if all[name], err = examples.Files.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// Any text is read or refused, and what is taken is valid under the schema.
func FuzzParse(f *testing.F) {
	s := published(f)
	for _, text := range allExamples(f) {
		f.Add(text)
	}
	broken, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range broken {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := config.Parse("rekey.yaml", text)
		if err != nil {
			return
		}
		for _, secret := range file.Secrets() {
			if secret.Name == "" || secret.Schedule.Expression() == "" {
				t.Errorf("%+v", secret)
			}
		}
		if asJSON, err := yaml.YAMLToJSON(text); err == nil && s.compiled.Validate(roundTrip(asJSON)) != nil {
			t.Errorf("the loader takes what the schema refuses: %s", text)
		}
	})
}
