package cloudtrail

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/rekey-aws/rekey/local/eventbus"
)

// Line renders an event in one line for people: when, where, what, on which secret, by whom,
// and how it ended. Whatever callers put into it, it is one line of printable text. For
// programs there is eventbus.Event.JSON.
func Line(e eventbus.Event) string {
	head := fmt.Sprintf("%s %s ", e.Time.UTC().Format(time.RFC3339), e.Region)
	if e.DetailType == labelUpdated {
		var d struct{ Name, LabelUpdated, VersionID string }
		_ = json.Unmarshal(e.Detail, &d) // an event of another form has empty fields
		return printable(fmt.Sprintf("%s%s %s: %s is on version %s", head, labelUpdated, d.Name, d.LabelUpdated, d.VersionID))
	}
	var r Record
	if json.Unmarshal(e.Detail, &r) != nil || r.EventName == "" {
		return printable(head + e.DetailType)
	}
	line := head + r.EventName
	if s := r.SecretID(); s != "" {
		line += " " + s
	}
	if by := r.UserIdentity.short(); by != "" {
		line += " by " + by
	}
	for _, part := range []string{r.ErrorCode, r.ErrorMessage} {
		if part != "" {
			line += ": " + part
		}
	}
	return printable(line)
}

// SecretID is the secret that a record is about, as it is named there: by ARN if the record
// has it, else by what the caller gave. It is empty for a record about none, or many.
func (rec Record) SecretID() string {
	in := func(m map[string]any, key string) string { s, _ := m[key].(string); return s }
	return cmp.Or(in(rec.AdditionalEventData, "SecretId"), in(rec.ResponseElements, "arn"),
		in(rec.RequestParameters, "secretId"), in(rec.RequestParameters, "name"))
}

// short is user/NAME, assumed-role/ROLE/SESSION, root, or a service; a service event has none.
func (id Identity) short() string {
	switch {
	case id.Type == "":
		return ""
	case id.ARN != "":
		return id.ARN[strings.LastIndexByte(id.ARN, ':')+1:]
	}
	return cmp.Or(id.InvokedBy, id.AccessKeyID, "unknown")
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}
