// Package cost prices a deployment: what it costs a month, line by line, and what would make
// it cheaper. The prices are a dated table; what a file does not say, such as how often
// applications read, is assumed, and the assumptions are part of the estimate.
package cost

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rekey-aws/rekey/infra/config"
)

// Usage is what a file does not say. The zero value is replaced by [Usual].
type Usage struct {
	// ReadsPerDay of each secret, by all its consumers together, in every Region.
	ReadsPerDay int `json:"readsPerDay"`
	// EventsPerMonth: management events of the whole account, which its trail records.
	EventsPerMonth int `json:"eventsPerMonth"`
}

// Usual is a service with a cache of five minutes on one instance, and a small account.
var Usual = Usage{ReadsPerDay: 288, EventsPerMonth: 500_000}

// Estimate is what a deployment costs a month, in US dollars.
type Estimate struct {
	AsOf   string        `json:"pricesAsOf"`
	Region config.Region `json:"region"`
	Usage  Usage         `json:"usage"`
	Lines  []Line        `json:"lines"`
	Total  float64       `json:"total"`
	// Levers are the changes that save most, each by itself; at most three.
	Levers      []Lever  `json:"levers"`
	Assumptions []string `json:"assumptions"`
}

// Line is one thing that is paid for.
type Line struct {
	Item     string  `json:"item"`
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	Each     float64 `json:"each"`
	Monthly  float64 `json:"monthly"`
	// Source of the price.
	Source string `json:"source"`
}

// Lever is a change of the file, and what it saves a month.
type Lever struct {
	Change string  `json:"change"`
	Saves  float64 `json:"saves"`
}

// Of is the estimate for a file that [config.Load] has read.
func Of(f *config.File, u Usage) Estimate {
	u = Usage{ReadsPerDay: cmp.Or(u.ReadsPerDay, Usual.ReadsPerDay), EventsPerMonth: cmp.Or(u.EventsPerMonth, Usual.EventsPerMonth)}
	e := count(f, u)
	for _, l := range levers {
		other, usage := f.Clone(), u
		if !l.pull(other, &usage) {
			continue
		}
		if saves := cents(e.Total - count(other, usage).Total); saves >= 0.01 {
			e.Levers = append(e.Levers, Lever{l.change, saves})
		}
	}
	slices.SortStableFunc(e.Levers, func(a, b Lever) int { return cmp.Compare(b.Saves, a.Saves) })
	e.Levers = e.Levers[:min(3, len(e.Levers))]
	return e
}

// Summary is the total in a few words.
func (e Estimate) Summary() string {
	return fmt.Sprintf("about $%.2f a month in %s, by list prices of %s", e.Total, e.Region, e.AsOf)
}

// Find is the line of an item, zero if there is none.
func (e Estimate) Find(item string) Line {
	for _, l := range e.Lines {
		if l.Item == item {
			return l
		}
	}
	return Line{}
}

// lever changes a copy of the file; false if there is nothing to change.
type lever struct {
	change string
	pull   func(*config.File, *Usage) bool
}

var levers = []lever{
	{"do not replicate (defaults.replicate: false), or only what is read elsewhere", func(f *config.File, _ *Usage) bool {
		had := len(f.Regions.Replicas) > 0
		f.Regions.Replicas = nil
		return had
	}},
	{"use endpoints that the VPC has, shared with others (network.endpoints: existing)", func(f *config.File, _ *Usage) bool {
		n := f.Network
		if n == nil || n.VPC == nil || !n.MakesEndpoints() {
			return false
		}
		n.Endpoints = config.EndpointsExisting
		return true
	}},
	{"put the functions into one zone fewer: endpoints cost by zone", func(f *config.File, _ *Usage) bool {
		n := f.Network
		switch {
		case n == nil || !n.MakesEndpoints():
			return false
		case n.VPC != nil && len(n.VPC.Zones) > 1:
			n.VPC.Zones = n.VPC.Zones[1:]
		case n.Create != nil && len(n.Create.Zones) > 2:
			n.Create.Zones = n.Create.Zones[1:]
		default:
			return false
		}
		return true
	}},
	{"end old credentials with the next rotation (functions.rotate-rds.grace: '0'): no endpoint of the scheduler", func(f *config.File, _ *Usage) bool {
		had := f.Functions.RotateRDS.Grace.Time() > 0
		f.Functions.RotateRDS.Grace = "0"
		return had
	}},
	{"use the organization's trail (audit.trail.existing)", func(f *config.File, _ *Usage) bool {
		had := f.Audit.Trail.Existing == nil
		f.Audit.Trail.Existing = &config.ExistingTrail{}
		return had
	}},
	{"cache secrets in applications for an hour instead of five minutes", func(_ *config.File, u *Usage) bool {
		u.ReadsPerDay /= 12
		return true
	}},
	{"do without the dashboard (audit.dashboard: false)", func(f *config.File, _ *Usage) bool {
		had := f.Audit.Dashboard
		f.Audit.Dashboard = false
		return had
	}},
	{"use a key that exists (encryption.key)", func(f *config.File, _ *Usage) bool {
		had := f.Encryption.Key == ""
		f.Encryption.Key = "arn:aws:kms:"
		return had
	}},
	{"keep logs for 90 days (functions.logRetention: 90)", func(f *config.File, _ *Usage) bool {
		had := f.Functions.LogRetention > 90
		f.Functions.LogRetention = 90
		return had
	}},
}
