// Package providers holds the providers that come with rekey: a YAML file each,
// in the format of shared/apikey/declarative.
package providers

import (
	"embed"
	"fmt"
	"io/fs"
	"os"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Files are the providers, named as their files: datadog.yaml.
//
//go:embed *.yaml
var Files embed.FS

// Schema is the JSON Schema of the files.
//
//go:embed schema.json
var Schema []byte

//go:generate go run ./generate

// Folders are a deployment's own folder of files, if dir is not "", and those that
// ship. ErrConfig if there is no such folder: else its vendors would be unknown,
// or be taken for the ones that ship.
func Folders(dir string) ([]fs.FS, error) {
	if dir == "" {
		return []fs.FS{Files}, nil
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return []fs.FS{Files}, rotation.WithHint(fmt.Errorf("reading the function's settings: PROVIDERS_DIR is no folder that can be read: %w", rotation.ErrConfig),
			"Put the folder into the function's package (/var/task) or a layer (/opt), and set its whole path.")
	}
	return []fs.FS{os.DirFS(dir), Files}, nil
}
