package plan

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/infra/config/cost"
)

func TestInitWritesAValidFileOnce(t *testing.T) {
	t.Parallel()
	for _, example := range []string{"minimal", "multi-region-banking", "api-keys"} {
		name := filepath.Join(t.TempDir(), "rekey.yaml")
		var out bytes.Buffer
		if err := (&InitCommand{File: name, Example: example}).Run(terminal.Plain(&out)); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(name); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(name, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := (&InitCommand{File: name, Example: example}).Run(terminal.Plain(&out))
		if err == nil || !strings.Contains(err.Error(), "--force") {
			t.Errorf("%v, want a refusal that names --force", err)
		}
		if text, _ := os.ReadFile(name); string(text) != "mine" {
			t.Error("the file was touched")
		}
		if err := (&InitCommand{File: name, Example: example, Force: true}).Run(terminal.Plain(&out)); err != nil {
			t.Error(err)
		}
		if _, err := config.Load(name); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), "*")); len(left) != 1 {
			t.Errorf("%v is left behind", left)
		}
	}
}

func TestInitSaysWhereItCannotWrite(t *testing.T) {
	t.Parallel()
	for _, force := range []bool{false, true} {
		c := &InitCommand{File: filepath.Join(t.TempDir(), "no", "rekey.yaml"), Example: "minimal", Force: force}
		if err := c.Run(terminal.Plain(&bytes.Buffer{})); err == nil {
			t.Error("a folder that is not there was written to")
		}
	}
}

func TestCostAsTableAndAsJSON(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "rekey.yaml")
	if err := (&InitCommand{File: name, Example: "minimal"}).Run(terminal.Plain(&bytes.Buffer{})); err != nil {
		t.Fatal(err)
	}
	var text, object bytes.Buffer
	if err := (&CostCommand{File: name}).Run(nil, terminal.Plain(&text)); err != nil {
		t.Fatal(err)
	}
	if err := (&CostCommand{File: name, JSON: true}).Run(&object, nil); err != nil {
		t.Fatal(err)
	}
	var e cost.Estimate
	if err := json.Unmarshal(object.Bytes(), &e); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"shop production: about " + money(e.Total) + " a month in eu-central-1",
		"interface endpoints", "What would save most", e.Levers[0].Change, "Prices of " + cost.AsOf,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
}

func TestCostTellsEverythingWrong(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "rekey.yaml")
	if err := os.WriteFile(name, []byte("name: Shop\nregionz: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := (&CostCommand{File: name}).Run(&bytes.Buffer{}, terminal.Plain(&bytes.Buffer{}))
	if err == nil || !strings.Contains(err.Error(), "did you mean regions?") || !strings.Contains(err.Error(), `"Shop"`) {
		t.Errorf("%v", err)
	}
	if err := (&CostCommand{File: name, ReadsPerDay: -1}).Validate(); err == nil {
		t.Error("a negative number was taken")
	}
}

func TestNumbersAreReadable(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]string{0.75: "0.75", 1: "1", 12.6: "13", 999: "999", 1000: "1,000", 13140: "13,140", 1e6: "1,000,000"} {
		if got := number(n); got != want {
			t.Errorf("%v is %q, want %q", n, got, want)
		}
	}
}

func TestValueIsWhatTheFileSaysAndThePassword(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "rekey.yaml")
	if err := (&InitCommand{File: name, Example: "multi-region-banking"}).Run(terminal.Plain(&bytes.Buffer{})); err != nil {
		t.Fatal(err)
	}
	const secret = `made for this test: "quoted", with \\ and ü`
	for _, c := range []struct {
		command ValueCommand
		want    string
	}{
		{
			ValueCommand{Secret: "payments/production/ledger/app", Host: "ledger.example.com"},
			`{"adminAuth":"iam","adminUser":"rekey_admin","dbname":"ledger","engine":"aurora-postgresql","host":"ledger.example.com","strategy":"alternating","username":"app"`,
		},
		{
			ValueCommand{Secret: "ledger.settlement", Host: "ledger.example.com"},
			`{"adminAuth":"iam","adminUser":"rekey_admin","dbname":"ledger","engine":"aurora-postgresql","host":"ledger.example.com","strategy":"alternating","username":"settlement_batch"`,
		},
		{
			ValueCommand{Secret: "databases.switch.users.authoriser"},
			`{"engine":"mariadb","host":"switch.payments.internal","port":3307,"tlsServerName":"switch-1.payments.internal","username":"authoriser"`,
		},
	} {
		c.command.File, c.command.stdin = name, strings.NewReader(secret+"\r\nmore")
		var out bytes.Buffer
		if err := c.command.Run(t.Context(), &out); err != nil {
			t.Error(err)
			continue
		}
		var got, want map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c.want+`}`), &want); err != nil {
			t.Fatal(err)
		}
		want["password"] = secret
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.command.Secret, diff)
		}
	}
	for _, c := range []struct {
		command ValueCommand
		input   string
		want    string
	}{
		{ValueCommand{Secret: "ledger.app"}, secret, "--host"},
		{ValueCommand{Secret: "ledger.ap", Host: "x"}, secret, "ledger.settlement"},
		{ValueCommand{Secret: "ledger.app", Host: "x"}, "", "no password was given"},
	} {
		c.command.File, c.command.stdin = name, strings.NewReader(c.input)
		if err := c.command.Run(t.Context(), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "made for this test") {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
