// Package provider is what rekey provider does: it lists the providers that ship, shows their
// files, and tries a file out on a vendor or on a recording of one.
package provider

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/generated"
	"github.com/rekey-aws/rekey/shared/apikey/iamkey"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
)

// Command is rekey provider.
type Command struct {
	List ListCommand `cmd:"" help:"List the providers that ship."`
	Show ShowCommand `cmd:"" help:"Print the file of a provider, to begin one's own with."`
	Test TestCommand `cmd:"" help:"Check a provider's file, and try it on a vendor or on a recording; every request is explained."`
}

// ListCommand is rekey provider list.
type ListCommand struct {
	JSON bool `name:"json" help:"Print a JSON array."`
}

type listed struct {
	Provider string       `json:"provider"`
	Title    string       `json:"title"`
	Class    apikey.Class `json:"class"`
	Limit    int          `json:"limit,omitempty"`
	Notes    []string     `json:"notes,omitempty"`
}

// Run lists.
func (c *ListCommand) Run(out io.Writer, screen *terminal.Terminal) error {
	files, err := declarative.Files(providers.Files)
	if err != nil {
		return err
	}
	var all []listed
	for _, name := range declarative.NewDirectory(declarative.Config{}, providers.Files).Names() {
		f := files[name]
		all = append(all, listed{f.Provider, f.Title, f.Class, f.Limit, f.Notes})
	}
	all = append(all, programs()...)
	if c.JSON {
		return printJSON(out, all)
	}
	for _, l := range all {
		screen.Println(fmt.Sprintf("%-26s %-9s %s", l.Provider, l.Class, screen.Dim(l.Title)))
	}
	return screen.Err()
}

// programs are the providers that are no files.
func programs() []listed {
	all := []listed{{Provider: iamkey.Name, Title: "Access keys of IAM users", Class: apikey.Dual, Limit: 2}}
	made := generated.Providers(generated.Config{})
	for _, name := range slices.Sorted(maps.Keys(made)) {
		all = append(all, listed{Provider: name, Title: "Made here, not by a vendor", Class: made[name].Traits().Class})
	}
	return all
}

func printJSON(out io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(out, "%s\n", text)
	}
	return err
}

// ShowCommand is rekey provider show.
type ShowCommand struct {
	Name string `arg:"" help:"The provider's name."`
}

// Run shows.
func (c *ShowCommand) Run(out io.Writer) error {
	content, err := fs.ReadFile(providers.Files, c.Name+".yaml")
	if err != nil {
		if slices.ContainsFunc(programs(), func(l listed) bool { return l.Provider == c.Name }) {
			return fmt.Errorf("%s is a program, and has no file", c.Name)
		}
		known := declarative.NewDirectory(declarative.Config{}, providers.Files).Names()
		return fmt.Errorf("there is no provider %q; there are %s", c.Name, strings.Join(known, ", "))
	}
	_, err = out.Write(content)
	return err
}
