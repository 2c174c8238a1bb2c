package provider

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// explainer tells a person, or a machine, what is tried and what came of it.
type explainer struct {
	screen        *terminal.Terminal
	out           io.Writer
	json, verbose bool
	pending       []declarative.Exchange // of the step that is under way
	failed        error                  // of writing
}

// line is what --json prints.
type line struct {
	Step    string   `json:"step,omitempty"`
	OK      *bool    `json:"ok,omitempty"`
	Result  string   `json:"result,omitempty"`
	Error   string   `json:"error,omitempty"`
	Hint    string   `json:"hint,omitempty"`
	Request string   `json:"request,omitempty"`
	Headers []string `json:"headers,omitempty"`
	Body    string   `json:"body,omitempty"`
	Status  int      `json:"status,omitempty"`
	Answer  string   `json:"answer,omitempty"`
}

func (e *explainer) print(l line) {
	text, err := json.Marshal(l)
	if err == nil {
		_, err = fmt.Fprintf(e.out, "%s\n", text)
	}
	if e.failed == nil {
		e.failed = err
	}
}

// err is the first failure to write.
func (e *explainer) err() error {
	if e.json {
		return e.failed
	}
	return e.screen.Err()
}

func (e *explainer) file(f declarative.File) {
	if e.json {
		yes := true
		e.print(line{Step: "read the file", OK: &yes, Result: fmt.Sprintf("%s, class %s", f.Title, f.Class)})
		return
	}
	e.screen.Println(e.screen.Mark(true) + " " + e.screen.Bold(f.Provider) + "  " + f.Title + e.screen.Dim(", class "+string(f.Class)))
}

// outline tells what a file does when nothing is tried.
func (e *explainer) outline(f declarative.File) {
	for _, group := range []struct {
		what     string
		requests []declarative.Request
	}{
		{"list", listRequest(f)},
		{"before", f.Before},
		{"issue", only(f.Issue)},
		{"install", only(f.Install)},
		{"check", only(f.Check)},
		{"unused", only(f.Unused)},
		{"revoke", f.Revoke},
		{"retire", f.Retire},
	} {
		for _, r := range group.requests {
			e.say(fmt.Sprintf("%-8s %s %s", group.what, r.Method, address(f, r)))
		}
	}
	e.say("the file is well formed; try it with --secret, or with --recording")
}

func only(r *declarative.Request) []declarative.Request {
	if r == nil {
		return nil
	}
	return []declarative.Request{*r}
}

func listRequest(f declarative.File) []declarative.Request {
	if f.List == nil {
		return nil
	}
	return []declarative.Request{f.List.Request}
}

func address(f declarative.File, r declarative.Request) string {
	if r.URL != "" {
		return r.URL
	}
	return f.Base + r.Path
}

func (e *explainer) say(text string) {
	if e.json {
		e.print(line{Result: text})
		return
	}
	e.screen.Println("  " + text)
}

// exchange keeps a request until its step has ended.
func (e *explainer) exchange(x declarative.Exchange) { e.pending = append(e.pending, x) }

func (e *explainer) success(what, result string) {
	yes := true
	if e.json {
		e.print(line{Step: what, OK: &yes, Result: result})
	} else {
		e.screen.Println("")
		e.screen.Println(e.screen.Mark(true) + " " + what + ": " + result)
	}
	e.exchanges()
}

// failure tells a failure and returns what the command ends with.
func (e *explainer) failure(what string, err error) error {
	no := false
	if e.json {
		e.print(line{Step: what, OK: &no, Error: err.Error(), Hint: rotation.Hint(err)})
	} else {
		e.screen.Println("")
		e.screen.Println(e.screen.Mark(false) + " " + what + ": " + e.screen.Red(err.Error()))
		e.screen.Println("  What to do: " + rotation.Hint(err))
	}
	e.exchanges()
	return errTrial
}

// exchanges tells the requests of the step that has ended.
func (e *explainer) exchanges() {
	for _, x := range e.pending {
		if e.json {
			e.print(line{Request: x.Method + " " + x.URL, Headers: x.Headers, Body: x.Body, Status: x.Status, Answer: x.Answer})
			continue
		}
		status := "no answer"
		if x.Status > 0 {
			status = fmt.Sprintf("%d %s", x.Status, http.StatusText(x.Status))
		}
		e.screen.Println("    " + x.Method + " " + x.URL + "  " + e.screen.Dim(status))
		if e.verbose {
			e.whole(x)
		}
	}
	e.pending = nil
}

func (e *explainer) whole(x declarative.Exchange) {
	for _, h := range slices.Concat(x.Headers, []string{x.Body}) {
		if h != "" {
			e.screen.Println(e.screen.Dim("      > " + h))
		}
	}
	for answer := range strings.Lines(x.Answer) {
		e.screen.Println(e.screen.Dim("      < " + strings.TrimRight(answer, "\r\n")))
	}
}
