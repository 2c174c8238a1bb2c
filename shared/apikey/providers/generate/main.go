// Command generate writes the JSON Schema of provider files from the Go types
// that read them, and the page about vendors from the files.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/invopop/jsonschema"

	"github.com/rekey-aws/rekey/shared/apikey/declarative"
)

func main() {
	r := &jsonschema.Reflector{RequiredFromJSONSchemaTags: true, Anonymous: true}
	// Run by go generate in the folder of the providers.
	if err := r.AddGoComments("github.com/rekey-aws/rekey/shared/apikey/providers", "../declarative", jsonschema.WithFullComment()); err != nil {
		log.Fatal(err)
	}
	schema := r.Reflect(&declarative.File{})
	schema.Title = "A provider of rekey"
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("schema.json", append(text, '\n'), 0o644); err != nil {
		log.Fatal(err)
	}
	files, err := declarative.Files(os.DirFS("."))
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("../../../docs/vendors.md", []byte(table(files)), 0o644); err != nil {
		log.Fatal(err)
	}
}
