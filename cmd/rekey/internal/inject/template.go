package inject

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/fetch"
)

// document is a template that was read, and what it asks for.
type document struct {
	parsed     *template.Template
	references []reference // in their order in the text
}

// reference is one {{secret "name" "field"}}.
type reference struct {
	name, field string // no field: the whole value
	place       string // file:line:column
}

// key tells references to the same value from others.
func (r reference) key() [2]string { return [2]string{r.name, r.field} }

// newDocument reads a template, and finds all that it asks for, before anything is fetched.
func newDocument(name, text string) (*document, error) {
	notYet := func(string, ...string) (string, error) { return "", errors.New("not fetched yet") }
	parsed, err := template.New(name).Funcs(quoting).Funcs(template.FuncMap{"secret": notYet}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the template cannot be read: %s", plain(err))
	}
	d := &document{parsed: parsed}
	for _, t := range parsed.Templates() {
		if t.Tree == nil {
			continue
		}
		w := walk{tree: t.Tree}
		w.list(t.Root)
		if w.err != nil {
			return nil, w.err
		}
		d.references = append(d.references, w.references...)
	}
	return d, nil
}

// plain is the text of a template's error: place, and what is wrong there.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "template: ") }

// execute fetches the secrets, each once, and puts them in. Its errors hold no value.
func (d *document) execute(ctx context.Context, source fetch.Source) ([]byte, error) {
	values, err := d.fetch(ctx, source)
	if err != nil {
		return nil, err
	}
	result, err := d.fill(values)
	if err != nil {
		return nil, d.failed(err, values)
	}
	return result, nil
}

// fill executes. Its errors may hold a value.
func (d *document) fill(values map[[2]string]string) ([]byte, error) {
	d.parsed.Funcs(template.FuncMap{"secret": func(name string, field ...string) string {
		return values[reference{name: name, field: strings.Join(field, "")}.key()]
	}})
	var result bytes.Buffer
	err := d.parsed.Execute(&result, struct{}{})
	return result.Bytes(), err
}

// fetch gets the values. All fields that are missing are named at once.
func (d *document) fetch(ctx context.Context, source fetch.Source) (map[[2]string]string, error) {
	secrets := map[string]fetch.Secret{}
	values := map[[2]string]string{}
	var missing []error
	for _, r := range d.references {
		secret, known := secrets[r.name]
		if !known {
			var err error
			if secret, err = fetch.Read(ctx, source, r.name, fetch.Version{}); err != nil {
				return nil, fmt.Errorf("%s: %w", r.place, err)
			}
			secrets[r.name] = secret
		}
		value := secret.Reveal()
		if r.field != "" {
			var err error
			if value, err = secret.Field(r.field); err != nil {
				missing = append(missing, fmt.Errorf("%s: %w", r.place, err))
				continue
			}
		}
		values[r.key()] = value
	}
	return values, errors.Join(missing...)
}

// failed is an error of filling in, without the values. The template language's own errors may
// have a value, a part of it or what became of it: {{range secret "x" | base64}} says what cannot
// be iterated over. So the error is told that comes of other values, of the same length.
func (d *document) failed(err error, values map[[2]string]string) error {
	others := map[[2]string]string{}
	for key, value := range values {
		others[key] = strings.Repeat("x", len(value))
	}
	text := plain(err)
	if _, again := d.fill(others); again != nil {
		text = plain(again)
	} else if !errors.As(err, new(quotingError)) {
		place, _, _ := strings.Cut(text, ": executing ")
		text = place + ": what a secret is used for cannot be done with its value"
	}
	return fmt.Errorf("the template cannot be filled in: %s", text)
}
