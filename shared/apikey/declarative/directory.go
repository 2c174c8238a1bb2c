package declarative

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Directory finds providers by name in folders of files. The first folder that
// has the file counts, so that a deployment's own come before those that ship.
// Files are read when they are needed. It is safe for several goroutines.
type Directory struct {
	folders []fs.FS
	config  Config

	mu    sync.Mutex
	known map[string]*Provider
}

// NewDirectory looks in folders, in order.
func NewDirectory(c Config, folders ...fs.FS) *Directory {
	return &Directory{folders: folders, config: c, known: map[string]*Provider{}}
}

// named tells names, which are those of files, from paths.
func named(name string) bool {
	return name != "" && len(name) <= 63 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Provider finds a provider. ErrConfig if there is none, or if its file is wrong.
func (d *Directory) Provider(name string) (apikey.Provider, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p, ok := d.known[name]; ok {
		return p, nil
	}
	if named(name) {
		for _, folder := range d.folders {
			file := name + ".yaml"
			content, err := fs.ReadFile(folder, file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("reading the provider's file %s: %w", file, rotation.ErrConfig)
			}
			p, err := New(file, content, d.config)
			if err != nil {
				return nil, rotation.WithHint(err, "Correct the provider's file; rekey provider test tells what is wrong before it is deployed.")
			}
			if p.File().Provider != name {
				return nil, rotation.WithHint(fmt.Errorf("%s: the provider is called %q: %w", file, p.File().Provider, rotation.ErrConfig), "A provider is called as its file is.")
			}
			d.known[name] = p
			return p, nil
		}
	}
	return nil, rotation.WithHint(fmt.Errorf("there is no provider %q: %w", clip(name), rotation.ErrConfig),
		fmt.Sprintf(`"provider" must be one of %s, or the name of a file that the deployment adds.`, strings.Join(d.Names(), ", ")))
}

// Names are those of all files, sorted.
func (d *Directory) Names() []string {
	var all []string
	for _, folder := range d.folders {
		files, _ := fs.Glob(folder, "*.yaml") // the pattern is well formed
		for _, f := range files {
			all = append(all, strings.TrimSuffix(f, ".yaml"))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
