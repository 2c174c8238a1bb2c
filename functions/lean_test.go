// Package functions_test keeps all functions lean: what each is made of, and what its start
// costs beside the least that a Go function can.
package functions_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
)

// lean is what one function may be made of, beside Go's own packages, ours, and the core of the
// SDK. Each module costs every cold start, and the package's size: a new one is weighed first
// (go run ./bench --only init), and has its reason in the commit.
var lean = map[string]struct {
	services []string // packages of the SDK
	modules  []string
}{
	"rotate-rds": {
		services: []string{"rds", "scheduler", "secretsmanager"},
		modules:  []string{"filippo.io/edwards25519", "github.com/go-sql-driver/mysql", "github.com/lib/pq"},
	},
	"rotate-redshift": {
		services: []string{"redshift", "redshiftdata", "redshiftserverless", "secretsmanager"},
		modules:  []string{"github.com/lib/pq"},
	},
	"rotate-apikey": {
		services: []string{"iam", "scheduler", "secretsmanager", "sns", "sts"},
		modules:  []string{"github.com/goccy/go-yaml", "github.com/itchyny/gojq", "github.com/itchyny/timefmt-go"},
	},
	"audit-forwarder": {
		services: []string{"secretsmanager", "securityhub", "sns"},
		modules:  []string{"github.com/itchyny/gojq", "github.com/itchyny/timefmt-go"},
	},
}

// everywhere are the modules that all functions have.
var everywhere = []string{"github.com/aws/aws-lambda-go", "github.com/aws/smithy-go", "github.com/rekey-aws/rekey"}

// never are packages that no function has: they serve what a function must not, keep the linker
// from leaving methods out (text/template calls them by name), or are for tests.
var never = []string{
	"testing", "net/http/pprof", "net/http/httptest", "net/http/cgi", "expvar", "net/rpc", "plugin", "text/template", "html/template",
	"go/ast", "encoding/gob", "os/exec", "runtime/pprof", "runtime/trace",
	"github.com/aws/aws-sdk-go-v2/config", "github.com/aws/aws-sdk-go-v2/credentials",
}

const sdk = "github.com/aws/aws-sdk-go-v2/"

func TestFunctionsAreLean(t *testing.T) {
	t.Parallel()
	for name, want := range lean {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packages := dependencies(t, "./"+name, "{{.ImportPath}}")
			for _, p := range never {
				if slices.Contains(packages, p) {
					t.Errorf("%s is in it: go list -deps -json tells by whom", p)
				}
			}
			var services []string
			for _, p := range packages {
				if s, ok := strings.CutPrefix(p, sdk+"service/"); ok && !strings.Contains(s, "/") {
					services = append(services, s)
				}
			}
			if slices.Sort(services); !slices.Equal(services, want.services) {
				t.Errorf("the services are %q, and may be %q", services, want.services)
			}
			var modules []string
			for _, m := range dependencies(t, "./"+name, "{{with .Module}}{{.Path}}{{end}}") {
				if !slices.Contains(everywhere, m) && !strings.HasPrefix(m+"/", sdk) {
					modules = append(modules, m)
				}
			}
			if !slices.Equal(modules, want.modules) {
				t.Errorf("the modules are %q, and may be %q", modules, want.modules)
			}
		})
	}
	found, err := filepath.Glob("*/main.go")
	if err != nil || len(found) != len(lean) {
		t.Errorf("the table has %d functions, and there are %v (%v)", len(lean), found, err)
	}
}

// dependencies of a function as it is deployed, each once and sorted.
func dependencies(t *testing.T, function, format string) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "lambda.norpc", "-f", format, function)
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(out))
	slices.Sort(lines)
	return slices.Compact(lines)
}

// mostOfFloor bounds the processor time of a start, as a multiple of the floor's. The aim is 2,
// and is what the bench tells on a machine that has nothing else to do; this is what no start
// reaches by accident, on any machine.
const mostOfFloor = 3.5

// A start costs a small multiple of that of a main with aws-lambda-go alone. Processor time is
// compared, not time, in turns: what else the machine does changes both alike.
func TestStartsAreNearTheFloor(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles all functions")
	}
	if runtime.GOOS == "windows" {
		t.Skip("its processor times are in ticks of 16 ms")
	}
	names, binaries := []string{"floor"}, []string{build(t, "./bench/floor")}
	for name := range lean {
		names, binaries = append(names, name), append(binaries, build(t, "./functions/"+name))
	}
	host := newHost(t)
	const turns = 15
	starts := make([][]time.Duration, len(names))
	for range turns {
		for i, binary := range binaries {
			starts[i] = append(starts[i], host.start(t, binary))
		}
	}
	floor := median(starts[0])
	for i, name := range names[1:] {
		cost := median(starts[i+1])
		t.Logf("%s: %v of the processor, %.2f x the floor's %v", name, cost, float64(cost)/float64(floor), floor)
		if float64(cost) > mostOfFloor*float64(floor) {
			t.Errorf("%s starts in %v of processor time, more than %v times the floor's %v: GODEBUG=inittrace=1 tells which package takes it", name, cost, mostOfFloor, floor)
		}
	}
}

func build(t *testing.T, pkg string) string {
	t.Helper()
	path, err := lambda.Build(t.Context(), lambda.BuildOptions{Package: pkg, Out: filepath.Join(t.TempDir(), "bootstrap")})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func median(values []time.Duration) time.Duration {
	slices.Sort(values)
	return values[len(values)/2]
}

// host is a Lambda Runtime API that has no invocation for anybody.
type host struct {
	address string
	asked   chan struct{}
}

func newHost(t *testing.T) *host {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &host{address: l.Addr().String(), asked: make(chan struct{}, 1)}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h.asked <- struct{}{}
		<-r.Context().Done()
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return h
}

// start runs a function until it asks for its first invocation, and returns the processor time
// that it took.
func (h *host) start(t *testing.T, binary string) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	function := exec.CommandContext(ctx, binary)
	function.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + h.address, "AWS_REGION=us-east-1"}
	if err := function.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-h.asked:
	case <-ctx.Done():
		t.Error("the function does not ask for an invocation")
	}
	_ = function.Process.Kill()
	_ = function.Wait() // it was killed
	return function.ProcessState.UserTime() + function.ProcessState.SystemTime()
}
