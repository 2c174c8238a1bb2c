package audit

import (
	"context"
	"slices"
	"time"
)

// Catalogue is every detection, in the order of its documentation. The entries are shared and
// must not be changed.
func Catalogue() []*Detection { return slices.Clone(catalogue) }

var catalogue = slices.Concat(rotationDetections, readDetections, secretDetections, keyDetections, trailDetections)

// Find is the detection with an id.
func Find(id string) (*Detection, bool) {
	for _, d := range catalogue {
		if d.ID == id {
			return d, true
		}
	}
	return nil, false
}

// The requirements that several detections serve.
var (
	rotating = []string{
		"AWS Security Hub SecretsManager.1, SecretsManager.2, SecretsManager.4", "NIST 800-53r5 AC-2(1), AC-3(15)",
		"PCI DSS 4.0.1 8.3.9, 8.6.3", "HIPAA 164.308(a)(4)(ii)(B)", "CSA CCM CEK-12", "21 CFR 11.300(b)",
	}
	watching = []string{"HIPAA 164.308(a)(1)(ii)(D), 164.312(b)", "SOC 2 CC6.1, CC7.2, CC7.3", "21 CFR 11.10(d)"}
	limiting = slices.Concat([]string{"NIST 800-53r5 AC-3(15)", "PCI DSS 4.0.1 7.2.5.1"}, watching)
)

// MITRE ATT&CK's techniques: https://attack.mitre.org/matrices/enterprise/cloud/
const (
	cloudSecrets      = "T1555.006" // Credentials from Password Stores: Cloud Secrets Management Stores
	cloudAccounts     = "T1078.004" // Valid Accounts: Cloud Accounts
	accountChange     = "T1098"     // Account Manipulation
	destruction       = "T1485"     // Data Destruction
	inhibitRecovery   = "T1490"     // Inhibit System Recovery
	transferElsewhere = "T1537"     // Transfer Data to Cloud Account
	impairLogs        = "T1562.008" // Impair Defenses: Disable or Modify Cloud Logs
	serverless        = "T1648"     // Serverless Execution
)

// calls names operations of a service that change something.
func calls(source string, names ...string) Need {
	return Need{Kind: Call, Source: source, Names: names}
}

// reads names operations of Secrets Manager that read values.
func reads(names ...string) Need {
	return Need{Kind: Call, Source: SecretsManager, Names: names, ReadOnly: true}
}

// events names what Secrets Manager does by itself.
func events(names ...string) Need {
	return Need{Kind: ServiceEvent, Source: SecretsManager, Names: names}
}

type match = func(context.Context, *Detector, *Event) (hit, bool)

// succeeded matches a call that took effect and of which a condition holds.
func succeeded(condition func(*Detector, *Event) bool) match {
	return func(_ context.Context, d *Detector, e *Event) (hit, bool) {
		return hit{}, !e.Failed() && condition(d, e)
	}
}

// byOthers matches a call that took effect, of someone whose work it is not to change
// configuration.
func byOthers(condition func(*Detector, *Event) bool) match {
	return succeeded(func(d *Detector, e *Event) bool { return condition(d, e) && !d.isDeployer(&e.Actor) })
}

func anything(*Detector, *Event) bool { return true }

// named matches one of the events that the detection needs.
func named(name string) match {
	return func(_ context.Context, _ *Detector, e *Event) (hit, bool) { return hit{}, e.Name == name }
}

// counted matches when what has been counted of a caller reaches the limit. Each further event
// of the window matches too, as the same finding: see Finding.Key.
func (d *Detector) counted(ctx context.Context, e *Event, id, member string, l Limit) (hit, bool) {
	who := e.Actor.Principal
	within := time.Duration(l.Within)
	tally, err := d.state.Count(ctx, id+"|"+who, member, e.Time, within)
	if err != nil {
		return hit{many: true, occasion: who + "@" + bucket(e.Time, within), unverified: unverifiedBecause(err)}, true
	}
	if tally.Members < l.Count {
		return hit{}, false
	}
	return hit{many: true, counted: tally.Members, occasion: who + "@" + stamp(tally.Since)}, true
}
