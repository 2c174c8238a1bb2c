package apikeytest

import (
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
)

// Where the vendor tells when a key was last used, one that is in use outlives its grace
// period, and ends when nobody uses it any more.
func TestAKeyInUseIsNotEnded(t *testing.T) {
	t.Parallel()
	for _, c := range Cases {
		t.Run(c.Provider, func(t *testing.T) {
			t.Parallel()
			l := NewLane(t, c)
			w := l.NewWorld(t)
			if traits := w.traits(); !traits.LastUsed || traits.Class == apikey.Assisted {
				return
			}
			old := w.current()
			if err := w.rotate(w.Store.Begin()); err != nil {
				t.Fatal(err)
			}
			for day := range 3 {
				w.Clock.Advance(Grace - 10*time.Minute)
				w.Vendor.Use(old)
				w.Clock.Advance(10 * time.Minute)
				plans := w.Planner.Take()
				for _, p := range plans {
					w.Clock.Advance(max(p.At.Sub(w.Clock.Now()), 0))
					w.Vendor.Use(old)
					if err := w.handle(p.Event()); err != nil {
						t.Errorf("day %d: putting it off is no failure: %v", day, err)
					}
				}
				if len(plans) == 0 || !w.Vendor.Works(old) {
					t.Fatalf("day %d: %d plans, the old key works: %t", day, len(plans), w.Vendor.Works(old))
				}
			}
			w.Clock.Advance(2 * time.Hour)
			w.settle(1)
			w.Clock.Advance(10 * time.Minute) // the vendor forgets it
			if w.Vendor.Works(old) || len(w.orphans()) > 0 || len(w.wrong) > 0 {
				t.Errorf("nobody uses the old key, and it works: %t; %q", w.Vendor.Works(old), w.wrong)
			}
		})
	}
}
