package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal/terminaltest"
)

// On a terminal a command can be typed to, and Ctrl-C and Ctrl-Z reach it once, as without
// rekey: it is in the group of processes that the terminal is in the hands of.
func TestExecOnATerminal(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ARN":"arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf","VersionId":"1","SecretString":"example-of-a-key"}`)
	}))
	t.Cleanup(web.Close)
	for name, flags := range map[string][]string{"in rekey's place": nil, "beside rekey": {"--mask"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far, near := terminaltest.Open(t)
			const script = `trap 'echo caught' INT; echo group $(ps -o pgid= $$) $(ps -o tpgid= $$); echo ready; while ! read line; do :; done; echo "it is $line, $APP"`
			cmd := rekey(t, append(append([]string{"exec", "-s", "app"}, flags...), "--", "sh", "-c", script)...)
			cmd.Env = append(cmd.Env, "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL="+web.URL, "AWS_ACCESS_KEY_ID=me", "AWS_SECRET_ACCESS_KEY=none")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = near, near, near
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = near.Close()
			shown := converse(t, far, map[string]string{"ready": "\x03", "caught": "typed\n"})
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v:\n%s", err, shown)
			}
			end := "it is typed, example-of-a-key"
			if flags != nil {
				end = "it is typed, ***"
			}
			if strings.Count(shown, "caught") != 1 || !strings.Contains(shown, end) {
				t.Errorf("shown:\n%s", shown)
			}
			for line := range strings.Lines(shown) {
				if f := strings.Fields(line); len(f) == 3 && f[0] == "group" && f[1] != f[2] {
					t.Errorf("the command is in the group %s, the terminal in the hands of %s", f[1], f[2])
				}
			}
		})
	}
}

// converse types an answer to each line that a terminal shows, until its end.
func converse(t *testing.T, far *os.File, answers map[string]string) (shown string) {
	t.Helper()
	for lines := bufio.NewScanner(far); lines.Scan(); {
		shown += lines.Text() + "\n"
		if answer, ok := answers[strings.TrimPrefix(strings.TrimSpace(lines.Text()), "^C")]; ok {
			if _, err := io.WriteString(far, answer); err != nil {
				t.Fatal(err)
			}
		}
	}
	return shown
}
