package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Config says what is ordinary where the detector works, so that the rest stands out. The
// zero value is valid: nobody is known, every threshold is its default.
//
// Principals, secrets, keys, trails and functions are given as patterns, in which * stands for
// any text. A principal is the ARN of a role or user, or the name of a service, as in
// Identity.Principal; a role may be given with or without its path. A secret is a name or an
// ARN; a function is a name or an ARN.
type Config struct {
	// RotationRoles are the roles that rotation functions run under: the framework's own calls
	// raise nothing.
	RotationRoles []string `json:"rotationRoles,omitempty"`
	// RotationFunctions are the functions that may rotate: their code is watched, and another
	// one given to a secret is found. Empty: those whose name begins with rotate-.
	RotationFunctions []string `json:"rotationFunctions,omitempty"`
	// Deployers are the principals that change configuration as their work, such as the role
	// of CloudFormation: functions, keys, replicas, policies and trails. What they delete or
	// open to the public is found all the same.
	Deployers []string `json:"deployers,omitempty"`
	// Regions are those that secrets may be replicated to. Empty: any.
	Regions []string `json:"regions,omitempty"`
	// VPCEndpoints are those through which secrets may be used. Empty: any of the account.
	VPCEndpoints []string `json:"vpcEndpoints,omitempty"`
	// KnownReaders are expected to read.
	KnownReaders []KnownReader `json:"knownReaders,omitempty"`
	// Decoys are secrets that nobody has a reason to read.
	Decoys []string `json:"decoys,omitempty"`
	// DecoyTag is the key of the tag that marks further decoys. Events do not tell tags: who
	// runs the detector looks them up, and tells WithDecoys.
	DecoyTag string `json:"decoyTag,omitempty"`
	// Keys are the KMS keys that secrets are encrypted with. Empty: every key.
	Keys []string `json:"keys,omitempty"`
	// Trails are those that must go on. Empty: every trail.
	Trails []string `json:"trails,omitempty"`
	// Alerting are the rules of EventBridge and the functions that alerts depend on, by name.
	// Empty: those whose name begins with rekey- or audit-forwarder.
	Alerting []string `json:"alerting,omitempty"`

	Thresholds Thresholds `json:"thresholds,omitzero"`
}

// KnownReader is a principal that is expected to read secrets.
type KnownReader struct {
	Principal string   `json:"principal"`
	Secrets   []string `json:"secrets,omitempty"` // empty: every secret
	// Many: reading many secrets is its work, as a backup's or a synchroniser's.
	Many bool `json:"many,omitempty"`
}

// Thresholds are the limits of detections that count, each with the window it counts in. A
// zero field is the default, named beside it.
type Thresholds struct {
	MassRead        Limit    `json:"massRead,omitzero"`        // secrets read by one principal: 20 in 1 h
	DeniedReads     Limit    `json:"deniedReads,omitzero"`     // reads refused to one principal: 20 in 24 h
	BatchReads      Limit    `json:"batchReads,omitzero"`      // batch reads by one principal: 5 in 24 h
	BatchRegions    Limit    `json:"batchRegions,omitzero"`    // Regions of one principal's batch reads: 5 in 10 min
	FirstSeenReader Duration `json:"firstSeenReader,omitzero"` // how long a reader is remembered, and learned at first: 5 days
	OverdueGrace    Duration `json:"overdueGrace,omitzero"`    // how late a rotation may be: 24 h
}

// Limit is a number of something within a time.
type Limit struct {
	Count  int      `json:"count,omitempty"`
	Within Duration `json:"within,omitzero"`
}

// Duration is a time.Duration that reads and writes as text such as "24h" or "10m".
type Duration time.Duration

// MarshalText is for JSON and YAML.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText refuses what is no duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration: give one such as 24h or 10m", text)
	}
	*d = Duration(v)
	return nil
}

// DefaultThresholds are the limits of other rule sets where those have one.
var DefaultThresholds = Thresholds{
	MassRead:        Limit{20, Duration(time.Hour)},
	DeniedReads:     Limit{20, Duration(24 * time.Hour)},
	BatchReads:      Limit{5, Duration(24 * time.Hour)},
	BatchRegions:    Limit{5, Duration(10 * time.Minute)},
	FirstSeenReader: Duration(5 * 24 * time.Hour),
	OverdueGrace:    Duration(24 * time.Hour),
}

