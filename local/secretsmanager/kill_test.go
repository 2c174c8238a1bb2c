package secretsmanager_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// serveState makes this binary a server on the state directory it names.
const serveState = "REKEY_TEST_SERVE_STATE"

func serveUntilKilled(dir string) {
	srv, err := secretsmanager.New(secretsmanager.Options{StateDir: dir})
	if err == nil {
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
			fmt.Println("http://" + l.Addr().String())
			err = http.Serve(l, srv)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestAcknowledgedWritesSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(must(os.Executable())(t))
	child.Env, child.Stderr = append(os.Environ(), serveState+"="+dir), os.Stderr
	stdout := must(child.StdoutPipe())(t)
	must(0, child.Start())(t)
	defer child.Process.Kill()
	url := strings.TrimSpace(must(bufio.NewReader(stdout).ReadString('\n'))(t))
	client := api.New(api.Options{
		Region: "us-east-1", BaseEndpoint: &url, Retryer: aws.NopRetryer{}, HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Credentials: credentials.NewStaticCredentialsProvider("A", "B", ""),
	})

	const writers = 4
	var acknowledged [writers]atomic.Int64
	ended := make(chan struct{}, writers)
	for i := range writers {
		go func() {
			defer func() { ended <- struct{}{} }()
			name := fmt.Sprint("s", i)
			if _, err := client.CreateSecret(context.Background(), &api.CreateSecretInput{Name: &name, AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("eu-west-1")}}}); err != nil {
				return
			}
			for n := 1; ; n++ {
				if _, err := client.PutSecretValue(context.Background(), &api.PutSecretValueInput{SecretId: &name, SecretString: aws.String(fmt.Sprint(n))}); err != nil {
					return
				}
				if acknowledged[i].Store(int64(n)); i == 0 && n == 25 {
					child.Process.Kill()
				}
			}
		}()
	}
	for range writers {
		<-ended
	}
	child.Wait()

	w := newWorld(t, in(dir))
	for i := range writers {
		n := acknowledged[i].Load()
		if n == 0 {
			continue
		}
		var got int64
		fmt.Sscan(w.value(fmt.Sprint("s", i)), &got)
		if got != n && got != n+1 { // the last one may have been written and not acknowledged
			t.Errorf("secret %d holds write %d, but %d was acknowledged", i, got, n)
		}
		if copied := w.valueIn("eu-west-1", fmt.Sprint("s", i)); copied != fmt.Sprint(got) {
			t.Errorf("secret %d holds write %d, and its replica %s: half a commit", i, got, copied)
		}
	}
}
