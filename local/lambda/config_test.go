package lambda

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestEnvironmentIsLambdasAndNothingElse(t *testing.T) {
	t.Setenv("REKEY_TEST_PARENT", "must not leak")
	t.Setenv("AWS_CA_BUNDLE", "/must/not/leak")
	t.Setenv("_LAMBDA_SERVER_PORT", "1")
	f, _ := deploy(t, "handler", func(c *Config) {
		c.Env = map[string]string{"EXCLUDE_CHARACTERS": "/@", "TZ": "Europe/Vienna"}
		c.Region, c.AccountID, c.MemoryMB = "eu-west-1", "210987654321", 512
		c.Credentials = Credentials{AccessKeyID: "AKIA", SecretAccessKey: "key", SessionToken: "token"}
	})
	a, _ := call(t, f, `{}`)
	got := make(map[string]string)
	for _, variable := range a.Env {
		name, value, _ := strings.Cut(variable, "=")
		got[name] = value
	}
	root := filepath.Dir(functions["handler"])
	want := map[string]string{
		"EXCLUDE_CHARACTERS": "/@", "TZ": "Europe/Vienna",
		"AWS_LAMBDA_FUNCTION_NAME": "handler", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
		"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023",
		"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/handler", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"LAMBDA_TASK_ROOT": root, "LAMBDA_RUNTIME_DIR": "/var/runtime", "LANG": "en_US.UTF-8", "_HANDLER": "bootstrap",
		"PATH":              "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "token",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"_X_AMZN_TRACE_ID": a.Trace, // set by aws-lambda-go for each invocation
	}
	varying := []string{"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_LOG_STREAM_NAME"}
	if runtime.GOOS == "windows" {
		varying = append(varying, "SYSTEMROOT")
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s=%q, want %q", name, got[name], value)
		}
	}
	for name := range got {
		if _, known := want[name]; !known && !slices.Contains(varying, name) {
			t.Errorf("%s has leaked into the function", name)
		}
	}
	if !strings.HasPrefix(got["AWS_LAMBDA_RUNTIME_API"], "127.0.0.1:") || !strings.Contains(got["AWS_LAMBDA_LOG_STREAM_NAME"], "/[$LATEST]") {
		t.Errorf("Runtime API %q, log stream %q", got["AWS_LAMBDA_RUNTIME_API"], got["AWS_LAMBDA_LOG_STREAM_NAME"])
	}
	if real, _ := filepath.EvalSymlinks(root); a.Dir != root && a.Dir != real {
		t.Errorf("the function runs in %s, want %s", a.Dir, root)
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign")
	if err := os.WriteFile(foreign, foreignELF(), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"no name", func(c *Config) { c.Name = "" }, "the name must be"},
		{"no binary", func(c *Config) { c.Binary = "" }, "no binary is named"},
		{"missing binary", func(c *Config) { c.Binary = filepath.Join(dir, "missing") }, filepath.Join(dir, "missing")},
		{"folder", func(c *Config) { c.Binary = dir }, dir + " is not a file"},
		{"not executable", func(c *Config) { c.Binary = plain }, plain + " is not executable"},
		{"other processor", func(c *Config) { c.Binary = foreign }, foreign + " is built for"},
		{"reserved variable", func(c *Config) { c.Env = map[string]string{"AWS_REGION": "secret"} }, "AWS_REGION is reserved"},
		{"RPC", func(c *Config) { c.Env = map[string]string{"_LAMBDA_SERVER_PORT": "1"} }, "_LAMBDA_SERVER_PORT is reserved"},
		{"odd variable", func(c *Config) { c.Env = map[string]string{"A-B": "secret"} }, `"A-B" is refused`},
		{"large variables", func(c *Config) { c.Env = map[string]string{"LONG": strings.Repeat("secret", 1000)} }, "6004 bytes"},
		{"time-out", func(c *Config) { c.Timeout = 16 * 60e9 }, "timeout 16m0s"},
		{"memory", func(c *Config) { c.MemoryMB = 64 }, "64 MB"},
		{"account", func(c *Config) { c.AccountID = "12" }, `"12" is not 12 digits`},
		{"region", func(c *Config) { c.Region = "moon" }, `"moon"`},
		{"concurrency", func(c *Config) { c.Concurrency = -1 }, "concurrency -1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{Name: "handler", Binary: functions["handler"]}
			tt.edit(&cfg)
			_, err := New(cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// foreignELF is the header of an executable for a processor that is not this one's.
func foreignELF() []byte {
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[20] = 2, 1
	header[18] = 0xb7 // arm64
	if runtime.GOARCH == "arm64" {
		header[18] = 0x3e // amd64
	}
	header[52] = 64
	return header
}

func TestBinaryThatDisappears(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "bootstrap")
	code, err := os.ReadFile(functions["handler"])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, code, 0o700); err != nil {
		t.Fatal(err)
	}
	f, _ := deploy(t, "handler", func(c *Config) { c.Binary = binary })
	if err := os.Remove(binary); err != nil {
		t.Fatal(err)
	}
	failure, _ := fail(t, f, `{}`)
	if failure.Type != "Runtime.InvalidEntrypoint" || !strings.Contains(failure.Message, binary) {
		t.Errorf("got %v", failure)
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	cfg := Config{Credentials: Credentials{AccessKeyID: "AKIA", SecretAccessKey: "hush", SessionToken: "hush"}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, cfg); strings.Contains(text, "hush") || !strings.Contains(text, "AKIA") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
