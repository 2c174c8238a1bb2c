package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rekey-aws/rekey/local/lambda"
)

// peer is a checkout of the official Python templates: folders that hold lambda_function.py.
// The zero value has none.
type peer struct {
	dir     string
	modules string // PYTHONPATH, where Python finds what they import
	python  string // the interpreter; prepare finds it
}

// bootstrap runs their handlers as Lambda's Python runtime does.
//
//go:embed peer/bootstrap.py
var bootstrap []byte

// official is a template that is there.
type official struct {
	name    string // of the row
	handler string // its file
}

// templates are those for a target.
func (p *peer) templates(t *target) map[string]official {
	found := map[string]official{}
	for strategy, suffix := range map[string]string{single: "SingleUser", alternating: "MultiUser"} {
		handler := filepath.Join(p.dir, t.templates+suffix, "lambda_function.py")
		if _, err := os.Stat(handler); err == nil && p.dir != "" && t.templates != "" {
			found[strategy] = official{t.name + ", " + strategy + ", official", handler}
		}
	}
	return found
}

// prepare finds Python, and refuses a folder without templates, and templates that cannot be
// run here.
func (p *peer) prepare(ctx context.Context, dir string) error {
	if p.dir == "" {
		return nil
	}
	// Not what PATH has, which may be a script that chooses one, and takes its time.
	found, err := exec.CommandContext(ctx, "python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return fmt.Errorf("--peer needs python3: %w", err)
	}
	p.python = strings.TrimSpace(string(found))
	program, err := p.program(filepath.Join(dir, "check"))
	if err != nil {
		return err
	}
	runs := 0
	for _, t := range targets() {
		for _, o := range p.templates(t) {
			cmd := exec.CommandContext(ctx, program, "import")
			cmd.Env = []string{"PYTHONPATH=" + p.modules, "HANDLER=" + o.handler, "AUTHORITY=" + os.DevNull}
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s cannot be run by %s: %s (%w): it needs boto3, and pgdb (PyGreSQL) or pymysql: install them, or name their folder in PYTHONPATH",
					o.handler, p.python, bytes.TrimSpace(out), err)
			}
			runs++
		}
	}
	if runs == 0 {
		return fmt.Errorf("--peer %s has no template: it is a checkout of aws-samples/aws-secrets-manager-rotation-lambdas, with folders such as SecretsManagerRDSPostgreSQLRotationSingleUser", p.dir)
	}
	return nil
}

// program writes the bootstrap to a folder of its own.
func (p *peer) program(dir string) (string, error) {
	path := filepath.Join(dir, "bootstrap")
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.WriteFile(path, append([]byte("#!"+p.python+"\n"), bootstrap...), 0o700) //nolint:gosec // it is to be run
	}
	return path, err
}

// contestant is the template for a strategy on a target; nil if there is none.
func (p *peer) contestant(t *target, strategy, dir string) (*contestant, error) {
	o, ok := p.templates(t)[strategy]
	if !ok {
		return nil, nil
	}
	program, err := p.program(filepath.Join(dir, strategy+"-official"))
	return &contestant{name: o.name, program: program, handler: o.handler}, err
}

// env are the settings of a template, beside those of ours.
func (p *peer) env(handler string, ours map[string]string, endpoint string) map[string]string {
	env := maps.Clone(ours)
	maps.Copy(env, map[string]string{"HANDLER": handler, "AUTHORITY": ours["SSL_CERT_FILE"], "PYTHONPATH": p.modules, "SECRETS_MANAGER_ENDPOINT": endpoint})
	delete(env, "SSL_CERT_FILE")
	return env
}

// starters are all templates, for the section init.
func (p *peer) starters(dir string) (all []*starter, err error) {
	for _, t := range targets() {
		for _, strategy := range t.strategies {
			o, ok := p.templates(t)[strategy]
			if !ok {
				continue
			}
			program, failed := p.program(filepath.Join(dir, "init", t.short, strategy))
			f, failedToo := lambda.New(lambda.Config{
				Name: "official-" + t.short + "-" + strategy, Binary: program,
				Env: p.env(o.handler, map[string]string{"SSL_CERT_FILE": os.DevNull}, "http://localhost"),
			})
			if err = errors.Join(failed, failedToo); err != nil {
				return nil, err
			}
			all = append(all, &starter{name: o.name, function: f})
		}
	}
	return all, nil
}
