package lambda

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

const (
	latestVersion = "$LATEST"
	// maxVariablesBytes is Lambda's limit for all variables of a function together.
	maxVariablesBytes = 4 << 10
)

// reservedVariables cannot be set in a function's configuration:
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
// The last one is ours: it would make a Go function serve RPC instead of the Runtime API.
var reservedVariables = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID",
	"AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
	"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_MAX_CONCURRENCY",
	"AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN",
	"LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
	"_LAMBDA_SERVER_PORT",
}

var variableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]+$`)

// checkVariables applies Lambda's rules. Its errors name variables and never show a value.
func checkVariables(variables map[string]string) error {
	size := 0
	for name, value := range variables {
		if slices.Contains(reservedVariables, name) {
			return fmt.Errorf("the environment variable %s is reserved by Lambda: remove it, the platform sets it", name)
		}
		if !variableName.MatchString(name) {
			return fmt.Errorf("the environment variable %q is refused by Lambda: a name is a letter, then letters, digits and underscores", name)
		}
		size += len(name) + len(value)
	}
	if size > maxVariablesBytes {
		return fmt.Errorf("the environment variables take %d bytes, Lambda's limit is %d: shorten them", size, maxVariablesBytes)
	}
	return nil
}

// environment is everything that the process finds: Lambda's variables, then the function's
// own, which may replace PATH, LANG and TZ. Nothing is inherited.
func environment(cfg *Config, runtimeAPI string) []string {
	root := filepath.Dir(cfg.Binary)
	variables := map[string]string{
		"_HANDLER":                        "bootstrap",
		"AWS_ACCESS_KEY_ID":               cfg.Credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":           cfg.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN":               cfg.Credentials.SessionToken,
		"AWS_DEFAULT_REGION":              cfg.Region,
		"AWS_REGION":                      cfg.Region,
		"AWS_EXECUTION_ENV":               "AWS_Lambda_provided.al2023",
		"AWS_LAMBDA_FUNCTION_NAME":        cfg.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     latestVersion,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(cfg.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + cfg.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      time.Now().UTC().Format("2006/01/02/") + "[" + latestVersion + "]" + randomHex(16),
		"AWS_LAMBDA_RUNTIME_API":          runtimeAPI,
		"LAMBDA_TASK_ROOT":                root,
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"LANG":                            "en_US.UTF-8",
		"PATH":                            "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"TZ":                              ":UTC",
		// Not Lambda's, but needed for its isolation: without them the SDK finds the home
		// of whoever runs this, by the user database, and reads settings and keys there.
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	}
	for name, value := range cfg.Env {
		variables[name] = value
	}
	list := make([]string, 0, len(variables))
	for name, value := range variables {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// newInvocation gives an invocation its identity; the deadline comes with the delivery.
func newInvocation(arn string, payload []byte) *invocation {
	return &invocation{id: newRequestID(), arn: arn, trace: newTraceID(), payload: payload}
}

// newRequestID returns a random UUID of version 4.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newTraceID returns an unsampled X-Ray header:
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func newTraceID() string {
	return fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", time.Now().Unix(), randomHex(12), randomHex(8))
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
