package config_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/examples"
	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
)

func TestSecretsInherit(t *testing.T) {
	t.Parallel()
	f, err := config.Parse("rekey.yaml", []byte(`
name: shop
environment: production
account: "123456789012"
regions: {primary: eu-central-1}
network: {vpc: {id: vpc-0a1b2c3d, subnets: [subnet-0a1b2c3d], zones: [eu-central-1a], cidr: 10.0.0.0/16}}
defaults:
  schedule: {cron: "0 3 ? * SUN *"}
  readers: {arns: [arn:aws:iam::123456789012:role/shop]}
  writers: {arns: [arn:aws:iam::123456789012:role/platform]}
databases:
  orders:
    engine: postgres
    instance: orders
    cidrs: [10.0.0.0/16]
    users:
      app: {schedule: {every: 12h}}
      report: {}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := f.Secrets()
	if len(got) != 2 {
		t.Fatalf("%d secrets, want 2", len(got))
	}
	if name := got[0].Name; name != "shop/production/orders/app" {
		t.Errorf("name %q", name)
	}
	for i, want := range []string{"rate(12 hours)", "cron(0 3 ? * SUN *)"} {
		if e := got[i].Schedule.Expression(); e != want {
			t.Errorf("schedule %q, want %q", e, want)
		}
	}
	if got[0].Grace != "24h" || !got[0].Replicate {
		t.Errorf("%+v has not the defaults", got[0])
	}
}

func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(examples.Files, "*.yaml")
	if err != nil || len(names) < 3 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		text, err := examples.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Parse(name, text); err != nil {
			t.Error(err)
		}
	}
}

func TestOwnProviders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := []byte(`
name: shop
environment: production
account: "123456789012"
regions: {primary: eu-central-1}
providers: vendors
defaults:
  readers: {arns: [arn:aws:iam::123456789012:role/shop]}
  writers: {arns: [arn:aws:iam::123456789012:role/platform]}
apiKeys:
  ours: {provider: acme}
`)
	ours, err := providers.Files.ReadFile("gitlab.yaml")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "rekey.yaml")
	write := func(file string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := config.Parse(name, text); err == nil || !strings.Contains(err.Error(), "providers") {
		t.Errorf("a folder that is not there: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "vendors"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("vendors/acme.yaml", []byte("provider: acme\nkind: dual\n"))
	if _, err := config.Parse(name, text); err == nil || !strings.Contains(err.Error(), "acme.yaml:2") {
		t.Errorf("a file that is wrong: %v", err)
	}
	write("vendors/acme.yaml", bytes.Replace(ours, []byte("provider: gitlab"), []byte("provider: acme"), 1))
	f, err := config.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	if own := f.OwnProviders(); len(own) != 1 || len(own["acme.yaml"]) == 0 {
		t.Errorf("%d files, want acme.yaml", len(own))
	}
	if got := f.Secrets()[0].SecretKeys(); !slices.Contains(got, "token") {
		t.Errorf("keys %v, want the provider's", got)
	}
}
