package completion

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// grammar has what command lines can have.
type grammar struct {
	Verbose bool `short:"v"`
	Read    struct {
		Name   string   `arg:""`
		Kinds  []string `arg:"" optional:"" enum:"red,green"`
		Form   string   `enum:",table,json" default:""`
		Tag    []string
		File   string `type:"path" short:"o"`
		Folder string `type:"existingdir"`
		Hidden bool   `hidden:""`
		Wait   bool   `negatable:"" default:"true"`
	} `cmd:"" aliases:"r" help:"Reads."`
	Remote struct {
		Run struct {
			Command []string `arg:"" passthrough:""`
		} `cmd:""`
	} `cmd:""`
	Secret struct{} `cmd:"" hidden:""`
}

func TestComplete(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&grammar{}, kong.Name("x"))
	if err != nil {
		t.Fatal(err)
	}
	for written, want := range map[string]string{
		"":                         "read remote :words",
		"re":                       "read remote :words",
		"rea":                      "read :words",
		"sec":                      ":words",
		"nowhere ":                 "read remote :words",
		"-":                        "--help --verbose :words",
		"-v --verb":                ":words", // it is there already
		"--unknown re":             "read remote :words",
		"read ":                    ":words", // a name is nobody's to guess
		"read name ":               "red green :words",
		"r name red g":             "green :words",
		"read --f":                 "--form --file --folder :words",
		"read --wa":                "--wait :words",
		"read --no":                "--no-wait :words",
		"read --no-wait --wa":      ":words",
		"read --form ":             "table json :words",
		"read --form=":             "--form=table --form=json :words",
		"read --form=j":            "--form=json :words",
		"read --form table name r": "red :words",
		"read --form=table --form": ":words",
		"read --tag a --tag":       "--tag :words", // may come again
		"read --tag red ":          ":words",
		"read -o ":                 ":files",
		"read --file=a":            ":files",
		"read --folder ":           ":folders",
		"read --nothing=":          ":words",
		"read --hid":               ":words",
		"read -- --f":              ":words", // no flag any more
		"remote run ":              ":files",
		"remote run -- psql -":     ":files",
		"remote run psql --verb":   ":files", // the flag would be psql's
	} {
		a := complete(parser.Model.Node, strings.Split(written, " "))
		var got []string
		for _, w := range a.words {
			got = append(got, a.prefix+w.text)
		}
		if got := strings.Join(append(got, ":"+string(a.kind)), " "); got != want {
			t.Errorf("%q: %s, want %s", written, got, want)
		}
	}
	if a := complete(parser.Model.Node, nil); len(a.words) != 2 {
		t.Errorf("nothing written: %v", a)
	}
}

func TestJoined(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]struct {
		whole string
		split bool
	}{
		"":                {"", false},
		"a b":             {"a b", false},
		"a --f = v":       {"a --f=v", true},
		"a --f =":         {"a --f=", true},
		"a --f = v b":     {"a --f=v b", false},
		"= a":             {"= a", false},
		"--f = v --g = w": {"--f=v --g=w", true},
	} {
		whole, split := joined(strings.Split(written, " "))
		if !slices.Equal(whole, strings.Split(want.whole, " ")) || split != want.split {
			t.Errorf("%q: %q, %t", written, whole, split)
		}
	}
}

// Whatever is written, completing it is possible.
func FuzzComplete(f *testing.F) {
	f.Add("read --form = table")
	f.Add("- -- --= = ")
	parser, err := kong.New(&grammar{}, kong.Name("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, written string) {
		words, _ := joined(strings.Split(written, " "))
		for _, w := range complete(parser.Model.Node, words).words {
			if w.text == "" || strings.ContainsAny(w.text, " \t\n") {
				t.Errorf("%q: %q", written, w.text)
			}
		}
	})
}
