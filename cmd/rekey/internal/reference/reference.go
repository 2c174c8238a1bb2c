// Package reference writes docs/cli.md from the commands themselves.
package reference

import (
	_ "embed"
	"fmt"
	"go/doc/comment"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// Command is the hidden command that go generate runs.
type Command struct {
	File string `arg:"" type:"path" help:"The page to write."`
}

// Run writes.
func (c *Command) Run(parsed *kong.Context) error {
	return os.WriteFile(c.File, []byte(Page(parsed.Model)), 0o644) //nolint:gosec // a page in the source tree is public
}

//go:embed conventions.md
var conventions string

// Page is the page, in Markdown: what holds for all commands, then each of them.
func Page(app *kong.Application) string {
	var page strings.Builder
	page.WriteString("<!-- Written by go generate ./cmd/rekey: change the commands, or cmd/rekey/internal/reference/conventions.md. -->\n")
	page.WriteString(conventions)
	groups := grouped(app)
	page.WriteString("\n## Commands\n\n| Command | |\n|---|---|\n")
	for _, g := range groups {
		for _, n := range g.commands {
			fmt.Fprintf(&page, "| [`%s`](#%s) | %s |\n", n.FullPath(), strings.ReplaceAll(n.FullPath(), " ", "-"), cell(n.Help))
		}
	}
	for _, g := range groups {
		fmt.Fprintf(&page, "\n## %s\n", g.title)
		for _, n := range g.commands {
			section(&page, n, "###")
		}
	}
	return page.String()
}

type group struct {
	title    string
	commands []*kong.Node
}

// grouped has the commands under their groups, in the order of both.
func grouped(app *kong.Application) []group {
	var groups []group
	for _, n := range app.Children {
		if n.Hidden {
			continue
		}
		title := "Others"
		if g := n.ClosestGroup(); g != nil {
			title = g.Title
		}
		at := 0
		for at < len(groups) && groups[at].title != title {
			at++
		}
		if at == len(groups) {
			groups = append(groups, group{title: title})
		}
		groups[at].commands = append(groups[at].commands, n)
	}
	return groups
}

// section is a command, and those under it.
func section(page *strings.Builder, n *kong.Node, heading string) {
	fmt.Fprintf(page, "\n%s %s\n\n%s\n\n```text\n%s\n```\n", heading, n.FullPath(), cell(n.Help), usage(n))
	if n.Detail != "" {
		page.WriteString("\n" + prose(n.Detail))
	}
	arguments(page, n)
	flags(page, n)
	for _, child := range n.Children {
		if !child.Hidden {
			section(page, child, heading+"#")
		}
	}
}

// usage is the line to type.
func usage(n *kong.Node) string {
	words := []string{n.FullPath()}
	if len(n.Flags) > 0 {
		words = append(words, "[flags]")
	}
	for _, p := range n.Positional {
		words = append(words, argument(p))
	}
	if len(n.Children) > 0 {
		words = append(words, "COMMAND")
	}
	return strings.Join(words, " ")
}

func argument(p *kong.Positional) string {
	name := p.Tag.PlaceHolder
	if name == "" {
		name = strings.ToUpper(p.Name)
	}
	if p.IsCumulative() {
		name += "…"
	}
	if !p.Required {
		name = "[" + name + "]"
	}
	return name
}

func arguments(page *strings.Builder, n *kong.Node) {
	if len(n.Positional) == 0 {
		return
	}
	page.WriteString("\n| Argument | |\n|---|---|\n")
	for _, p := range n.Positional {
		fmt.Fprintf(page, "| `%s` | %s |\n", strings.Trim(argument(p), "[]…"), cell(p.Help))
	}
}

// accountGroup is the group of the flags that conventions.md tells once for all.
const accountGroup = "AWS"

func flags(page *strings.Builder, n *kong.Node) {
	var own []*kong.Flag
	account := false
	for _, f := range n.Flags {
		switch {
		case f.Hidden || f.Name == "help":
		case f.Group != nil && f.Group.Key == accountGroup:
			account = true
		default:
			own = append(own, f)
		}
	}
	if len(own) > 0 {
		page.WriteString("\n| Flag | |\n|---|---|\n")
	}
	for _, f := range own {
		fmt.Fprintf(page, "| %s | %s |\n", name(f), cell(f.Help))
	}
	switch {
	case account && len(own) > 0:
		page.WriteString("\nAnd the [flags of the account](#account).\n")
	case account:
		page.WriteString("\nIt has the [flags of the account](#account).\n")
	}
}

func name(f *kong.Flag) string {
	text := "--" + f.Name
	if f.Tag.Negatable == "_" { // kong's word for --no- before the name
		text = "--[no-]" + f.Name
	}
	if !f.IsBool() && !f.IsCounter() {
		text += "=" + f.FormatPlaceHolder()
	}
	text = "`" + text + "`"
	if f.Short != 0 {
		text = fmt.Sprintf("`-%c`, %s", f.Short, text)
	}
	return text
}

// prose is a text of a command in Markdown. Such texts are written as Go's comments are:
// https://go.dev/doc/comment
func prose(text string) string {
	var parser comment.Parser
	var printer comment.Printer
	return string(printer.Markdown(parser.Parse(text)))
}

// cell is a text for a table, on one line.
func cell(text string) string {
	line := strings.Join(strings.Fields(prose(text)), " ")
	return strings.ReplaceAll(line, "|", `\|`)
}
