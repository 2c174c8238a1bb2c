package cost

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/schedule"
)

// What things are called in an estimate.
const (
	Secrets    = "secrets"
	Replicas   = "replicas"
	Keys       = "keys"
	Endpoints  = "interface endpoints"
	Calls      = "calls of Secrets Manager"
	KeyUse     = "requests to keys"
	Functions  = "functions"
	Time       = "functions' time"
	Metrics    = "metrics of rotations"
	Alarms     = "alarms"
	Dashboard  = "dashboard"
	Events     = "metrics of the trail"
	Trail      = "trail in CloudWatch Logs"
	TrailKept  = "trail's records in S3"
	Logs       = "functions' logs"
	LogsKept   = "logs that are kept"
	State      = "state of the forwarder"
	ConfigRule = "rules of AWS Config"
	Tracing    = "traces"
	Messages   = "alerts"
)

// What is assumed of sizes, times and numbers. Measured ones are rounded up.
const (
	secondsPerStep    = 1.0   // a rotation step with a cold start
	secondsPerEvent   = 0.05  // of the forwarder, warm
	logBytesPerStep   = 1_200 // a line of the function and three of Lambda
	logBytesPerEvent  = 600
	bytesPerRecord    = 1_500 // of CloudTrail in CloudWatch Logs
	recordsToOne      = 10    // they are compressed in S3
	metricsPerStep    = 2
	findingsPerMonth  = 1_000
	metricsOfRotator  = 11 // watched by alarms: see the alarms of the deployment
	metricsOfWatching = 8
	metricsOfFleet    = 3
	metricsOfTrail    = 4 // its metric filters
	daysAMonth        = 30.4
)

type counter struct {
	*config.File
	Estimate
	secrets []config.Resolved
	logged  float64 // GB a month
}

func count(f *config.File, u Usage) Estimate {
	c := counter{File: f, secrets: f.Secrets(), Estimate: Estimate{AsOf: AsOf, Region: f.Regions.Primary, Usage: u}}
	c.stored()
	c.network()
	c.rotating()
	c.watching()
	c.assumptions()
	for _, l := range c.Lines {
		c.Total += l.Monthly
	}
	c.Total = cents(c.Total)
	return c.Estimate
}

// add is a line, unless it is nothing.
func (c *counter) add(item string, quantity float64, p price) {
	if quantity <= 0 {
		return
	}
	each := p.each()
	if p.regional {
		each *= factor(c.Regions.Primary)
	}
	c.Lines = append(c.Lines, Line{Item: item, Quantity: quantity, Unit: p.unit, Each: each, Monthly: cents(quantity * each), Source: p.source})
}

// cents leaves out what is less than a hundredth of one.
func cents(dollars float64) float64 { return math.Round(dollars*1e4) / 1e4 }

func (c *counter) stored() {
	copies, replicaKeys := 0, 0
	for _, s := range c.secrets {
		if s.Replicate && s.Existing == "" {
			copies += len(c.Regions.Replicas)
		}
	}
	for _, r := range c.Regions.Replicas {
		if r.Key == "" {
			replicaKeys++
		}
	}
	keys := 1 + replicaKeys // the key of the records, which is not that of the secrets
	if c.Encryption.Key == "" {
		keys++
	}
	c.add(Secrets, float64(len(c.secrets)), pricePerSecret)
	c.add(Replicas, float64(copies), pricePerSecret)
	c.add(Keys, float64(keys), pricePerKey)
}

func (c *counter) network() {
	n := c.Network
	if n == nil || !n.MakesEndpoints() {
		return
	}
	zones := 0
	if n.VPC != nil {
		zones = len(n.VPC.Zones)
	} else if n.Create != nil {
		zones = len(n.Create.Zones)
	}
	c.add(Endpoints, float64(len(c.EndpointServices())*zones)*hoursAMonth, pricePerEndpoint)
}

