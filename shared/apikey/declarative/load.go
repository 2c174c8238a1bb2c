package declarative

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile is more than any provider needs, in bytes.
const maxFile = 256 << 10

// Read reads one file. name is for errors, which are *[InvalidError] and tell
// everything that is wrong, with its line.
func Read(name string, content []byte) (File, error) {
	f, _, err := read(name, content)
	return f, err
}

func read(name string, content []byte) (f File, prog *program, err error) {
	p := &problems{lines: map[string]int{}}
	body := p.document(content)
	if body == nil {
		return f, nil, p.err(name)
	}
	p.shape(body, reflect.TypeFor[File](), "")
	if len(p.found) > 0 {
		return f, nil, p.err(name)
	}
	if err := yaml.NodeToValue(body, &f); err != nil {
		p.add("", "%s", firstLine(err))
		return f, nil, p.err(name)
	}
	prog = p.compileFile(f)
	return f, prog, p.err(name)
}

// document is the one YAML document of the content.
func (p *problems) document(content []byte) ast.Node {
	if len(content) > maxFile {
		p.add("", "is larger than %d bytes", maxFile)
		return nil
	}
	tree, err := parser.ParseBytes(content, 0)
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil {
			p.found = append(p.found, Problem{Line: syntax.GetToken().Position.Line, Reason: syntax.GetMessage()})
			return nil
		}
		p.add("", "%s", firstLine(err))
		return nil
	}
	docs := slices.DeleteFunc(tree.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	if len(docs) != 1 {
		p.add("", "holds %d YAML documents: a provider is one", len(docs))
		return nil
	}
	return docs[0].Body
}

// Files reads every *.yaml of a folder, by name of the provider, which is the
// name of the file too. Errors are *[InvalidError], joined.
func Files(folder fs.FS) (map[string]File, error) {
	names, err := fs.Glob(folder, "*.yaml")
	if err != nil {
		return nil, err
	}
	files := make(map[string]File, len(names))
	var wrong []error
	for _, name := range names {
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: it cannot be read", name))
			continue
		}
		f, err := Read(name, content)
		if stem := strings.TrimSuffix(path.Base(name), ".yaml"); err == nil && f.Provider != stem {
			err = &InvalidError{File: name, Problems: []Problem{{Path: "provider", Reason: fmt.Sprintf("is %q: it must be the file's name, %q", f.Provider, stem)}}}
		}
		wrong = append(wrong, err)
		files[f.Provider] = f
	}
	return files, errors.Join(wrong...)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
