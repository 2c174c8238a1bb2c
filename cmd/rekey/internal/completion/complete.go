package completion

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// kind is what can follow.
type kind string

const (
	words   kind = "words" // those of the answer, and no others
	files   kind = "files"
	folders kind = "folders"
)

// answer is what can stand where a word is being written.
type answer struct {
	words  []word
	prefix string // of each: --flag=, where the value is written behind it
	kind   kind
}

type word struct{ text, help string }

// line is a command line that is read up to the word that is being written.
type line struct {
	node    *kong.Node
	value   *kong.Flag // whose value comes next
	used    []*kong.Flag
	given   int  // positional arguments
	noFlags bool // after --
}

// complete reads what is written of a command line, the last word being the one to complete.
func complete(app *kong.Node, written []string) answer {
	if len(written) == 0 {
		written = []string{""}
	}
	l := &line{node: app}
	for _, w := range written[:len(written)-1] {
		l.read(w)
	}
	return l.next(written[len(written)-1])
}

func (l *line) read(w string) {
	switch {
	case l.value != nil:
		l.value = nil
	case w == "--" && !l.noFlags:
		l.noFlags = true
	case len(w) > 1 && w[0] == '-' && !l.noFlags:
		name, _, assigned := strings.Cut(w, "=")
		f := l.flag(name)
		if f == nil {
			return
		}
		l.used = append(l.used, f)
		if !assigned && !f.IsBool() && !f.IsCounter() {
			l.value = f
		}
	default:
		if child := l.child(w); child != nil {
			l.node, l.given = child, 0
			return
		}
		if p := l.positional(); p != nil && passes(p) {
			l.noFlags = true // what follows are another program's
		}
		l.given++
	}
}

// flag is the one of a name: --name or -n.
func (l *line) flag(name string) *kong.Flag {
	for _, f := range l.flags() {
		if slices.Contains(names(f), name) || f.Short != 0 && name == "-"+string(f.Short) {
			return f
		}
	}
	return nil
}

// flags are those of the command and of those above it.
func (l *line) flags() []*kong.Flag { return slices.Concat(l.node.AllFlags(true)...) }

func (l *line) child(name string) *kong.Node {
	for _, c := range l.node.Children {
		if c.Name == name || slices.Contains(c.Aliases, name) {
			return c
		}
	}
	return nil
}

// next is what can stand where current is being written.
func (l *line) next(current string) answer {
	if l.value != nil {
		return values(l.value.Value, current)
	}
	if strings.HasPrefix(current, "-") && !l.noFlags {
		name, value, assigned := strings.Cut(current, "=")
		if !assigned {
			return l.unusedFlags(current)
		}
		if f := l.flag(name); f != nil {
			a := values(f.Value, value)
			a.prefix = name + "="
			return a
		}
		return answer{kind: words}
	}
	if len(l.node.Children) > 0 {
		return l.commands(current)
	}
	if p := l.positional(); p != nil {
		return values(p, current)
	}
	return answer{kind: words}
}

func (l *line) commands(current string) answer {
	a := answer{kind: words}
	for _, c := range l.node.Children {
		if !c.Hidden && strings.HasPrefix(c.Name, current) {
			a.words = append(a.words, word{c.Name, c.Help})
		}
	}
	return a
}

func (l *line) unusedFlags(current string) answer {
	a := answer{kind: words}
	for _, f := range l.flags() {
		if !f.IsCumulative() && slices.Contains(l.used, f) {
			continue
		}
		for _, name := range names(f) {
			if strings.HasPrefix(name, current) {
				a.words = append(a.words, word{name, f.Help})
			}
		}
	}
	return a
}

// names are what a flag is called, without its letter.
func names(f *kong.Flag) []string {
	if f.Tag.Negatable == "_" { // kong's word for --no- before the name
		return []string{"--" + f.Name, "--no-" + f.Name}
	}
	return []string{"--" + f.Name}
}

// positional is the argument that is being written.
func (l *line) positional() *kong.Positional {
	all := l.node.Positional
	if l.given < len(all) {
		return all[l.given]
	}
	if len(all) > 0 && all[len(all)-1].IsCumulative() {
		return all[len(all)-1]
	}
	return nil
}

// passes tells the argument that is another program and its arguments.
func passes(v *kong.Value) bool { return v.PassthroughMode != kong.PassThroughModeNone }

// values are what a flag or an argument takes.
func values(v *kong.Value, current string) answer {
	switch v.Tag.Type {
	case "path", "existingfile", "filecontent":
		return answer{kind: files}
	case "existingdir":
		return answer{kind: folders}
	}
	if passes(v) {
		return answer{kind: files}
	}
	a := answer{kind: words}
	if v.Enum == "" {
		return a
	}
	for _, text := range v.EnumSlice() {
		if text != "" && strings.HasPrefix(text, current) {
			a.words = append(a.words, word{text: text})
		}
	}
	return a
}
