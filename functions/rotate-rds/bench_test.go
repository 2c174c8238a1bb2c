package main_test

import (
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// BenchmarkRotation measures whole rotations by the compiled function, warm,
// and each of their steps, against a real server. Compare ratios within a run.
func BenchmarkRotation(b *testing.B) {
	for _, e := range engines {
		b.Run(e.name, func(b *testing.B) {
			var peak int64
			a := newAccount(b, e, databasetest.Shared(b, e.server, e.version), "measured", nil, func(c *lambda.Config) {
				c.OnInvoke = func(r lambda.Report) { peak = max(peak, r.MaxMemoryUsed) }
			})
			if err := a.rotate(true); err != nil { // the cold start
				b.Fatal(err)
			}
			a.steps, a.calls = nil, nil
			for b.Loop() {
				if err := a.rotate(true); err != nil {
					b.Fatal(err)
				}
			}
			took := map[string]time.Duration{}
			for _, s := range a.steps {
				if s.Kind == secretsmanager.StepFinished {
					took[s.Step] += s.Duration
				}
			}
			for step, d := range took {
				b.ReportMetric(float64(d.Microseconds())/1000/float64(b.N), step+"-ms/op")
			}
			b.ReportMetric(float64(len(a.calls))/float64(b.N), "calls/op")
			b.ReportMetric(float64(peak)/1e6, "peak-MB")
		})
	}
}
