// Package databasetest gives tests real database servers. A server that is not
// installed fails the test, with what to do: it is never skipped.
package databasetest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
)

// Start starts a server for this test alone, stopped when the test ends.
func Start(t testing.TB, o database.Options) *database.Server {
	t.Helper()
	s, err := database.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("starting a database server: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return s
}

// StartReplica starts a read-only replica of a PostgreSQL server that Start or
// Shared gave, stopped when the test ends.
func StartReplica(t testing.TB, primary *database.Server) *database.Server {
	t.Helper()
	s, err := primary.StartReplica(t.Context())
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return s
}

// shared are the servers of this test process, one per engine and version.
var shared struct {
	sync.Mutex
	servers map[string]*sharedServer
}

type sharedServer struct {
	once   sync.Once
	server *database.Server
	err    error
}

// Shared gives a server that all tests of this process share: one that requires
// TLS and logs all statements. Tests make users of their own names on it, and do
// not pause, kill, restart or stop it. It ends with the process; a package that
// uses it calls Main, so that its data is removed at once too.
func Shared(t testing.TB, engine database.Engine, version string) *database.Server {
	t.Helper()
	shared.Lock()
	if shared.servers == nil {
		shared.servers = map[string]*sharedServer{}
	}
	key := string(engine) + " " + version
	entry := shared.servers[key]
	if entry == nil {
		entry = &sharedServer{}
		shared.servers[key] = entry
	}
	shared.Unlock()
	entry.once.Do(func() {
		// Not the test's context: the server outlives the test that needed it first.
		entry.server, entry.err = database.Start(context.Background(),
			database.Options{Engine: engine, Version: version, LogStatements: true})
	})
	if entry.err != nil {
		t.Fatalf("starting a shared database server: %v", entry.err)
	}
	return entry.server
}

// Main runs a package's tests, stops the shared servers, and exits the process:
//
//	func TestMain(m *testing.M) { databasetest.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	if err := StopShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// StopShared stops the shared servers: for a TestMain that does more than Main.
func StopShared() error {
	shared.Lock()
	defer shared.Unlock()
	var failed error
	for _, entry := range shared.servers {
		if entry.server != nil {
			if err := entry.server.Stop(); err != nil {
				failed = err
			}
		}
	}
	shared.servers = nil
	return failed
}
