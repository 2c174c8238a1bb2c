package plan

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/mysql"
	"github.com/rekey-aws/rekey/shared/postgres"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// The function takes what rekey value writes, and keeps all of it.
func TestFirstValuesAreAccepted(t *testing.T) {
	t.Parallel()
	policy, err := dbuser.PolicyFrom(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	engine := &dbuser.Engine{Policy: policy, Drivers: map[string]dbuser.Driver{
		"postgres": postgres.Driver{}, "mysql": mysql.Driver{}, "mariadb": mysql.Driver{MariaDB: true},
	}}
	seen := 0
	for _, example := range []string{"minimal.yaml", "multi-region-banking.yaml"} {
		file := "../../../../examples/" + example
		f, err := config.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range f.Secrets() {
			if s.Database.Admin != nil {
				continue // the function would look the administrator up first
			}
			seen++
			c := ValueCommand{Secret: s.Path, File: file, Host: "db.example.com", stdin: strings.NewReader("the password that logs in now\n")}
			var out bytes.Buffer
			if err := c.Run(t.Context(), &out); err != nil {
				t.Fatal(err)
			}
			text := strings.TrimSpace(out.String())
			next, err := engine.Create(t.Context(), rotation.NewRequest(rotation.Rotation{}, rotation.TextValue(text), rotation.Value{}, nil))
			if err != nil {
				t.Errorf("%s: %v", s.Path, err)
				continue
			}
			old, kept := `"the password that logs in now"`, next.Reveal()
			for _, part := range strings.Split(text, old) {
				if !strings.Contains(kept, part) {
					t.Errorf("%s: %s is lost", s.Path, part)
				}
			}
		}
	}
	if seen < 3 {
		t.Errorf("%d secrets, want those without administrator of two examples", seen)
	}
}
