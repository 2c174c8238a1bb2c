package secretsmanagertest_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"go.uber.org/goleak"

	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/local/secretsmanager/secretsmanagertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServersShareNothing(t *testing.T) {
	a, b := secretsmanagertest.New(t), secretsmanagertest.New(t, secretsmanager.Options{Region: "eu-west-1"})
	out, err := api.NewFromConfig(b.Config()).CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("a"), SecretString: aws.String("v")})
	if err != nil || !strings.HasPrefix(*out.ARN, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-") {
		t.Fatalf("got %v, %v", out, err)
	}
	if _, err := api.NewFromConfig(a.Config()).GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: out.ARN}); err == nil {
		t.Error("one server has the secrets of another")
	}
}

// page is the documentation that this package's users read.
const page = "../../../docs/local.md"

var block = regexp.MustCompile("(?ms)^```(bash|python|go)\n(.*?)^```$")

// What docs/local.md says is what happens: its commands and scripts run, and its Go test is
// the one beside this file.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		language, program := m[1], m[2]
		seen[language]++
		switch language {
		case "bash":
			run(t, program, "bash", "-euo", "pipefail", "-c", program)
		case "python":
			run(t, program, "python3", "-c", program)
		case "go":
			isExample(t, program)
		}
	}
	if seen["bash"] == 0 || seen["python"] == 0 || seen["go"] == 0 {
		t.Errorf("the page has blocks %v: want some of each", seen)
	}
}

// run runs a block against an empty server.
func run(t *testing.T, program, name string, args ...string) {
	t.Helper()
	tool := name
	if strings.Contains(program, "aws ") {
		tool = "aws"
	}
	if _, err := exec.LookPath(tool); err != nil {
		t.Fatalf("%s is not installed: see CONTRIBUTING.md", tool)
	}
	if name == "python3" && exec.CommandContext(t.Context(), name, "-c", "import boto3").Run() != nil {
		t.Log("boto3 is not installed: its example is not run")
		return
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), secretsmanagertest.New(t).Env()...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s\n%v\n%s", program, err, out)
	}
}

func isExample(t *testing.T, program string) {
	t.Helper()
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(strings.Fields(string(source)), " "), strings.Join(strings.Fields(program), " ")) {
		t.Errorf("the Go of %s is not in example_test.go:\n%s", page, program)
	}
}
