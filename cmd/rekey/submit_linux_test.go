package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal/terminaltest"
)

// On a terminal the key is asked for, and not shown.
func TestSubmitOnATerminal(t *testing.T) {
	t.Parallel()
	const key = "example-of-a-key-that-is-typed"
	stored := make(chan string, 1)
	// As much of Secrets Manager as one submission sees.
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.Header.Get("X-Amz-Target") {
		case "secretsmanager.DescribeSecret":
			_, _ = io.WriteString(w, `{"ARN":"arn:aws:secretsmanager:us-east-1:123456789012:secret:npm-AbCdEf","VersionIdsToStages":{"11111111-1111-1111-1111-111111111111":["AWSPENDING"]}}`)
		case "secretsmanager.GetSecretValue":
			if !strings.Contains(string(body), "AWSCURRENT") {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"__type":"ResourceNotFoundException"}`)
				return
			}
			_, _ = io.WriteString(w, `{"SecretString":"{\"provider\":\"npm\",\"token\":\"old\"}"}`)
		case "secretsmanager.PutSecretValue":
			stored <- string(body)
			_, _ = io.WriteString(w, `{}`)
		default:
			_, _ = io.WriteString(w, `{}`)
		}
	}))
	t.Cleanup(web.Close)
	master, slave := terminaltest.Open(t)
	cmd := rekey(t, "submit", "npm", "--no-wait")
	cmd.Env = append(cmd.Env, "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL="+web.URL, "AWS_ACCESS_KEY_ID=me", "AWS_SECRET_ACCESS_KEY=none")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	// Typed when it is asked for and the terminal shows nothing any more.
	var shown strings.Builder
	buffer := make([]byte, 4096)
	typed := false
	for {
		n, err := master.Read(buffer)
		shown.Write(buffer[:n])
		if !typed && strings.Contains(shown.String(), "token (not shown): ") {
			typed = true
			for terminaltest.Shows(t, master) {
				time.Sleep(time.Millisecond)
			}
			if _, err := io.WriteString(master, key+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break // it has ended
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, shown.String())
	}
	if got := <-stored; !strings.Contains(got, key) {
		t.Errorf("it stored %s", got)
	}
	if strings.Contains(shown.String(), key) {
		t.Errorf("the key was shown: %s", shown.String())
	}
}
