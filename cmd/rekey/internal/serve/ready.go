package serve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ready tells where things are, and what to type.
func (j *journal) ready(s *service) {
	l := line{Time: time.Now(), Type: "ready", Endpoint: s.machine.Endpoint, Region: s.machine.Region}
	for _, f := range s.machine.Functions.Functions() {
		l.Functions = append(l.Functions, f.ARN())
	}
	if d := s.database; d != nil {
		l.Database, l.CAFile, l.Secret = fmt.Sprintf("%s on %s", d.Title(), d.Addr()), d.CAFile(), sampleSecret
	}
	l.DeadLetters, l.Alerts = s.lettersFolder, s.command.Alerts
	if j.json {
		j.print(l, "")
		return
	}
	j.out.Println(j.out.Bold("rekey local") + ": Secrets Manager on " + j.out.Bold(l.Endpoint) + ", until Ctrl-C")
	if j.quiet {
		return
	}
	for _, text := range s.guide(l) {
		j.out.Println(text)
	}
}

// guide is the rest of the text: what is there, then commands that work when pasted into a
// shell of their own.
func (s *service) guide(l line) []string {
	out := s.journal.out
	var text []string
	for _, arn := range l.Functions {
		text = append(text, "  function  "+arn)
	}
	secrets := "in memory, gone at the end"
	if s.command.State != "" {
		secrets = "in " + s.command.State + ", encrypted"
	}
	text = append(text, "  secrets   "+secrets)
	if l.Alerts != "" {
		text = append(text, "  alerts    to "+l.Alerts+", signed with the key in the secret "+alertsSecret)
	}
	if s.lettersFolder != "" {
		text = append(text, "  letters   "+s.lettersFolder+", of events that were not delivered")
	}
	id := "app"
	if s.database != nil {
		id = sampleSecret
		text = append(text,
			"  database  "+l.Database+", gone at the end; its user's secret is "+sampleSecret,
			"            certificate authority "+l.CAFile)
	}
	text = append(text, "", out.Bold("In another shell"),
		"  export "+s.command.identity()+" AWS_DEFAULT_REGION="+l.Region,
		`  sm() { aws secretsmanager --endpoint-url `+l.Endpoint+` "$@"; }`)
	if s.database == nil {
		text = append(text, "  sm create-secret --name app --secret-string file://app.json   "+
			out.Dim("# engine, host, port, username, password"))
	}
	if len(l.Functions) > 0 {
		text = append(text, "  sm rotate-secret --secret-id "+id+" --rotation-lambda-arn "+s.rotator(l)+" --rotation-rules AutomaticallyAfterDays=30")
	}
	return append(text,
		"  sm describe-secret --secret-id "+id,
		"  sm get-secret-value --secret-id "+id+" --version-stage AWSPREVIOUS", "")
}

// identity is what makes the AWS CLI someone: anyone, or the first of those that may call.
func (c *Command) identity() string {
	if c.Credentials == "" {
		return "AWS_ACCESS_KEY_ID=me AWS_SECRET_ACCESS_KEY=none"
	}
	name := "default"
	if profiles, err := readProfiles(c.Credentials); err == nil {
		name = slices.Min(slices.Collect(maps.Keys(profiles)))
	}
	return "AWS_SHARED_CREDENTIALS_FILE=" + quoted(c.Credentials) + " AWS_PROFILE=" + quoted(name)
}

// quoted is a word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// rotator is the function of the example: the one for databases if it is served.
func (s *service) rotator(l line) string {
	for _, f := range s.machine.Functions.Functions() {
		if f.Name() == "rotate-rds" {
			return f.ARN()
		}
	}
	return l.Functions[0]
}
