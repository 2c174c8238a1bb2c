package demo

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lib/pq"
)

const (
	oldPassword = "OLDPASSWORD1234567890"
	newPassword = `n'e"w\p%a$s&s<w>o rd+/=`
)

func document(password, rest string) string {
	return fmt.Sprintf(`{"engine":"postgres","password":%q,"owner":"équipe <x>"%s}`, password, rest)
}

// healthy is the evidence of a rotation with which all is well.
func healthy() *evidence {
	return &evidence{
		user: "demo_app", oldVersion: "old-version", newVersion: "new-version",
		original: document(oldPassword, ""), oldPassword: oldPassword, newPassword: newPassword,
		current:  stored{"new-version", document(newPassword, "")},
		previous: stored{"old-version", document(oldPassword, "")},
		stages:   map[string][]string{"new-version": {current}, "old-version": {previous}},
		oldLogin: &pq.Error{Code: "28P01"},
		calls:    make([]string, 8), logins: 2, steps: 4,
		functionLog: strings.Repeat(`{"msg":"rotation step"}`+"\n", 4),
		databaseLog: "ALTER ROLE demo_app\n", callLog: `"RotateSecret"` + "\n",
		wire: strings.Repeat("\x17\x03\x03", 1000),
	}
}

func failing(e *evidence) []string {
	var names []string
	for _, c := range prove(e) {
		if !c.OK {
			names = append(names, c.Name)
		}
		if !c.OK && c.Found == "" {
			names = append(names, c.Name+" does not say what is wrong")
		}
	}
	return names
}

func TestProofOfHealth(t *testing.T) {
	if failed := failing(healthy()); failed != nil {
		t.Errorf("failed: %v", failed)
	}
	kept := healthy() // the service may leave AWSPENDING beside AWSCURRENT
	kept.stages["new-version"] = []string{current, pending}
	if failed := failing(kept); failed != nil {
		t.Errorf("with %s kept: %v", pending, failed)
	}
}

// Each check fails when, and only when, what it claims is not so.
func TestProofFails(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*evidence)
		want   string
	}{
		"new password refused":      {func(e *evidence) { e.newLogin = &pq.Error{Code: "28P01"} }, "new_password_logs_in"},
		"server down":               {func(e *evidence) { e.newLogin = errors.New("down") }, "new_password_logs_in"},
		"old password logs in":      {func(e *evidence) { e.oldLogin = nil }, "old_password_refused"},
		"old login fails by itself": {func(e *evidence) { e.oldLogin = errors.New("down") }, "old_password_refused"},
		"current on old": {func(e *evidence) {
			e.stages = map[string][]string{"new-version": {pending}, "old-version": {current, previous}}
		}, "labels"},
		"no previous":             {func(e *evidence) { delete(e.stages, "old-version") }, "labels"},
		"pending elsewhere":       {func(e *evidence) { e.stages["third"] = []string{pending} }, "labels"},
		"two currents":            {func(e *evidence) { e.stages["third"] = []string{current} }, "labels"},
		"other version's value":   {func(e *evidence) { e.current.version = "third" }, "values"},
		"previous changed":        {func(e *evidence) { e.previous.document += " " }, "values"},
		"same password":           {func(e *evidence) { e.newPassword = e.oldPassword }, "values"},
		"no password":             {func(e *evidence) { e.newPassword = "" }, "values"},
		"key lost":                {func(e *evidence) { e.current.document = `{"engine":"postgres","password":"x"}` }, "other_keys"},
		"key added":               {func(e *evidence) { e.current.document = document(newPassword, `,"x":1`) }, "other_keys"},
		"key written differently": {func(e *evidence) { e.current.document = strings.Replace(e.current.document, "é", `\u00e9`, 1) }, "other_keys"},
		"not JSON":                {func(e *evidence) { e.current.document = "x" }, "other_keys"},
		"nine calls":              {func(e *evidence) { e.calls = make([]string, 9) }, "calls"},
		"seven calls":             {func(e *evidence) { e.calls = make([]string, 7) }, "calls"},
		"three logins":            {func(e *evidence) { e.logins = 3 }, "logins"},
		"new in function log":     {func(e *evidence) { e.functionLog += newPassword }, "no_password_in_function_log"},
		"old in function log":     {func(e *evidence) { e.functionLog += oldPassword }, "no_password_in_function_log"},
		"function log empty":      {func(e *evidence) { e.functionLog = "" }, "no_password_in_function_log"},
		"function log short":      {func(e *evidence) { e.functionLog = `"rotation step"` }, "no_password_in_function_log"},
		"in statement log":        {func(e *evidence) { e.databaseLog += strings.ReplaceAll(newPassword, "'", "''") }, "no_password_in_database_log"},
		"statement log empty":     {func(e *evidence) { e.databaseLog = "" }, "no_password_in_database_log"},
		"in call log":             {func(e *evidence) { e.callLog += fmt.Sprintf("%q", oldPassword) }, "no_password_in_call_log"},
		"call log empty":          {func(e *evidence) { e.callLog = "" }, "no_password_in_call_log"},
		"on the wire":             {func(e *evidence) { e.wire += newPassword }, "no_password_on_wire"},
		"user on the wire":        {func(e *evidence) { e.wire += "user\x00demo_app\x00" }, "no_password_on_wire"},
		"nothing on the wire":     {func(e *evidence) { e.wire = "" }, "no_password_on_wire"},
	} {
		t.Run(name, func(t *testing.T) {
			e := healthy()
			test.change(e)
			if failed := failing(e); !slices.Contains(failed, test.want) {
				t.Errorf("failed checks: %v, want %s", failed, test.want)
			} else if len(failed) > 1 && name != "same password" && name != "no password" {
				t.Errorf("failed checks: %v, want %s alone", failed, test.want)
			}
			err := verdict(prove(e))
			if err == nil {
				t.Fatal("the verdict is good")
			}
			for _, secret := range []string{oldPassword, newPassword} {
				if holds(err.Error(), secret) {
					t.Errorf("the verdict holds a password: %v", err)
				}
			}
		})
	}
}

// A password is found in whatever form it was written.
func TestForms(t *testing.T) {
	for name, text := range map[string]string{
		"itself":                  newPassword,
		"JSON":                    `n'e\"w\\p%a$s\u0026s\u003cw\u003eo rd+/=`,
		"JSON, plain":             `n'e\"w\\p%a$s&s<w>o rd+/=`,
		"SQL":                     `n''e"w\p%a$s&s<w>o rd+/=`,
		"query":                   url.QueryEscape(newPassword),
		"hex":                     fmt.Sprintf("%x", newPassword),
		"HEX":                     fmt.Sprintf("%X", newPassword),
		"base64":                  base64.StdEncoding.EncodeToString([]byte(newPassword)),
		"base64 of a document, 1": base64.StdEncoding.EncodeToString([]byte(`{"a":"` + newPassword + `"}`)),
		"base64 of a document, 2": base64.StdEncoding.EncodeToString([]byte(`{"ab":"` + newPassword + `"}`)),
		"base64 of a document, 3": base64.StdEncoding.EncodeToString([]byte(`{"abc":"` + newPassword + `"}`)),
	} {
		if !holds("before "+text+" after", newPassword) {
			t.Errorf("not found: %s", name)
		}
	}
	if holds("nothing of the kind", newPassword) {
		t.Error("found where it is not")
	}
}
