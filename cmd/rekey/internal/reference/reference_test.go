package reference

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

type account struct {
	Region string `group:"AWS" help:"Where."`
}

type show struct {
	Name   string   `arg:"" placeholder:"NAME" help:"Which; a|b."`
	More   []string `arg:"" optional:""`
	Form   string   `short:"f" enum:"x,y" default:"x" help:"${default} if not given, in <angles> and *stars*." placeholder:"FORM"`
	Wait   bool     `negatable:"" default:"true"`
	Secret bool     `hidden:""`

	account
}

func (show) Help() string { return "First.\n\nSecond:\n\n\tan example --form x" }

type grammar struct {
	Show  show `cmd:"" group:"Looking" help:"Shows."`
	Alone struct {
		Region string `group:"AWS"`
	} `cmd:"" help:"Alone."`
	Under struct {
		Deep struct{} `cmd:"" help:"Deep."`
	} `cmd:"" group:"Looking" help:"Has others under it."`
	Hidden struct{} `cmd:"" hidden:""`
}

func TestPage(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&grammar{}, kong.Name("x"))
	if err != nil {
		t.Fatal(err)
	}
	page := Page(parser.Model)
	at := 0
	for _, want := range []string{
		"# The command line\n", "| [`x show`](#x-show) | Shows. |\n", "| [`x under`](#x-under) |", "| [`x alone`](#x-alone) |",
		"\n## Looking\n", "\n### x show\n\nShows.\n\n```text\nx show [flags] NAME [MORE…]\n```\n\nFirst.\n\nSecond:\n\n\tan example --form x\n",
		"| `NAME` | Which; a\\|b. |\n| `MORE` |  |\n", "| `-f`, `--form=FORM` | x if not given, in \\<angles> and \\*stars\\*. |\n", "| `--[no-]wait` |",
		"\nAnd the [flags of the account](#account).\n", "\n### x under\n", "\n#### x under deep\n\nDeep.\n",
		"\n## Others\n", "\n### x alone\n", "\nIt has the [flags of the account](#account).\n",
	} {
		i := strings.Index(page[at:], want)
		if i < 0 {
			t.Fatalf("no %q after byte %d of:\n%s", want, at, page)
		}
		at += i + len(want)
	}
	for _, unwanted := range []string{"idden", "--secret", "--region` | Where", "--help"} {
		if strings.Contains(page[strings.Index(page, "## Commands"):], unwanted) {
			t.Errorf("%q is in it", unwanted)
		}
	}
}
