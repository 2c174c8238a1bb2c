package config

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
)

// Load reads a file and checks all of it.
func Load(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text)
}

// Parse is Load of a text; name stands in the errors.
func Parse(name string, text []byte) (*File, error) {
	document, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f := Default()
	if err := json.Unmarshal(document, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &f, nil
}
