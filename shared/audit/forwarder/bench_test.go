package forwarder_test

import (
	"testing"

	"github.com/rekey-aws/rekey/shared/audit/fixture"
)

// BenchmarkHandle is what an ordinary event costs: a known reader reads a secret.
func BenchmarkHandle(b *testing.B) {
	f, _ := forwardAll(b)
	var payload []byte
	for _, c := range fixture.Cases() {
		if c.Detection == "mass-read" && !c.Found && len(c.Events) > 0 {
			payload = c.Events[0]
		}
	}
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Handle(b.Context(), payload); err != nil {
			b.Fatal(err)
		}
	}
}
