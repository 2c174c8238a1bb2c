package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// needsServers leaves a test out of a -short run: it starts a database.
func needsServers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a database server")
	}
}

// demonstrate runs the command and returns what it printed.
func demonstrate(t *testing.T, c Command) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := c.Run(t.Context(), &out, terminal.Plain(&out))
	return out.String(), err
}

func decode(t *testing.T, document string) report {
	t.Helper()
	var r struct {
		report
		Setup    []json.RawMessage `json:"setup"` // whose numbers are written, not read
		Steps    []json.RawMessage `json:"steps"`
		Rotation json.RawMessage   `json:"rotation"`
	}
	if err := json.Unmarshal([]byte(document), &r); err != nil {
		t.Fatalf("the output is not one JSON document: %v\n%s", err, document)
	}
	return r.report
}

func TestEveryEngine(t *testing.T) {
	needsServers(t)
	for _, engine := range []string{"postgres", "mysql", "mariadb", "embedded"} {
		t.Run(engine, func(t *testing.T) {
			out, err := demonstrate(t, Command{Engine: engine, Function: functions["rotate-rds"], JSON: true})
			if err != nil {
				t.Fatal(err)
			}
			r := decode(t, out)
			if !r.OK || r.Error != "" || r.Engine != engine || r.Server == "" {
				t.Errorf("ok %t, error %q, engine %q, server %q", r.OK, r.Error, r.Engine, r.Server)
			}
			want := map[string]int{"DescribeSecret": 2, "GetSecretValue": 4, "PutSecretValue": 1, "UpdateSecretVersionStage": 1}
			if diff := cmp.Diff(want, r.Calls.ByOperation); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if r.Calls.Total != 8 || r.Calls.OfficialTemplates != 14 || r.Logins != 2 {
				t.Errorf("%d calls (templates %d), %d logins", r.Calls.Total, r.Calls.OfficialTemplates, r.Logins)
			}
			if len(r.Checks) != 11 {
				t.Errorf("%d checks, want 11", len(r.Checks))
			}
			for _, c := range r.Checks {
				if !c.OK {
					t.Errorf("%s: %s", c.Name, c.Found)
				}
			}
			if len(r.Versions) != 2 || !slices.Contains(r.Versions[0].Stages, current) || !slices.Equal(r.Versions[1].Stages, []string{previous}) {
				t.Errorf("versions: %+v", r.Versions)
			}
		})
	}
}

