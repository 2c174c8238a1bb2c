package secretsmanager_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// BenchmarkGetSecretValue is the whole way over HTTP with keep-alive, client included, on a
// server with 10,000 secrets.
func BenchmarkGetSecretValue(b *testing.B) {
	const secrets = 10_000
	for what, edit := range map[string]func(*secretsmanager.Options){
		"open":     func(*secretsmanager.Options) {},
		"observed": func(o *secretsmanager.Options) { o.OnCall = func(secretsmanager.Call) {} },
	} {
		b.Run(what, func(b *testing.B) {
			http := httptest.NewServer(stocked(b, secrets, edit))
			defer http.Close()
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuTime(b)
			load(b, http.Listener.Addr().String(), secrets, func(n int64) bool { return n > int64(b.N) })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
			// What the machine's other work does not change: divide the cores' time by it.
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// Reading must stay cheap, and a page of a list must cost the same however long the list is.
// Allocations tell, on a busy machine too.
func TestWhatCallsCost(t *testing.T) {
	cost := func(srv *secretsmanager.Server, operation, body string) float64 {
		return testing.AllocsPerRun(100, func() { post(srv, operation, body) })
	}
	small, large := stocked(t, 200), stocked(t, 10_000)
	if n := cost(large, "GetSecretValue", `{"SecretId":"app/7/db"}`); n > 60 { // 51 in 2026, half of them the test's own
		t.Errorf("GetSecretValue allocates %.0f times", n)
	}
	const page = `{"MaxResults":20,"SortBy":"name","SortOrder":"desc"}`
	if few, many := cost(small, "ListSecrets", page), cost(large, "ListSecrets", page); many > few+5 {
		t.Errorf("a page allocates %.0f times in a list of 200, %.0f times in one of 10,000", few, many)
	}
}

// BenchmarkHandler is each operation without the network.
func BenchmarkHandler(b *testing.B) {
	srv := stocked(b, 1000)
	for _, c := range []struct{ operation, body string }{
		{"GetSecretValue", `{"SecretId":"app/7/db"}`},
		{"DescribeSecret", `{"SecretId":"app/7/db"}`},
		{"ListSecrets", `{"MaxResults":20}`},
		{"BatchGetSecretValue", `{"SecretIdList":["app/1/db","app/2/db","app/3/db"]}`},
		{"GetRandomPassword", `{}`},
		{"TagResource", `{"SecretId":"app/7/db","Tags":[{"Key":"a","Value":"b"}]}`},
	} {
		b.Run(c.operation, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if code, reply := post(srv, c.operation, c.body); code != 200 {
					b.Fatal(reply)
				}
			}
		})
	}
}

// BenchmarkListSecrets is a page in the middle of lists of different lengths: its cost must
// not depend on them.
func BenchmarkListSecrets(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			srv := stocked(b, n)
			for _, by := range []string{"created-date", "name"} {
				b.Run(by, func(b *testing.B) {
					var page struct{ NextToken string }
					_, reply := post(srv, "ListSecrets", fmt.Sprintf(`{"MaxResults":100,"SortBy":%q}`, by))
					must(0, json.Unmarshal([]byte(reply), &page))(b)
					body := fmt.Sprintf(`{"MaxResults":20,"SortBy":%q,"NextToken":%q}`, by, page.NextToken)
					for b.Loop() {
						if code, reply := post(srv, "ListSecrets", body); code != 200 {
							b.Fatal(reply)
						}
					}
				})
			}
		})
	}
}

// BenchmarkPutSecretValue is a write, in memory and on the disk.
func BenchmarkPutSecretValue(b *testing.B) {
	for what, edit := range map[string]func(*secretsmanager.Options){
		"memory": func(*secretsmanager.Options) {},
		"disk":   func(o *secretsmanager.Options) { o.StateDir = b.TempDir() },
	} {
		b.Run(what, func(b *testing.B) {
			srv := stocked(b, 100, edit)
			i := 1000
			for b.Loop() {
				i++
				body := fmt.Sprintf(`{"SecretId":"app/%d/db","SecretString":"value %d","ClientRequestToken":"%s"}`, i%100, i, token(i))
				if code, reply := post(srv, "PutSecretValue", body); code != 200 {
					b.Fatal(reply)
				}
			}
		})
	}
}
