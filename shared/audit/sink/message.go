package sink

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rekey-aws/rekey/shared/audit"
)

// Message is a finding in words for people: every sink that people read shows the same ones.
type Message struct {
	Title    string // one line
	Severity audit.Severity
	Over     bool   // it tells that a trouble is over
	What     string // one sentence
	Facts    []Fact
	Why, Do  string
	Notes    []string // on how certain it is, and why something is not told
	Playbook string   // an address, or empty
	Console  string   // an address, or empty
}

// Fact is a line of a table.
type Fact struct{ Name, Text string }

// Describe puts a finding into words. playbooks is where the pages of docs/playbooks are, with
// a slash at its end, or empty.
func Describe(f audit.Finding, playbooks string) Message {
	m := Message{
		Title: f.Detection.Title, Severity: f.Detection.Severity, Over: len(f.Resolves) > 0,
		What: oneLine(f.Sentence()) + ".", Why: f.Detection.Why, Do: f.Detection.Do, Console: console(f.Secret),
	}
	if f.Secret.Name != "" {
		m.Title += ": " + f.Secret.Name
	}
	if f.Count > 1 {
		m.Title += fmt.Sprintf(" (%d times)", f.Count)
	}
	if playbooks != "" && !m.Over {
		m.Playbook = playbooks + f.Detection.ID + ".md"
	}
	m.facts(f)
	if c := f.Cause; c != nil {
		m.cause(*c)
	}
	if f.Unverified != "" {
		m.Notes = append(m.Notes, strings.ToUpper(f.Unverified[:1])+f.Unverified[1:]+".")
	}
	return m
}

func (m *Message) facts(f audit.Finding) {
	m.fact("Secret", f.Secret.Name)
	m.fact("Account", cmp.Or(f.Secret.Account, f.Event.Account))
	m.fact("Region", cmp.Or(f.Secret.Region, f.Event.Region))
	if f.Event.Kind == audit.Call {
		m.fact("By", f.Actor.String())
		m.fact("From", f.Event.SourceIP)
	} else {
		m.fact("Function", functionName(f.Event.Request.Function))
	}
	m.fact("When", f.Time.UTC().Format("2006-01-02 15:04:05 MST"))
	if f.Due != nil {
		m.fact("Due since", f.Due.UTC().Format("2006-01-02 15:04 MST"))
	}
	if f.Count > 1 {
		m.fact("Count", fmt.Sprint(f.Count))
	}
	if f.Counted > 0 {
		m.fact("Counted", fmt.Sprint(f.Counted))
	}
}

// functionName is the name in a function's ARN.
func functionName(function string) string {
	_, name, is := strings.Cut(function, ":function:")
	if !is {
		return function
	}
	return name
}

// cause is what the function said: then what to do is what it says, too.
func (m *Message) cause(c audit.Cause) {
	m.fact("Step", c.Step)
	m.fact("Kind", c.Kind)
	m.fact("Cause", c.Error)
	if c.Hint != "" {
		m.Do = c.Hint
	}
}

// longestFact keeps a hostile or lengthy text from filling the message.
const longestFact = 900

func (m *Message) fact(name, text string) {
	if text != "" {
		m.Facts = append(m.Facts, Fact{name, clip(oneLine(text), longestFact)})
	}
}

// oneLine keeps a caller's text, such as a session's name, from making lines of its own.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// clip shortens to n characters at most.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// Text is the message as plain text.
func (m Message) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s [%s]", m.Title, m.label())
	line("\n%s", m.What)
	b.WriteByte('\n')
	for _, f := range m.Facts {
		line("%-10s %s", f.Name+":", f.Text)
	}
	if m.Why != "" {
		line("\nWhy it matters: %s", m.Why)
	}
	if !m.Over {
		line("What to do: %s", m.Do)
	}
	for _, n := range m.Notes {
		line("Note: %s", n)
	}
	if m.Playbook != "" {
		line("\nPlaybook: %s", m.Playbook)
	}
	if m.Console != "" {
		line("Console:  %s", m.Console)
	}
	return b.String()
}

// label is what stands beside the title.
func (m Message) label() string {
	if m.Over {
		return "over"
	}
	return m.Severity.String()
}

// consoles are where each partition's console is:
// https://docs.aws.amazon.com/general/latest/gr/rande.html and the partitions' own guides.
var consoles = []struct{ regions, host string }{
	{"cn-", "console.amazonaws.cn"},
	{"us-gov-", "console.amazonaws-us-gov.com"},
	{"us-iso", ""}, // not reached from the internet
	{"eu-isoe-", ""},
	{"eusc-", ""}, // the European Sovereign Cloud's is not documented yet
	{"", "console.aws.amazon.com"},
}

// console is the page of a secret, or "" if there is none.
func console(s audit.Secret) string {
	if s.Name == "" || s.Region == "" {
		return ""
	}
	for _, c := range consoles {
		if strings.HasPrefix(s.Region, c.regions) {
			if c.host == "" {
				return ""
			}
			q := url.Values{"name": {s.Name}, "region": {s.Region}}
			return "https://" + s.Region + "." + c.host + "/secretsmanager/secret?" + q.Encode()
		}
	}
	return ""
}

// stamp is a time as JSON has it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