// rotating counts what rotations and readers cause.
func (c *counter) rotating() {
	steps, calls, seconds := 0.0, 0.0, 0.0
	intervals := map[config.Schedule]time.Duration{} // thousands of secrets have few schedules
	for _, s := range c.secrets {
		if intervals[s.Schedule] == 0 {
			intervals[s.Schedule] = interval(s.Schedule)
		}
		perMonth := daysAMonth * 24 / intervals[s.Schedule].Hours()
		each := 8.0
		if s.User != nil && s.Database.Admin != nil {
			each = 11
		}
		n := 4.0
		if s.Retires() {
			n++
		}
		steps += perMonth * n
		calls += perMonth * each
		seconds += perMonth * n * secondsPerStep * float64(c.memory(s.Function)) / 1024
	}
	reads := float64(len(c.secrets)*c.Usage.ReadsPerDay) * daysAMonth
	events := reads // each read of a secret is an event for the forwarder
	c.add(Calls, calls+reads, pricePerCall)
	c.add(KeyUse, calls+reads, pricePerKeyUse)
	c.add(Functions, steps+events, pricePerInvoke)
	c.add(Time, seconds+events*secondsPerEvent*float64(c.Functions.AuditForwarder.Memory)/1024, pricePerGBSecond)
	c.add(Metrics, steps*metricsPerStep, pricePerMetric)
	gigabytes := (steps*logBytesPerStep + events*logBytesPerEvent) / 1e9
	c.add(Logs, gigabytes, pricePerLogGB)
	c.logged += gigabytes
	c.add(State, events, pricePerWrite)
	if c.Functions.Tracing {
		c.add(Tracing, steps+events, pricePerTrace)
	}
}

func (c *counter) memory(function string) int {
	switch function {
	case config.RotateRDS:
		return c.Functions.RotateRDS.Memory
	case config.RotateRedshift:
		return c.Functions.RotateRedshift.Memory
	}
	return c.Functions.RotateAPIKey.Memory
}

// interval is the time between two rotations, on the average of a year.
func interval(s config.Schedule) time.Duration {
	parsed, err := schedule.Parse(s.Expression())
	if err != nil {
		return 30 * 24 * time.Hour // the file was checked: this does not happen
	}
	start := parsed.After(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)).Start
	t, n := start, 0
	for n < 1 || n < 400 && t.Sub(start) < 366*24*time.Hour {
		t = parsed.After(t).Start
		n++
	}
	return t.Sub(start) / time.Duration(n)
}

func (c *counter) watching() {
	rotators := map[string]bool{}
	for _, s := range c.secrets {
		rotators[s.Function] = true
	}
	metrics := len(rotators)*metricsOfRotator + metricsOfWatching + len(audit.Rules(audit.Catalogue()))
	if c.Fleet.Enabled {
		metrics += metricsOfFleet
	}
	c.add(Alarms, float64(metrics), pricePerAlarm)
	if c.Audit.Dashboard {
		c.add(Dashboard, 1, pricePerBoard)
	}
	if c.Audit.Trail.Existing == nil {
		c.add(Events, metricsOfTrail*hoursAMonth, pricePerMetric)
		gigabytes := float64(c.Usage.EventsPerMonth) * bytesPerRecord / 1e9
		c.add(Trail, gigabytes, pricePerLogGB)
		c.logged += gigabytes
		c.add(TrailKept, gigabytes/recordsToOne*c.Audit.Trail.Retention.Time().Hours()/24/daysAMonth, pricePerGBKept)
	}
	c.add(LogsKept, c.logged*float64(c.Functions.LogRetention)/daysAMonth, pricePerLogKept)
	if c.Compliance.ConfigRules {
		c.add(ConfigRule, float64(5*len(c.secrets))*daysAMonth, pricePerRule)
	}
	c.add(Messages, float64(findingsPerMonth*len(c.Alerts.Destinations)), pricePerMessage)
}

func (c *counter) assumptions() {
	c.Assumptions = []string{
		"list prices, without free tiers, discounts and taxes",
		fmt.Sprintf("prices that differ by Region are those of us-east-1 times %.2f", factor(c.Regions.Primary)),
		fmt.Sprintf("each secret is read %d times a day", c.Usage.ReadsPerDay),
		"keys cost $1 a month in their first year, $2 in the second, $3 from the third on: they are rotated",
		fmt.Sprintf("logs and records have grown to their full age: %d days", c.Functions.LogRetention),
	}
	if c.Audit.Trail.Existing == nil {
		c.Assumptions = append(c.Assumptions, fmt.Sprintf("the account has %d thousand management events a month, and no other trail: a second one costs $2 for 100,000 events", c.Usage.EventsPerMonth/1000))
	}
	if slices.ContainsFunc(c.secrets, func(s config.Resolved) bool { return s.Existing != "" }) {
		c.Assumptions = append(c.Assumptions, "secrets that exist already are among those counted")
	}
}
