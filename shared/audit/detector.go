package audit

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Detector runs events through the catalogue. It is safe for several goroutines if its State
// is.
type Detector struct {
	byName     map[string][]*Detection // of events
	state      State
	isDecoy    func(Secret) bool
	thresholds Thresholds

	rotationRoles, functions, deployers, endpoints, decoys, keys, trails, alerting patterns

	regions map[string]bool
	readers readers
}

// Option changes a Detector.
type Option func(*Detector)

// WithDecoys names further decoys, such as those with Config.DecoyTag. The function must be
// quick, and safe for several goroutines.
func WithDecoys(isDecoy func(Secret) bool) Option {
	return func(d *Detector) { d.isDecoy = isDecoy }
}

// NewDetector makes a detector for the whole catalogue. A configuration that is not valid is
// refused.
func NewDetector(c Config, state State, options ...Option) (*Detector, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if state == nil {
		return nil, errors.New("audit: a detector needs a state: give NewMemory() if there is no other")
	}
	if len(c.RotationFunctions) == 0 {
		c.RotationFunctions = []string{"rotate-*", "arn:*:lambda:*:function:rotate-*"}
	}
	if len(c.Alerting) == 0 {
		c.Alerting = []string{"rekey-*", "audit-forwarder*"}
	}
	d := &Detector{
		byName: map[string][]*Detection{}, state: state, thresholds: c.Thresholds.withDefaults(),
		rotationRoles: compilePatterns(c.RotationRoles), functions: compilePatterns(c.RotationFunctions),
		deployers: compilePatterns(c.Deployers), endpoints: compilePatterns(c.VPCEndpoints),
		decoys: compilePatterns(c.Decoys), keys: compilePatterns(c.Keys), trails: compilePatterns(c.Trails), alerting: compilePatterns(c.Alerting),
		regions: map[string]bool{}, readers: readers{named: map[string][]reader{}},
	}
	for _, r := range c.Regions {
		d.regions[r] = true
	}
	for _, r := range c.KnownReaders {
		d.readers.add(r)
	}
	for _, o := range options {
		o(d)
	}
	for _, entry := range catalogue {
		for _, n := range entry.Needs {
			for _, name := range n.Names {
				d.byName[name] = append(d.byName[name], entry)
			}
		}
	}
	return d, nil
}

// Examine appends what it finds in an event to findings, and returns them. Findings copy the
// event. It does not fail: what could not be checked because the state could not be reached is
// found, and says so in Unverified.
func (d *Detector) Examine(ctx context.Context, e *Event, findings []Finding) []Finding {
	for _, entry := range d.byName[e.Name] {
		if !entry.wants(e) || entry.match == nil {
			continue
		}
		if h, found := entry.match(ctx, d, e); found {
			findings = append(findings, newFinding(entry, e, h))
		}
	}
	if ends := recoveries[e.Name]; ends != nil && e.Kind == ServiceEvent && e.Secret.Name != "" {
		f := newFinding(Recovered, e, hit{})
		for _, entry := range ends {
			f.Resolves = append(f.Resolves, incident(entry, e.Secret.Key()))
		}
		findings = append(findings, f)
	}
	return findings
}

// wants says whether the event is of the form and service that the detection needs.
func (d *Detection) wants(e *Event) bool {
	for _, n := range d.Needs {
		if n.Kind == e.Kind && n.Source == e.Source {
			return true
		}
	}
	return false
}

func newFinding(entry *Detection, e *Event, h hit) Finding {
	about := e.Secret.Key()
	occasion := e.id()
	if h.occasion != "" {
		occasion, about = h.occasion, e.Actor.Principal
	}
	if about == "" {
		about = e.Account + "/" + e.Region + "/" + e.Request.subject()
	}
	secret := e.Secret
	if h.many {
		secret = Secret{}
	}
	return Finding{
		Key: entry.ID + "|" + occasion, Incident: incident(entry, about), Detection: entry, Time: e.Time,
		Secret: secret, Actor: e.Actor, Event: *e, Count: 1, Counted: h.counted, Unverified: h.unverified,
	}
}

func incident(entry *Detection, about string) string { return entry.ID + "|" + about }

// isRotation says whether the framework itself acted, or AWS: services rotate what they manage,
// such as the administrators of RDS.
func (d *Detector) isRotation(i *Identity) bool {
	return d.rotationRoles.matchPrincipal(i) || i.isService()
}

// isDeployer says whether changing configuration is the caller's work.
func (d *Detector) isDeployer(i *Identity) bool { return d.deployers.matchPrincipal(i) }

// matchPrincipal compares every name of a caller.
func (p *patterns) matchPrincipal(i *Identity) bool {
	if p.empty() {
		return false
	}
	names := i.names()
	return p.matchAny(names[:]...)
}

// readers are the known ones: by principal, and those whose principal is a pattern.
type readers struct {
	named map[string][]reader
	like  []reader
}

type reader struct {
	principal string
	secrets   patterns
	many      bool
}

func (r *readers) add(k KnownReader) {
	secrets := k.Secrets
	if len(secrets) == 0 {
		secrets = []string{"*"}
	}
	one := reader{k.Principal, compilePatterns(secrets), k.Many}
	if strings.Contains(k.Principal, "*") {
		r.like = append(r.like, one)
	} else {
		r.named[k.Principal] = append(r.named[k.Principal], one)
	}
}

// each calls yield for every entry that the caller is in, until that is false.
func (r *readers) each(i *Identity, yield func(*reader) bool) {
	for _, name := range i.names() {
		entries := r.named[name]
		for n := range entries {
			if !yield(&entries[n]) {
				return
			}
		}
		for n := range r.like {
			if name != "" && like(r.like[n].principal, name) && !yield(&r.like[n]) {
				return
			}
		}
	}
}

// knows says whether the caller is expected to read the secret, and to read many.
func (d *Detector) knows(i *Identity, s *Secret) (known, many bool) {
	d.readers.each(i, func(r *reader) bool {
		if r.secrets.matchAny(s.Name, s.ARN) {
			known, many = true, many || r.many
		}
		return !many
	})
	return known, many
}

// readsMany says whether reading many secrets is the caller's work.
func (d *Detector) readsMany(i *Identity) (many bool) {
	d.readers.each(i, func(r *reader) bool {
		many = r.many
		return !many
	})
	return many
}

// unverifiedBecause is the note of a finding whose condition could not be checked.
func unverifiedBecause(err error) string {
	return "the state could not be reached, so this was not counted: " + err.Error()
}

// bucket makes findings that could not be counted one for each window.
func bucket(at time.Time, window time.Duration) string { return stamp(at.Truncate(window)) }

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// arnOf is the ARN of something in the event's account and Region.
func arnOf(e *Event, service, resource string) string {
	partition := "aws"
	switch {
	case strings.HasPrefix(e.Region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(e.Region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return "arn:" + partition + ":" + service + ":" + e.Region + ":" + e.Account + ":" + resource
}
