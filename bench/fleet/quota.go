package fleet

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// Of is the quota that an operation counts for.
func (r Report) Of(operation string) Quota {
	for _, q := range r.Quotas {
		if slices.Contains(strings.Split(q.Operations, ", "), operation) {
			return q
		}
	}
	return Quota{}
}

// Throttled is how many calls the quotas refused. Each was tried again.
func (r Report) Throttled() int {
	n := 0
	for _, q := range r.Quotas {
		n += q.Refused
	}
	return n
}

// Quota is what a run used of one of the service's rates.
type Quota struct {
	Operations string  // those that share it
	Limit      float64 // calls a second
	Calls      int     // that were served
	Refused    int     // that were throttled, beside them
	Mean       float64 // calls a second that were served
	Peak       int     // of them in the busiest second
}

// meter counts calls for each quota, second by second.
type meter struct {
	mu      sync.Mutex
	rules   []secretsmanager.FaultRule
	seconds []map[int64]int // by rule
	refused []int           // by rule
}

func newMeter() *meter {
	m := &meter{rules: secretsmanager.Quotas()}
	m.reset()
	return m
}

func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seconds, m.refused = make([]map[int64]int, len(m.rules)), make([]int, len(m.rules))
	for i := range m.seconds {
		m.seconds[i] = map[int64]int{}
	}
}

func (m *meter) count(c secretsmanager.Call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, rule := range m.rules {
		switch {
		case !slices.Contains(rule.Operations, c.Operation):
		case c.Error == "ThrottlingException":
			m.refused[i]++
		default:
			m.seconds[i][c.Start.Unix()]++
		}
	}
}

// sum is what was used of the quotas that were used at all.
func (m *meter) sum(took time.Duration) []Quota {
	m.mu.Lock()
	defer m.mu.Unlock()
	var used []Quota
	for i, rule := range m.rules {
		q := Quota{Operations: strings.Join(rule.Operations, ", "), Limit: rule.Rate, Refused: m.refused[i]}
		for n := range maps.Values(m.seconds[i]) {
			q.Calls += n
			q.Peak = max(q.Peak, n)
		}
		if q.Mean = float64(q.Calls) / took.Seconds(); q.Calls > 0 {
			used = append(used, q)
		}
	}
	return used
}