// ParseConfig reads a configuration from JSON, and refuses what it does not know.
func ParseConfig(data []byte) (Config, error) {
	var c Config
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("audit configuration: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Config{}, errors.New("audit configuration: there is more after the JSON object")
	}
	return c, c.Validate()
}

// maxCount is what a State counts to for certain.
const maxCount = 500

// Validate says what is wrong, all of it.
func (c *Config) Validate() error {
	var problems []error
	wrong := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("audit configuration: "+format, args...))
	}
	for _, l := range []struct {
		name string
		list []string
	}{
		{"rotationRoles", c.RotationRoles},
		{"deployers", c.Deployers},
		{"rotationFunctions", c.RotationFunctions},
		{"regions", c.Regions},
		{"vpcEndpoints", c.VPCEndpoints},
		{"decoys", c.Decoys},
		{"keys", c.Keys},
		{"trails", c.Trails},
		{"alerting", c.Alerting},
	} {
		for i, p := range l.list {
			if why := badPattern(p); why != "" {
				wrong("%s[%d]: %s", l.name, i, why)
			} else if p == "*" && (l.name == "rotationRoles" || l.name == "deployers") {
				wrong("%s[%d]: * is everybody, who would be trusted: name roles", l.name, i)
			}
		}
	}
	for i, r := range c.KnownReaders {
		if why := badPattern(r.Principal); why != "" {
			wrong("knownReaders[%d].principal: %s", i, why)
		}
		for n, p := range r.Secrets {
			if why := badPattern(p); why != "" {
				wrong("knownReaders[%d].secrets[%d]: %s", i, n, why)
			}
		}
	}
	t := c.Thresholds
	for _, l := range []struct {
		name string
		Limit
	}{{"massRead", t.MassRead}, {"deniedReads", t.DeniedReads}, {"batchReads", t.BatchReads}, {"batchRegions", t.BatchRegions}} {
		if l.Count < 0 || l.Count > maxCount {
			wrong("thresholds.%s.count: %d is out of range: give 1 to %d", l.name, l.Count, maxCount)
		}
		if why := badDuration(l.Within); why != "" {
			wrong("thresholds.%s.within: %s", l.name, why)
		}
	}
	if why := badDuration(t.FirstSeenReader); why != "" {
		wrong("thresholds.firstSeenReader: %s", why)
	}
	if why := badDuration(t.OverdueGrace); why != "" {
		wrong("thresholds.overdueGrace: %s", why)
	}
	return errors.Join(problems...)
}

// year is the longest that anything is remembered.
const year = Duration(366 * 24 * time.Hour)

func badDuration(d Duration) string {
	if d != 0 && (d < Duration(time.Minute) || d > year) {
		return fmt.Sprintf("%s is out of range: give 1m to %s", time.Duration(d), time.Duration(year))
	}
	return ""
}

func badPattern(p string) string {
	switch {
	case p == "":
		return "it is empty: leave it out, or name something"
	case len(p) > 2048:
		return "it is longer than 2048 characters"
	case strings.TrimSpace(p) != p || strings.ContainsAny(p, "\t\n\r"):
		return fmt.Sprintf("%q has space around or in it", p)
	}
	return ""
}

// withDefaults fills in what is zero.
func (t Thresholds) withDefaults() Thresholds {
	limit := func(l, d Limit) Limit {
		if l.Count == 0 {
			l.Count = d.Count
		}
		if l.Within == 0 {
			l.Within = d.Within
		}
		return l
	}
	d := DefaultThresholds
	t.MassRead, t.DeniedReads = limit(t.MassRead, d.MassRead), limit(t.DeniedReads, d.DeniedReads)
	t.BatchReads, t.BatchRegions = limit(t.BatchReads, d.BatchReads), limit(t.BatchRegions, d.BatchRegions)
	if t.FirstSeenReader == 0 {
		t.FirstSeenReader = d.FirstSeenReader
	}
	if t.OverdueGrace == 0 {
		t.OverdueGrace = d.OverdueGrace
	}
	return t
}
