package secretsmanager_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// stocked is a server with n secrets, as many of them of every kind as a big account has.
func stocked(tb testing.TB, n int, edit ...func(*secretsmanager.Options)) *secretsmanager.Server {
	tb.Helper()
	o := secretsmanager.Options{}
	for _, e := range edit {
		e(&o)
	}
	srv := must(secretsmanager.New(o))(tb)
	tb.Cleanup(func() { srv.Close() })
	for i := range n {
		body := fmt.Sprintf(`{"Name":"app/%d/db","SecretString":"{\"username\":\"app\",\"password\":\"%030d\",\"host\":\"db.example.com\",\"port\":5432}","ClientRequestToken":"%s","Tags":[{"Key":"team","Value":"t%d"}]}`, i, i, token(i), i%10)
		if code, reply := post(srv, "CreateSecret", body); code != 200 {
			tb.Fatal(reply)
		}
	}
	return srv
}

// post calls a server without a network.
func post(srv *secretsmanager.Server, operation, body string) (int, string) {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "secretsmanager."+operation)
	rec := httptest.NewRecorder()
	srv.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// request is one as the SDK sends it, in bytes.
func request(operation, body string) []byte {
	return fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: aws-sdk-go-v2/1.47.7 ua/2.1 os/linux lang/go#1.26 md/GOOS#linux md/GOARCH#amd64 api/secretsmanager#1.50.10\r\nContent-Length: %d\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Date: 20260715T152030Z\r\nX-Amz-Target: secretsmanager.%s\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260715/us-east-1/secretsmanager/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-date;x-amz-target, Signature=%064d\r\nAccept-Encoding: identity\r\n\r\n%s",
		len(body), operation, 0, body)
}

// wire is a keep-alive connection that costs little itself, so that it is the server that
// is measured.
type wire struct {
	net.Conn
	in *bufio.Reader
}

func dial(tb testing.TB, address string) *wire {
	conn := must(net.Dial("tcp", address))(tb)
	return &wire{conn, bufio.NewReader(conn)}
}

// do sends a request and reads the reply, which must be 200.
func (w *wire) do(request []byte) error {
	if _, err := w.Write(request); err != nil {
		return err
	}
	length := 0
	for first := true; ; first = false {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.Contains(line, []byte(" 200 ")) {
			return fmt.Errorf("the reply is %q", line)
		}
		if v, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(v)))
		}
		if len(line) == 2 {
			break
		}
	}
	_, err := io.CopyN(io.Discard, w.in, int64(length))
	return err
}

// load reads secrets over several connections until enough says so, and returns how many it
// read.
func load(tb testing.TB, address string, secrets int, enough func(n int64) bool) int64 {
	requests := make([][]byte, secrets)
	for i := range requests {
		requests[i] = request("GetSecretValue", fmt.Sprintf(`{"SecretId":"app/%d/db"}`, i))
	}
	var done atomic.Int64
	var group sync.WaitGroup
	for c := range 4 * runtime.GOMAXPROCS(0) {
		w := dial(tb, address)
		group.Go(func() {
			defer w.Close()
			for i := c; ; i += 7 {
				if enough(done.Add(1)) {
					return
				}
				if err := w.do(requests[i%secrets]); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return done.Load()
}

// TestMemoryStaysFlat loads a server for three seconds, or for REKEY_LOAD=60s.
func TestMemoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("a load test")
	}
	lasts := 3 * time.Second
	if v := os.Getenv("REKEY_LOAD"); v != "" {
		lasts = must(time.ParseDuration(v))(t)
	}
	const secrets = 1000
	srv := stocked(t, secrets)
	http := httptest.NewServer(srv)
	defer http.Close()
	run := func(d time.Duration) (requests int64, heap uint64) {
		end := time.Now().Add(d)
		requests = load(t, http.Listener.Addr().String(), secrets, func(int64) bool { return time.Now().After(end) })
		// Writes too: versions without labels are what could pile up.
		for i := range 200 {
			post(srv, "PutSecretValue", fmt.Sprintf(`{"SecretId":"app/%d/db","SecretString":"x","ClientRequestToken":"%s","VersionStages":["A"]}`, i%5, token(i%50)))
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return requests, m.HeapAlloc
	}
	_, before := run(lasts / 6)
	n, after := run(lasts)
	t.Logf("%d requests, %.0f a second; the heap went from %d to %d KiB", n, float64(n)/lasts.Seconds(), before>>10, after>>10)
	if after > before+before/5+1<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}
