// Command generate writes docs/detections.md from the catalogue. It runs by go generate in
// shared/audit.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"strings"
	"text/template"

	"github.com/rekey-aws/rekey/shared/audit"
)

//go:embed detections.md.tmpl
var page string

const file = "../../docs/detections.md"

func main() {
	text, err := render()
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func render() ([]byte, error) {
	t, err := template.New("detections.md").Funcs(template.FuncMap{
		"events": needed, "join": strings.Join, "technique": technique, "capital": capital,
	}).Parse(page)
	if err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		Detections []*audit.Detection
		Rules      []audit.Rule
	}{audit.Catalogue(), audit.Rules(audit.Catalogue())})
	if err != nil {
		return nil, fmt.Errorf("filling in the template: %w", err)
	}
	return b.Bytes(), nil
}

// needed names the events that a detection looks at.
func needed(d *audit.Detection) string {
	var parts []string
	for _, n := range d.Needs {
		if n.Kind == audit.Scan {
			parts = append(parts, "a scheduled look at the secrets")
			continue
		}
		names := make([]string, len(n.Names))
		for i, name := range n.Names {
			names[i] = "`" + name + "`"
		}
		what := strings.Join(names, ", ")
		switch {
		case n.Kind == audit.ServiceEvent:
			what += " (service events)"
		case n.ReadOnly:
			what += " (reads)"
		}
		parts = append(parts, what)
	}
	return strings.Join(parts, "; ")
}

// technique links one of MITRE ATT&CK's.
func technique(id string) string {
	return "[" + id + "](https://attack.mitre.org/techniques/" + strings.ReplaceAll(id, ".", "/") + "/)"
}

func capital(s audit.Severity) string {
	name := s.String()
	return strings.ToUpper(name[:1]) + name[1:]
}
