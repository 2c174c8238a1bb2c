package serve

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/checkout"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/onemachine"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

// certificates is the variable by which Go programs find the authorities they trust.
const certificates = "SSL_CERT_FILE"

// filesOfEnv are the variables that name files: the function runs in another folder.
var filesOfEnv = []string{certificates, "SSL_CERT_DIR", "AWS_CA_BUNDLE"}

var (
	regionForm   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)
	functionForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	keyForm      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]+$`)
)

// Validate checks what can be checked before anything is started.
func (c *Command) Validate() error {
	if c.Port < 0 || c.Port > 65535 {
		return usage.Errorf("--port: %d is no port: give 0 to 65535", c.Port)
	}
	if c.Region != "" && !regionForm.MatchString(c.Region) {
		return usage.Errorf("--region: %q is not the name of a Region: give one such as us-east-1", c.Region)
	}
	for _, f := range c.Function {
		if name, _, _ := strings.Cut(f, "="); !functionForm.MatchString(name) {
			return usage.Errorf("--function: %q is not the name of a function: give NAME or NAME=FILE", name)
		}
	}
	for _, given := range c.Env {
		v, err := parseVariable(given)
		if err != nil {
			return err
		}
		if v.key == certificates && c.Database != "" {
			return usage.Errorf("--env: %s is set by --database: leave one of them out", v.key)
		}
	}
	if c.DeadLetters != "" && len(c.Rule) == 0 && c.Alerts == "" {
		return usage.Errorf("--dead-letters: without a rule nothing is delivered: give --rule or --alerts too")
	}
	if err := c.checkAlerts(); err != nil {
		return err
	}
	if c.RetireAfter != 0 && c.RetireAfter < time.Second {
		return usage.Errorf("--retire-after: %s is too short: give a second or more", c.RetireAfter)
	}
	if _, err := c.rules(); err != nil {
		return err
	}
	_, err := c.stand()
	return err
}

// variable is one --env.
type variable struct{ function, key, value string }

// parseVariable's errors do not show the value.
func parseVariable(given string) (variable, error) {
	name, value, ok := strings.Cut(given, "=")
	if !ok {
		return variable{}, usage.Errorf("--env: there is no = in it: give KEY=VALUE or FUNCTION:KEY=VALUE")
	}
	function, key, qualified := strings.Cut(name, ":")
	if !qualified {
		function, key = "", name
	}
	if !keyForm.MatchString(key) {
		return variable{}, usage.Errorf("--env: %q is not the name of a variable: give KEY=VALUE or FUNCTION:KEY=VALUE", key)
	}
	if slices.Contains(filesOfEnv, key) {
		if absolute, err := filepath.Abs(value); err == nil && value != "" {
			value = absolute
		}
		if _, err := os.Stat(value); err != nil {
			return variable{}, usage.Errorf("--env: %s names no file that can be read: %v", key, err)
		}
	}
	return variable{function, key, value}, nil
}

// functions are those asked for, built unless they are given, with their environment.
func (s *service) functions(ctx context.Context) ([]onemachine.Function, error) {
	asked := slices.Clone(s.command.Function)
	var root string
	if len(asked) == 0 || slices.ContainsFunc(asked, func(f string) bool { return !strings.Contains(f, "=") }) {
		var err error
		if root, err = checkout.Find(".", checkout.NameFunction); err != nil {
			return nil, err
		}
	}
	if len(asked) == 0 {
		var err error
		if asked, err = checkout.Functions(root); err != nil {
			return nil, err
		}
	}
	functions := make([]onemachine.Function, len(asked))
	for i, f := range asked {
		name, file, built := strings.Cut(f, "=")
		functions[i] = onemachine.Function{Name: name, Binary: file, Env: s.command.environment()}
		if built {
			continue
		}
		s.screen.Begin("building " + name + " (the first time takes a while)")
		binary, err := checkout.Build(ctx, root, name, s.dir)
		if err != nil {
			return nil, err
		}
		functions[i].Binary = binary
	}
	return functions, s.command.setEnvironment(functions)
}

func (c *Command) setEnvironment(functions []onemachine.Function) error {
	for _, given := range c.Env {
		v, err := parseVariable(given)
		if err != nil {
			return err
		}
		known := false
		for _, f := range functions {
			if v.function == "" || v.function == f.Name {
				f.Env[v.key], known = v.value, true
			}
		}
		if !known {
			return usage.Errorf("--env: there is no function %q here: give one of %s", v.function, names(functions))
		}
	}
	return nil
}

func names(functions []onemachine.Function) string {
	var all []string
	for _, f := range functions {
		all = append(all, f.Name)
	}
	return strings.Join(all, ", ")
}
