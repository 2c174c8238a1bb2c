package dbusertest_test

import (
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
)

// TestConsumers: no consumer is refused with dual passwords and alternating users; with single, the
// window is reported.
func TestConsumers(t *testing.T) {
	if testing.Short() {
		t.Skip("needs database servers")
	}
	for _, row := range rows() {
		t.Run(row.server+" "+string(row.strategy), func(t *testing.T) {
			t.Parallel()
			rotations := 50
			if row.strategy == dbuser.Single {
				rotations = 5
			}
			c := dbusertest.Consume(t, row.target, 20, rotations)
			t.Logf("%d rotations, %d logins by 20 clients, %d refused; the window: %v on average, %v at most",
				rotations, c.Logins, c.Refused, c.Mean.Round(time.Millisecond), c.Longest.Round(time.Millisecond))
			switch {
			case c.Logins < 10*rotations:
				t.Errorf("%d logins in all: they prove nothing", c.Logins)
			case row.strategy != dbuser.Single && c.Refused > 0:
				t.Error("a consumer was refused")
			case row.strategy == dbuser.Single && c.Longest > time.Minute:
				t.Errorf("a window of %v", c.Longest)
			}
		})
	}
}