// The steps, in the JSON document.
func TestStepsAndTimes(t *testing.T) {
	needsServers(t)
	out, err := demonstrate(t, Command{Engine: "auto", Function: functions["rotate-rds"], JSON: true})
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Steps []struct {
			Step   string
			MS     float64
			Calls  []string
			Logins int
			OK     bool
		}
		Rotation struct {
			Version string
			MS      float64
			InitMS  float64 `json:"init_ms"`
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	var names []string
	var logins []int
	for _, s := range r.Steps {
		names, logins = append(names, s.Step), append(logins, s.Logins)
		if !s.OK || s.MS <= 0 || len(s.Calls) == 0 || s.MS > r.Rotation.MS {
			t.Errorf("step %+v of %+v", s, r.Rotation)
		}
	}
	if want := []string{"createSecret", "setSecret", "testSecret", "finishSecret"}; !slices.Equal(names, want) {
		t.Errorf("steps %v", names)
	}
	if !slices.Equal(logins, []int{0, 1, 1, 0}) {
		t.Errorf("logins by step: %v", logins)
	}
	if len(r.Rotation.Version) != 36 || r.Rotation.InitMS <= 0 || r.Rotation.InitMS > r.Rotation.MS {
		t.Errorf("rotation: %+v", r.Rotation)
	}
}

func TestPlainText(t *testing.T) {
	needsServers(t)
	out, err := demonstrate(t, Command{Engine: "auto", Function: functions["rotate-rds"]})
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out, "\x1b\r✔⠋") {
		t.Errorf("colour, movement or signs in plain text:\n%q", out)
	}
	at := 0
	for _, want := range []string{
		`(?m)^rekey demo: `,
		`(?m)^  ok   took rotate-rds from `,
		`(?m)^  ok   started \S.*, TLS only, logging every statement +[0-9.]+ m?s$`,
		`(?m)^  ok   createSecret +[0-9.]+ ms  .* 3 calls$`,
		`(?m)^  ok   setSecret +[0-9.]+ ms  .* 2 calls, 1 login$`,
		`(?m)^  ok   testSecret +[0-9.]+ ms  .* 1 call, 1 login$`,
		`(?m)^  ok   finishSecret +[0-9.]+ ms  .* 2 calls$`,
		`(?m)^Proof$`,
		`(?m)^  ok   new password logs in$`,
		`(?m)^  ok   old password refused +(SQLSTATE 28P01|error 1045)$`,
		`(?m)^  ok   no password written anywhere +function's log, statement log, API call log, wire$`,
		`(?m)^Rotated in .*templates: 14\)`,
	} {
		found := regexp.MustCompile(want).FindStringIndex(out[at:])
		if found == nil {
			t.Fatalf("no line %s after the ones before it in:\n%s", want, out)
		}
		at += found[1]
	}
	for _, line := range strings.Split(out, "\n") {
		if len(line) > 100 && !strings.Contains(line, "took rotate-rds") {
			t.Errorf("%d columns are too many: %s", len(line), line)
		}
	}
	if lines := strings.Count(out, "\n"); lines > 24 {
		t.Errorf("%d lines are too many to read", lines)
	}
}

// A function that writes the password down is found out, in either form of output.
func TestFunctionThatLeaks(t *testing.T) {
	needsServers(t)
	for _, asJSON := range []bool{false, true} {
		out, err := demonstrate(t, Command{Engine: "auto", Function: functions["leaky"], JSON: asJSON})
		if err == nil || !strings.Contains(err.Error(), "no password in the function's log (the new password is in it)") {
			t.Errorf("error %v", err)
		}
		if !asJSON {
			if !strings.Contains(out, "FAIL no password in the function's log") || strings.Contains(out, "anywhere") || strings.Contains(out, "Rotated in") {
				t.Errorf("output:\n%s", out)
			}
			continue
		}
		r := decode(t, out)
		var failed []string
		for _, c := range r.Checks {
			if !c.OK {
				failed = append(failed, c.Name)
			}
		}
		if r.OK || !slices.Equal(failed, []string{"no_password_in_function_log"}) {
			t.Errorf("ok %t, failed checks %v", r.OK, failed)
		}
	}
}

// A function that does nothing, and says that it succeeded.
func TestFunctionThatDoesNotRotate(t *testing.T) {
	needsServers(t)
	out, err := demonstrate(t, Command{Engine: "auto", Function: functions["floor"], JSON: true})
	if err == nil || !strings.Contains(err.Error(), "the rotation failed") || !strings.Contains(err.Error(), "AWSCURRENT is not on version") {
		t.Errorf("error %v", err)
	}
	if r := decode(t, out); r.OK || r.Error == "" || r.Checks != nil {
		t.Errorf("the document claims success: %s", out)
	}
}

func TestFunctionThatIsNoProgram(t *testing.T) {
	file := t.TempDir() + "/bootstrap"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{file, file + "-missing"} {
		if _, err := demonstrate(t, Command{Engine: "auto", Function: f}); err == nil || !strings.Contains(err.Error(), f) {
			t.Errorf("error %v does not name %s", err, f)
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	err := Command{Engine: "auto"}.Run(ctx, &out, terminal.Plain(&out))
	if err == nil || !strings.HasPrefix(err.Error(), "interrupted") {
		t.Errorf("error %v", err)
	}
}
