package secretsmanager_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// The conformance suite drives one table (conformance_table_test.go) through the SDK and
// through the AWS CLI. Each row says where its expected values come from.

// row is one call. What want holds must be in the reply; a string that begins with ~ is a
// regular expression, null means that the member is absent.
type row struct {
	operation string
	in        string // the request, as JSON
	want      string // of the reply, as JSON
	code      string // of the error, if there is to be one
	message   string // of the error; not compared if empty
	region    string // us-east-1 if empty
	setup     bool   // prepares: over HTTP, whoever drives
	sdkOnly   bool   // Debian's CLI 2.9.19 is older than the operation or parameter
}

// driver makes a call and returns the reply as JSON, or the error's code and message.
type driver func(t *testing.T, r row) (reply []byte, code, message string)

func conform(t *testing.T, c conformance, drive func(t *testing.T, endpoint string) driver, all bool) {
	now := time.Date(2026, 7, 15, 15, 20, 30, 0, time.UTC)
	srv := must(secretsmanager.New(secretsmanager.Options{
		Now: func() time.Time { return now }, Invoker: &function{fail: func(string, int) error { return errors.New("it fails") }}, Backoff: func(int) time.Duration { return time.Hour },
	}))(t)
	defer srv.Close()
	http := httptest.NewServer(srv)
	defer http.Close()
	call, setup := drive(t, http.URL), bySDK(t, http.URL)
	for i, r := range c.rows {
		if r.sdkOnly && !all {
			continue
		}
		how := call
		if r.setup {
			how = setup
		}
		reply, code, message := how(t, r)
		switch {
		case code != r.code || r.message != "" && message != r.message:
			t.Fatalf("row %d, %s %s\ngot  %s: %s\nwant %s: %s", i, r.operation, r.in, code, message, r.code, r.message)
		case r.want != "":
			var got, want any
			must(0, json.Unmarshal([]byte(r.want), &want))(t)
			if len(bytes.TrimSpace(reply)) > 0 {
				must(0, json.Unmarshal(reply, &got))(t)
			}
			if why := holds(got, want, ""); why != "" {
				t.Fatalf("row %d, %s %s\n%s\nin %s", i, r.operation, r.in, why, reply)
			}
		}
	}
}

// holds says what of want is not in got.
func holds(got, want any, at string) string {
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for k, v := range w {
			if why := holds(g[k], v, at+"."+k); why != "" {
				return why
			}
		}
		return ""
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			return fmt.Sprintf("%s has %d elements, not %d", at, len(g), len(w))
		}
		for i := range w {
			if why := holds(g[i], w[i], fmt.Sprintf("%s[%d]", at, i)); why != "" {
				return why
			}
		}
		return ""
	case string:
		if form, found := strings.CutPrefix(w, "~"); found {
			if g, _ := got.(string); !regexp.MustCompile(`^(?:` + form + `)$`).MatchString(g) {
				return fmt.Sprintf("%s is %v, which is not of the form %s", at, got, form)
			}
			return ""
		}
	case nil:
		if v := reflect.ValueOf(got); got == nil || v.Kind() == reflect.Slice && v.Len() == 0 {
			return "" // the SDK's structs cannot tell absent from null
		}
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("%s is %v, not %v", at, got, want)
	}
	return ""
}

// bySDK calls the Go SDK's method of the operation's name.
func bySDK(t *testing.T, endpoint string) driver {
	return func(t *testing.T, r row) ([]byte, string, string) {
		client := api.New(api.Options{
			Region: region(r), BaseEndpoint: &endpoint, Retryer: aws.NopRetryer{},
			Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "key", ""),
		})
		method := reflect.ValueOf(client).MethodByName(r.operation)
		in := reflect.New(method.Type().In(1).Elem())
		must(0, json.Unmarshal([]byte(r.in), in.Interface()))(t)
		out := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), in})
		if err, _ := out[1].Interface().(error); err != nil {
			var e smithy.APIError
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			return nil, e.ErrorCode(), e.ErrorMessage()
		}
		return must(json.Marshal(out[0].Interface()))(t), "", ""
	}
}

func region(r row) string {
	if r.region == "" {
		return "us-east-1"
	}
	return r.region
}

func TestConformanceOfTheSDK(t *testing.T) {
	for _, c := range conformances {
		t.Run(c.operation, func(t *testing.T) {
			t.Parallel()
			conform(t, c, bySDK, true)
		})
	}
}

var (
	cliError = regexp.MustCompile(`An error occurred \((\w+)\) when calling the \w+ operation: (.*)`)
	kebab    = regexp.MustCompile(`([a-z])([A-Z])`)
)

// byCLI runs `aws secretsmanager …`, as someone does who has nothing configured but the endpoint.
func byCLI(path string) func(t *testing.T, endpoint string) driver {
	return func(t *testing.T, endpoint string) driver {
		return func(t *testing.T, r row) ([]byte, string, string) {
			cmd := exec.CommandContext(t.Context(), path, "secretsmanager", strings.ToLower(kebab.ReplaceAllString(r.operation, "$1-$2")),
				"--endpoint-url", endpoint, "--region", region(r), "--output", "json", "--no-cli-pager", "--cli-binary-format", "base64", "--cli-input-json", r.in)
			cmd.Env = []string{"AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY=key", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
			var out, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &stderr
			if cmd.Run() == nil {
				return out.Bytes(), "", ""
			}
			m := cliError.FindStringSubmatch(stderr.String())
			if m == nil {
				t.Fatalf("aws %s: %s", r.operation, stderr.String())
			}
			return nil, m[1], strings.TrimSpace(m[2])
		}
	}
}

// findCLI finds an AWS CLI that runs: the distribution's first, since what comes earlier on the
// PATH may be a shim of a version manager with nothing behind it.
func findCLI(t *testing.T) string {
	for _, path := range []string{"/usr/bin/aws", "aws"} {
		if exec.CommandContext(t.Context(), path, "--version").Run() == nil {
			return path
		}
	}
	t.Fatal("the AWS CLI is not installed: run scripts/install-test-servers, or leave this test out with -short")
	return ""
}

func TestConformanceOfTheCLI(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs the AWS CLI")
	}
	path := findCLI(t)
	for _, c := range conformances {
		if c.rows[len(c.rows)-1].sdkOnly {
			continue
		}
		t.Run(c.operation, func(t *testing.T) {
			t.Parallel()
			conform(t, c, byCLI(path), false)
		})
	}
}

// Every operation of the SDK's client has its table.
func TestEveryOperationHasATable(t *testing.T) {
	tables := map[string]bool{}
	for _, c := range conformances {
		tables[c.operation] = true
	}
	client := reflect.TypeFor[*api.Client]()
	n := 0
	for i := range client.NumMethod() {
		if m := client.Method(i); m.Type.NumIn() == 4 && m.Type.NumOut() == 2 {
			n++
			if !tables[m.Name] {
				t.Errorf("%s has no table", m.Name)
			}
		}
	}
	if n != len(conformances) {
		t.Errorf("%d tables for %d operations", len(conformances), n)
	}
}

// quoted is a JSON document as a JSON string.
func quoted(document string) string {
	text, _ := json.Marshal(document)
	return string(text)
}
