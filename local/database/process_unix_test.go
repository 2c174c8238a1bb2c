//go:build unix

package database

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const holdEngine = "REKEY_TEST_HOLD_ENGINE"

// TestHold is no test: it is the process that TestNothingOutlivesUs kills. It
// starts a server, pauses it, tells its processes, and waits.
func TestHold(t *testing.T) {
	engine := os.Getenv(holdEngine)
	if engine == "" {
		t.Skip("started by TestNothingOutlivesUs only")
	}
	s, err := Start(context.Background(), Options{Engine: Engine(engine)})
	if err != nil {
		t.Fatal(err)
	}
	family := s.process.family()
	if os.Getenv(holdEngine+"_PAUSED") != "" {
		if err := s.Pause(); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("folder", s.folder.dir)
	fmt.Println("processes", strings.Trim(fmt.Sprint(family), "[]"))
	select {}
}

func TestNothingOutlivesUs(t *testing.T) {
	if testing.Short() {
		t.Skip("needs database servers")
	}
	t.Parallel()
	for _, engine := range []Engine{Postgres, MySQL, MariaDB} {
		for _, paused := range []string{"", "paused"} {
			t.Run(string(engine)+paused, func(t *testing.T) {
				t.Parallel()
				holder := exec.Command(os.Args[0], "-test.run=^TestHold$")
				holder.Env = append(os.Environ(), holdEngine+"="+string(engine), holdEngine+"_PAUSED="+paused)
				for _, pid := range holdAndKill(t, holder) {
					awaitEnd(t, pid)
				}
			})
		}
	}
}

// holdAndKill runs a holder until its server is up, kills it, and returns the
// server's processes.
func holdAndKill(t *testing.T, holder *exec.Cmd) []int {
	t.Helper()
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	}()
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
		if dir, ok := strings.CutPrefix(lines.Text(), "folder "); ok {
			t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the next process would, a minute later
		}
		numbers, ok := strings.CutPrefix(lines.Text(), "processes ")
		if !ok {
			continue
		}
		var pids []int
		for _, number := range strings.Fields(numbers) {
			var pid int
			if _, err := fmt.Sscan(number, &pid); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		return pids
	}
	t.Fatalf("the holder started no server: %s", strings.Join(said, "\n"))
	return nil
}

func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if syscall.Kill(pid, 0) != nil || isZombie(pid) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d of the server outlives the one that started it", pid)
		}
	}
}

// isZombie: ended, and not yet collected by whoever inherited it.
func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
