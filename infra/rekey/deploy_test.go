package rekey_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/infra/rekey"
)

// The templates are as they were read by a person: a change of them is seen in the diff of
// the golden files. Rewrite them with -update.
func TestTemplatesAreGolden(t *testing.T) {
	for _, example := range examples {
		t.Run(example, func(t *testing.T) {
			out := t.TempDir()
			synth(t, example, out)
			golden := filepath.Join("testdata", "golden", example)
			made := files(t, out, ".template.json")
			if *update {
				if err := os.RemoveAll(golden); err != nil {
					t.Fatal(err)
				}
				if err := os.MkdirAll(golden, 0o750); err != nil {
					t.Fatal(err)
				}
				for name, text := range made {
					if err := os.WriteFile(filepath.Join(golden, name), []byte(normal(text)), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			want := files(t, golden, ".json")
			if diff := cmp.Diff(sortedKeys(want), sortedKeys(made)); diff != "" {
				t.Fatalf("stacks (-golden +made):\n%s", diff)
			}
			for name, text := range made {
				if diff := cmp.Diff(strings.Split(want[name], "\n"), strings.Split(normal(text), "\n")); diff != "" {
					t.Errorf("%s (-golden +made); -update rewrites it:\n%s", name, diff)
				}
			}
		})
	}
}

// normal is a template without what the code of functions decides.
func normal(text string) string { return assetHash.ReplaceAllString(text, "HASH") + "\n" }

func TestSynthesisAgainIsIdentical(t *testing.T) {
	const example = "multi-region-banking"
	var runs [2]map[string]string
	for i := range runs {
		out := t.TempDir()
		synth(t, example, out)
		runs[i] = files(t, out, "")
		if len(runs[i]) < 10 {
			t.Fatalf("%d files", len(runs[i]))
		}
		// It names folders of this machine, and nothing reads it.
		delete(runs[i], "tree.json")
	}
	if diff := cmp.Diff(runs[0], runs[1]); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsFoundByNag(t *testing.T) {
	for _, example := range deployments {
		t.Run(example, func(t *testing.T) {
			f := load(t, example)
			f.Compliance.Packs = []config.Pack{config.PackAWSSolutions, config.PackHIPAA, config.PackNIST, config.PackPCIDSS}
			code := stubs(t, f)
			// With this flag a finding would end the synthesis before it can be read.
			app := newApp(t, t.TempDir(), map[string]any{"@aws-cdk/core:annotationsInValidationReport": false})
			d := rekey.Deploy(app, f, rekey.Options{Code: code})
			for _, s := range append(slices.Clone(d.Replicas), d.Keys, d.Primary) {
				found := assertions.Annotations_FromStack(s)
				everything := assertions.Match_AnyValue()
				all := slices.Concat(*found.FindError(jsii.String("*"), everything), *found.FindWarning(jsii.String("*"), everything))
				for _, one := range all {
					t.Errorf("%s: %v", *s.StackName(), one.Entry.Data) //nolint:staticcheck // the assertions give it in no other form
				}
			}
		})
	}
}

// A pack that finds something fails the synthesis: proof that the test above can fail.
func TestAFindingFailsTheSynthesis(t *testing.T) {
	f := load(t, "api-keys")
	code := stubs(t, f)
	why := refused(func() {
		app := newApp(t, t.TempDir(), nil)
		d := rekey.Deploy(app, f, rekey.Options{Code: code})
		awss3.NewCfnBucket(d.Primary, jsii.String("Plain"), nil)
		app.Synth(nil)
	})
	if !strings.Contains(why, "alidation failed") {
		t.Errorf("a bucket that is open to everything: %q", why)
	}
}

// A suppression has a reason that says something, and names what it is for: none is for a
// whole stack, and wide resources are named one by one.
func TestReasonsAgainstNag(t *testing.T) {
	seen := 0
	for _, example := range deployments {
		for stack, tmpl := range templates(t, example) {
			for id, r := range tmpl.Resources {
				nag, _ := r.Metadata["cdk_nag"].(map[string]any)
				for _, rule := range list(nag["rules_to_suppress"]) {
					m, ok := rule.(map[string]any)
					if !ok {
						continue
					}
					seen++
					reason := fmt.Sprint(m["reason"])
					if len(reason) < 30 || !strings.HasSuffix(reason, ".") {
						t.Errorf("%s %s: %s: %q is no reason", stack, id, m["id"], reason)
					}
					if m["id"] == "AwsSolutions-IAM5" && m["applies_to"] == nil {
						t.Errorf("%s %s: any wide resource passes", stack, id)
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no reason was found: the metadata has another form")
	}
}

// What a person would lose for ever keeps its logical id, its name, and stays when it leaves
// the template. -update adds to testdata/kept.txt and takes nothing away: a line that is not
// made any more is a secret, key or table that CloudFormation replaces or loses.
func TestWhatIsKeptIsNeverReplaced(t *testing.T) {
	var made []string
	for _, example := range examples {
		for stack, tmpl := range templates(t, example) {
			for id, r := range tmpl.Resources {
				name := ""
				switch r.Type {
				case "AWS::SecretsManager::Secret":
					name = fmt.Sprint(r.at("Name"))
				case "AWS::KMS::Key", "AWS::KMS::ReplicaKey", "AWS::S3::Bucket":
				case "AWS::DynamoDB::Table":
					name = fmt.Sprint(r.at("TableName"))
				default:
					continue
				}
				if r.DeletionPolicy != "Retain" || r.UpdateReplacePolicy != "Retain" {
					t.Errorf("%s %s: deletion %q, replacement %q, want Retain for both", stack, id, r.DeletionPolicy, r.UpdateReplacePolicy)
				}
				made = append(made, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", stack, r.Type, id, name)))
			}
		}
	}
	text, err := os.ReadFile("testdata/kept.txt")
	if err != nil {
		t.Fatal(err)
	}
	kept := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range kept {
		if !slices.Contains(made, line) {
			t.Errorf("CloudFormation would replace or lose %s", line)
		}
	}
	all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(kept, made))))
	if *update {
		if err := os.WriteFile("testdata/kept.txt", []byte(strings.Join(all, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(kept, all); diff != "" {
		t.Errorf("-update adds (-kept +made):\n%s", diff)
	}
}

// A file that asks for it gives up what is kept otherwise.
func TestRemovalCanBeAskedFor(t *testing.T) {
	f := load(t, "minimal")
	f.Removal = config.Removal{Secrets: config.Delete, Keys: config.Delete, Records: config.Delete}
	code := stubs(t, f)
	app := newApp(t, t.TempDir(), nil)
	d := rekey.Deploy(app, f, rekey.Options{Code: code})
	if *d.Primary.TerminationProtection() {
		t.Error("the stack is protected")
	}
	tmpl := assertions.Template_FromStack(d.Primary, nil)
	for _, kind := range []string{"AWS::SecretsManager::Secret", "AWS::DynamoDB::Table", "AWS::Logs::LogGroup", "AWS::KMS::Key"} {
		tmpl.AllResources(&kind, map[string]any{"DeletionPolicy": "Delete"})
	}
}
