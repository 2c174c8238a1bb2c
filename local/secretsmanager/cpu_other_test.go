//go:build !unix

package secretsmanager_test

import (
	"testing"
	"time"
)

func cpuTime(testing.TB) time.Duration { return 0 } // not measured
