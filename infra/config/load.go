package config

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// Load reads a file and checks all of it. Everything wrong with its content is one [*InvalidError].
func Load(name string) (*File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, text)
}

// Parse is Load of a text; name stands in the errors, and says which folder providers is in.
func Parse(name string, text []byte) (*File, error) {
	t := read(text)
	t.findSecrets(nil, t.root)
	t.checkShape()
	f := Default()
	if object, ok := t.root.(map[string]any); ok {
		if err := decode(object, &f); err != nil { // the schema lets through what a type does not take
			return nil, err
		}
		c := &checker{File: &f, tree: t, shape: len(t.found)}
		c.readVendors(filepath.Dir(name))
		c.all()
	}
	if err := t.err(name); err != nil {
		return nil, err
	}
	return &f, nil
}

func decode(object map[string]any, f *File) error {
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, f)
}
