// Package examples holds complete files of deployments, as rekey init writes them.
package examples

import "embed"

// Files are the examples: minimal.yaml and others.
//
//go:embed *.yaml
var Files embed.FS
