// Command infra is the CDK app: it reads rekey.yaml, compiles the functions, and writes the
// templates. The CDK's command line runs it (npx cdk synth); by itself it takes the same
// context: go run ./infra -c config=rekey.yaml.
package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/infra/config/cost"
	"github.com/rekey-aws/rekey/infra/rekey"
)

// settings of the CDK: the command line reads them too.
//
//go:embed cdk.json
var settings []byte

func main() {
	// The process that runs the CDK's code ends with this one.
	defer jsii.Close()
	if err := run(context.Background(), os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		jsii.Close()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, progress io.Writer) error {
	given := values{}
	flags := flag.NewFlagSet("infra", flag.ContinueOnError)
	flags.Var(given, "c", "context `KEY=VALUE`, such as config=rekey.yaml; may be given several times")
	out := flags.String("out", cmp.Or(os.Getenv("CDK_OUTDIR"), "cdk.out"), "`FOLDER` for the templates and the functions")
	if err := flags.Parse(args); err != nil {
		return err
	}
	node := cmp.Or(os.Getenv("JSII_NODE"), "node")
	if _, err := exec.LookPath(node); err != nil {
		return fmt.Errorf("the CDK's code runs in Node: %w: install Node 20 or 22, or set JSII_NODE to its path", err)
	}
	app, err := newApp(given, *out)
	if err != nil {
		return err
	}
	path, _ := app.Node().TryGetContext(jsii.String("config")).(string)
	file, err := config.Load(find(path))
	if err != nil {
		return err
	}
	names := rekey.Functions(file)
	_, _ = fmt.Fprintf(progress, "compiling %s\n", strings.Join(names, ", "))
	code, err := rekey.Build(ctx, filepath.Join(*app.Outdir(), ".functions"), names...)
	if err != nil {
		return err
	}
	price := cost.Of(file, cost.Usage{}).Summary()
	_, _ = fmt.Fprintln(progress, price)
	return synthesize(app, file, rekey.Options{Code: code, MonthlyCost: price}, progress)
}

// synthesize turns the panics with which the CDK refuses a construct into an error.
func synthesize(app awscdk.App, file *config.File, o rekey.Options, progress io.Writer) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("making the templates: %v", r)
		}
	}()
	rekey.Deploy(app, file, o)
	assembly := app.Synth(nil)
	for _, s := range *assembly.Stacks() {
		_, _ = fmt.Fprintf(progress, "%s: %s\n", *s.StackName(), *s.TemplateFullPath())
	}
	return nil
}

// newApp knows what cdk.json says, whoever runs it.
func newApp(given map[string]string, out string) (awscdk.App, error) {
	var s struct {
		Context map[string]any `json:"context"`
	}
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, fmt.Errorf("cdk.json: %w", err)
	}
	for key, value := range given {
		s.Context[key] = value
	}
	app := awscdk.NewApp(&awscdk.AppProps{Context: &s.Context, Outdir: &out})
	rekey.Validate(app)
	return app, nil
}

// find takes a path from where the command was called, or from the repository's root: the
// CDK's command line runs this app in infra.
func find(path string) string {
	up := filepath.Join("..", path)
	if filepath.IsAbs(path) || exists(path) || !exists(up) {
		return path
	}
	return up
}

func exists(path string) bool {
	_, err := os.Stat(path) //nolint:gosec // the path is the person's own
	return err == nil
}

// values are the KEY=VALUE of repeated flags.
type values map[string]string

func (v values) String() string { return "" }

func (v values) Set(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("give KEY=VALUE")
	}
	v[key] = value
	return nil
}
