package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// view is what a person sees.
type view struct{ *terminal.Terminal }

func (v *view) title() {
	v.Println(v.Bold("rekey demo") + v.Dim(": a database password, rotated by the function that is deployed"))
}

func (v *view) heading(text string) {
	v.Println("")
	v.Println(v.Bold(text))
}

// ready tells of a finished part of the preparation.
func (v *view) ready(text string, took time.Duration) {
	v.Println(fmt.Sprintf("  %s %-66s %s", v.Mark(true), text, v.Dim(terminal.Duration(took))))
}

// passedOver tells why another server is taken than the first one that is installed.
func (v *view) passedOver(err error) {
	cause, _, _ := strings.Cut(err.Error(), "\n")
	v.Println("  " + v.Dim("passed over: "+cause))
	v.Begin("starting another database (the first time takes a while)")
}

// meaning says what each step does.
var meaning = map[string]string{
	"createSecret": "makes a password, stores it as AWSPENDING",
	"setSecret":    "logs in with the old password, sets the new",
	"testSecret":   "logs in with the new password",
	"finishSecret": "moves AWSCURRENT to the new version",
}

func (v *view) step(s step) {
	did := terminal.Count(len(s.Calls), "call")
	if s.Logins > 0 {
		did += ", " + terminal.Count(s.Logins, "login")
	}
	v.Println(fmt.Sprintf("  %s %-12s %7s  %-43s  %s", v.Mark(s.OK), s.Name,
		terminal.Duration(time.Duration(s.Millis)), meaning[s.Name], v.Dim(did)))
}

// proof shows the checks, and the rotation in figures.
func (v *view) proof(r *report) {
	v.heading("Proof")
	for _, c := range inBrief(r.Checks) {
		found := v.Dim(c.Found)
		if !c.OK {
			found = v.Red(c.Found)
		}
		v.Println(strings.TrimRight(fmt.Sprintf("  %s %-35s %s", v.Mark(c.OK), c.Claim, found), " "))
	}
	if verdict(r.Checks) != nil {
		return
	}
	v.Println("")
	v.Println(v.Bold("Rotated in "+terminal.Duration(time.Duration(r.Rotation.Millis))) + figures(r))
}

// inBrief makes one of the searches for passwords, if none found any: they are one thing to
// a person.
func inBrief(checks []check) []check {
	var brief []check
	var places []string
	for _, c := range checks {
		if !strings.HasPrefix(c.Name, noPassword) {
			brief = append(brief, c)
			continue
		}
		if !c.OK {
			return checks
		}
		places = append(places, c.Claim[strings.LastIndex(c.Claim, "the ")+len("the "):])
	}
	return append(brief, check{OK: true, Claim: "no password written anywhere", Found: strings.Join(places, ", ")})
}

// figures are those that do not come twice.
func figures(r *report) string {
	text := fmt.Sprintf(" (%s to start), %d calls (official templates: %d)",
		terminal.Duration(time.Duration(r.Rotation.InitMillis)), r.Calls.Total, r.Calls.OfficialTemplates)
	if r.Rotation.PeakMemory > 0 {
		text += fmt.Sprintf(", %d MB of memory", (r.Rotation.PeakMemory+1<<20-1)>>20)
	}
	return text + "."
}
