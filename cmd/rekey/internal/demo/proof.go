package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/local/database"
)

// check is one thing that the demonstration claims, and whether it is so.
type check struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Claim string `json:"claim"`
	// Found is what was seen: the proof, or what is wrong.
	Found string `json:"found,omitempty"`
}

// wantCalls and wantLogins are those of a healthy single-user rotation. Two steps need a
// login that succeeds, so with two logins none was refused.
const (
	wantCalls  = 8
	wantLogins = 2
	wantSteps  = 4
)

// prove holds the evidence against each claim. It has no other source.
func prove(e *evidence) []check {
	return []check{
		e.newLogsIn(), e.oldRefused(), e.labels(), e.values(), e.otherKeys(), e.callCount(), e.loginCount(),
		e.noPasswordIn("function_log", "function's log", e.functionLog, `"rotation step"`, wantSteps),
		e.noPasswordIn("database_log", "statement log", e.databaseLog, e.user, 1),
		e.noPasswordIn("call_log", "API call log", e.callLog, `"RotateSecret"`, 1),
		e.unreadable(),
	}
}

// verdict is an error that names the checks that failed.
func verdict(checks []check) error {
	var failed []string
	for _, c := range checks {
		if !c.OK {
			failed = append(failed, c.Claim+" ("+c.Found+")")
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("not proven: %s: this function must not be deployed", strings.Join(failed, "; "))
}

func (e *evidence) newLogsIn() check {
	c := check{Name: "new_password_logs_in", Claim: "new password logs in", OK: e.newLogin == nil}
	if !c.OK {
		c.Found = "the login failed" // not the driver's text: it may quote
		if code := database.Refusal(e.newLogin); code != "" {
			c.Found = "the server refused it with " + code
		}
	}
	return c
}

func (e *evidence) oldRefused() check {
	c := check{Name: "old_password_refused", Claim: "old password refused", Found: database.Refusal(e.oldLogin)}
	c.OK = c.Found != ""
	switch {
	case e.oldLogin == nil:
		c.Found = "it still logs in"
	case !c.OK:
		c.Found = "the login failed, but not because of the password"
	}
	return c
}

func (e *evidence) labels() check {
	c := check{Name: "labels", Claim: current + " new, " + previous + " old", OK: true}
	holds := map[string][]string{}
	for id, stages := range e.stages {
		for _, stage := range stages {
			holds[stage] = append(holds[stage], id)
		}
	}
	want := map[string]string{current: e.newVersion, previous: e.oldVersion}
	for _, stage := range []string{current, previous} {
		if !slices.Equal(holds[stage], []string{want[stage]}) {
			c.OK, c.Found = false, fmt.Sprintf("%s is on %s", stage, orNone(holds[stage]))
		}
	}
	// Whether the service takes AWSPENDING off the current version is its affair.
	if at := holds[pending]; len(at) > 0 && !slices.Equal(at, []string{e.newVersion}) {
		c.OK, c.Found = false, fmt.Sprintf("%s is on %s", pending, orNone(at))
	}
	if c.OK {
		c.Found = short(e.newVersion) + ", " + short(e.oldVersion)
	}
	return c
}

func orNone(ids []string) string {
	if len(ids) == 0 {
		return "no version"
	}
	return strings.Join(ids, " and ")
}

// short is the beginning of a version's id.
func short(id string) string { return id[:min(8, len(id))] + "…" }

func (e *evidence) values() check {
	c := check{Name: "values", Claim: "both versions hold their values", OK: false}
	switch {
	case e.current.version != e.newVersion || e.previous.version != e.oldVersion:
		c.Found = "GetSecretValue gives other versions than DescribeSecret"
	case e.previous.document != e.original:
		c.Found = previous + " is not the original value"
	case e.newPassword == "" || e.newPassword == e.oldPassword:
		c.Found = current + " holds no new password"
	default:
		c.OK, c.Found = true, fmt.Sprintf("%d new characters; the original, byte for byte", len(e.newPassword))
	}
	return c
}

// otherKeys compares what the secret holds beside the password, as text.
func (e *evidence) otherKeys() check {
	c := check{Name: "other_keys", Claim: "other keys of the secret unchanged"}
	before, errBefore := keysOf(e.original)
	after, errAfter := keysOf(e.current.document)
	if errBefore != nil || errAfter != nil {
		c.Found = "the secret is not a JSON object"
		return c
	}
	delete(before, passwordKey)
	delete(after, passwordKey)
	for key := range merged(before, after) {
		if string(before[key]) != string(after[key]) {
			c.Found = fmt.Sprintf("the key %q differs", key)
			return c
		}
	}
	c.OK, c.Found = true, strings.Join(slices.Sorted(maps.Keys(after)), ", ")
	return c
}

func merged(a, b map[string]json.RawMessage) map[string]json.RawMessage {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

const passwordKey = "password"

func keysOf(document string) (map[string]json.RawMessage, error) {
	var keys map[string]json.RawMessage
	err := json.Unmarshal([]byte(document), &keys)
	return keys, err
}

var errNoPassword = errors.New("the secret has no password: it is not a JSON object with the text " + passwordKey)

func passwordOf(document string) (string, error) {
	keys, err := keysOf(document)
	var password string
	if err != nil || json.Unmarshal(keys[passwordKey], &password) != nil {
		return "", errNoPassword // not err: it may quote
	}
	return password, nil
}

func (e *evidence) callCount() check {
	c := check{Name: "calls", Claim: fmt.Sprintf("%d calls to Secrets Manager", wantCalls)}
	n := map[string]int{}
	for _, operation := range e.calls {
		n[operation]++
	}
	var parts []string
	for _, operation := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d %s", n[operation], brief.Replace(operation)))
	}
	c.OK = len(e.calls) == wantCalls
	c.Found = strings.Join(parts, ", ")
	if !c.OK {
		c.Found = fmt.Sprintf("%d: %s", len(e.calls), c.Found)
	}
	return c
}

// brief leaves out of an operation's name what they have in common.
var brief = strings.NewReplacer("SecretValue", "", "Secret", "")

func (e *evidence) loginCount() check {
	c := check{Name: "logins", Claim: fmt.Sprintf("%d logins, none refused", wantLogins)}
	c.OK = e.logins == wantLogins
	if !c.OK {
		c.Found = terminal.Count(e.logins, "connection")
	}
	return c
}
