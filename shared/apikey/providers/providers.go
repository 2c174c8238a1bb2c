// Package providers holds the providers that come with rekey: a YAML file each,
// in the format of shared/apikey/declarative.
package providers

import "embed"

// Files are the providers, named as their files: datadog.yaml.
//
//go:embed *.yaml
var Files embed.FS

// Schema is the JSON Schema of the files.
//
//go:embed schema.json
var Schema []byte

//go:generate go run ./generate
