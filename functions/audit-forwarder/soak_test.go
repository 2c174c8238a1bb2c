package main_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/audit/forwarder"
)

var soak = flag.Int("soak", 60, "the number of alerts that TestSoak sends through a webhook in trouble")

// A webhook that fails, is slow, limits the rate, hangs up, and loses its own answers gets every
// finding; and none twice under another id, or twice at all unless it took one and then hung up.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many seconds: the trouble is real")
	}
	t.Parallel()
	settings := forwarder.Settings{Sinks: []forwarder.SinkSettings{
		{Name: "hook", Webhook: &forwarder.WebhookSettings{Secret: hookSecret, PrivateAddresses: true}},
		{Name: "lake", Firehose: &forwarder.StreamSettings{Stream: streamName}}, // which is never in trouble
	}}
	a := newAccount(t, settings)
	random := rand.New(rand.NewPCG(1, 2))
	lost := map[int]bool{} // the numbers of requests that were taken and not answered
	a.receiver.set(func(n int, w http.ResponseWriter) bool {
		if n > 4**soak {
			return true // the trouble is over: the test shall end
		}
		switch random.IntN(10) {
		case 0, 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			w.Header().Set("Retry-After", "0.2")
			w.WriteHeader(http.StatusTooManyRequests)
		case 3:
			panic(http.ErrAbortHandler)
		case 4:
			time.Sleep(20 * time.Millisecond)
			return true
		case 5:
			lost[n] = true
			hijack(w)
			return true
		default:
			return true
		}
		return false
	})
	work := make(chan int)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for n := range work {
				body := batch(deleted(fmt.Sprint("soak/", n), fmt.Sprint("soak-", n)))
				for tries := 0; ; tries++ { // as SQS delivers again what failed
					if answer, err := a.invoke(body); err == nil && answer == `{"batchItemFailures":[]}` {
						break
					} else if tries == 100 {
						t.Errorf("alert %d: %s, %v", n, answer, err)
						break
					}
				}
			}
		})
	}
	for n := range *soak {
		work <- n
	}
	close(work)
	group.Wait()

	a.receiver.mu.Lock()
	defer a.receiver.mu.Unlock()
	all := strings.Join(a.receiver.bodies, "\n")
	for n := range *soak {
		if name := fmt.Sprintf(`"name":"soak/%d"`, n); !strings.Contains(all, name) {
			t.Errorf("the alert of %s is lost", name)
		}
	}
	twice := len(a.receiver.bodies) - len(a.receiver.ids)
	if len(a.receiver.ids) != *soak || twice > len(lost) {
		t.Errorf("%d ids for %d alerts; %d came twice, %d answers were lost", len(a.receiver.ids), *soak, twice, len(lost))
	}
	if n := len(a.stream.Records(streamName)); n != *soak {
		t.Errorf("the sink without trouble has %d of %d", n, *soak)
	}
	t.Logf("%d alerts in %d requests; %d answers lost, %d alerts twice", *soak, a.receiver.n, len(lost), twice)
}

// hijack hangs up without an answer.
func hijack(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			_ = c.Close()
		}
	}
}
