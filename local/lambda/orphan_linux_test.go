package lambda

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// orphanVariable makes the test's executable a caller that is going to be killed.
const orphanVariable = "REKEY_TEST_ORPHAN"

func init() {
	binary := os.Getenv(orphanVariable)
	if binary == "" {
		return
	}
	f, err := New(Config{Name: "orphan", Binary: binary})
	if err != nil {
		panic(err)
	}
	body, err := f.Invoke(context.Background(), nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(body))
	time.Sleep(time.Minute)
	os.Exit(1)
}

func TestFunctionsEndWithACallerThatIsKilled(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), orphanVariable+"="+functions["handler"])
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	var a answer
	if err != nil || json.Unmarshal([]byte(line), &a) != nil {
		t.Fatalf("read %q, error %v", line, err)
	}
	for range 200 {
		// Ended, whether or not somebody has yet asked for its status.
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.PID))
		if err != nil || strings.Contains(string(status), "State:\tZ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", a.PID)
}
