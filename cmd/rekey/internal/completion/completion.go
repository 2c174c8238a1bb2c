// Package completion completes command lines of rekey in bash, zsh and fish. What can follow
// is found here, from the commands themselves, for all shells alike; a shell's script asks, by
// a hidden command, and shows the answer.
package completion

import (
	"embed"
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// Command is the command line of rekey completion.
type Command struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish" placeholder:"SHELL"`
}

// Help is the text below the usage of rekey completion --help.
func (Command) Help() string {
	return `bash: source <(rekey completion bash), in ~/.bashrc; in bash 3, which macOS has, eval "$(rekey completion bash)". zsh: source <(rekey completion zsh), in ~/.zshrc after compinit, or write it to a file _rekey in a folder of $fpath. fish: rekey completion fish > ~/.config/fish/completions/rekey.fish. Commands, flags, their values, files and folders are completed; AWS is not asked for names of secrets.`
}

//go:embed rekey.bash rekey.zsh rekey.fish
var scripts embed.FS

// Run prints a shell's script.
func (c *Command) Run(stdout io.Writer) error {
	script, err := scripts.ReadFile("rekey." + c.Shell)
	if err == nil {
		_, err = stdout.Write(script)
	}
	return err
}

// AnswerCommand is the hidden command that the scripts ask: rekey complete SHELL -- WORD…,
// where the words are those after rekey, up to the one that is being written.
//
// The answer has a line for each word that can stand there, with its help after a tab, and a
// last line :words, or :files or :folders where the shell knows what can.
type AnswerCommand struct {
	Shell string   `arg:"" enum:"bash,zsh,fish"`
	Words []string `arg:"" optional:"" passthrough:""`
}

// Run answers.
func (c *AnswerCommand) Run(parsed *kong.Context, stdout io.Writer) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	bare := c.Shell == "zsh" // whose script cuts --flag= off
	if c.Shell == "bash" {
		words, bare = joined(words)
	}
	a := complete(parsed.Model.Node, words)
	for _, w := range a.words {
		text := w.text
		if !bare {
			text = a.prefix + text
		}
		if _, err := fmt.Fprintf(stdout, "%s\t%s\n", text, w.help); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(stdout, ":"+string(a.kind))
	return err
}

// joined puts together what bash takes apart: --flag, = and the value are three words to it.
// It tells whether the last word was one of them.
func joined(words []string) (whole []string, split bool) {
	for i := 0; i < len(words); i++ {
		split = false
		if words[i] == "=" && len(whole) > 0 {
			whole[len(whole)-1] += "="
			if split = true; i+1 < len(words) {
				i++
				whole[len(whole)-1] += words[i]
			}
			continue
		}
		whole = append(whole, words[i])
	}
	return whole, split
}
