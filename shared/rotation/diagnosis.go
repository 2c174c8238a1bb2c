package rotation

import "context"

// Doctor is an [Engine] that can examine a secret and its target. It logs in and
// reads; it changes nothing anywhere, and its store refuses writes.
type Doctor interface {
	// Diagnose finds out whether the next rotation can succeed, and which of the
	// versions the target accepts. What fails becomes a finding and hides none that
	// does not depend on it. It makes as few logins as that takes: no value is tried
	// twice, and it stops before a target might lock an account.
	//
	// r.Current is the value of AWSCURRENT. versions are those labelled AWSCURRENT,
	// AWSPENDING and AWSPREVIOUS, in this order; one without a value has an empty
	// one. Those that lost all labels are asked for (r.Unlabelled) if the target
	// accepts none of these. What it leaves out of the answer's Versions is unknown.
	Diagnose(ctx context.Context, r Request, versions []Stored) Diagnosis
}

// Diagnosis is what a doctor event answers. It holds no secret.
type Diagnosis struct {
	Secret   string         `json:"secret"`             // the ARN
	Engine   string         `json:"engine,omitempty"`   // as the secret names it: "postgres", "datadog", …
	Strategy string         `json:"strategy,omitempty"` // what becomes of the old credential; "" if that is not known
	Findings []Finding      `json:"findings"`           // in the order in which they depend on each other
	Versions []VersionLogin `json:"versions"`
}

// Finding is one thing that was looked at.
type Finding struct {
	Check   string  `json:"check"` // "login", "tls", …: see docs/state-machine.md
	Verdict Verdict `json:"verdict"`
	Said    string  `json:"said"`             // what was found, for a person
	Remedy  string  `json:"remedy,omitempty"` // what to do; there unless the verdict is OK
}

// Verdict is what a finding means for the next rotation.
type Verdict string

// The verdicts.
const (
	OK      Verdict = "ok"
	Warn    Verdict = "warn"    // it can succeed, and something should be mended
	Fail    Verdict = "fail"    // it cannot succeed, or consumers are refused now
	Skipped Verdict = "skipped" // not looked at: something that it depends on failed
)

// VersionLogin tells whether the target accepts the credential of a version.
type VersionLogin struct {
	ID     string     `json:"id"`
	Stages []string   `json:"stages"` // its labels; none if it lost them
	Login  LoginState `json:"login"`
	Said   string     `json:"said"` // how that is known, or why not
}

// NoValue is what is said of a version that has no value: there is nothing to log in with.
const NoValue = "it has no value"

// LoginState is what the target says of a credential.
type LoginState string

// The states.
const (
	LoginWorks   LoginState = "works"
	LoginRefused LoginState = "refused" // it answered, and did not accept it
	LoginUnknown LoginState = "unknown" // it was not asked, or did not answer
)

// Found is the finding of a check that ended with err: OK and what it said, or
// Fail and the error with its remedy.
func Found(check, said string, err error) Finding {
	if err != nil {
		return Finding{Check: check, Verdict: Fail, Said: err.Error(), Remedy: Hint(err)}
	}
	return Finding{Check: check, Verdict: OK, Said: said}
}

// Skip is the finding of a check that was not made, because another failed.
func Skip(check, because string) Finding {
	return Finding{Check: check, Verdict: Skipped, Said: "not looked at: " + because + " failed", Remedy: "Mend " + because + " first."}
}

// Worst is the gravest verdict of the findings: Fail, Warn, or OK.
func (d Diagnosis) Worst() Verdict {
	worst := OK
	for _, f := range d.Findings {
		switch {
		case f.Verdict == Fail:
			return Fail
		case f.Verdict == Warn:
			worst = Warn
		}
	}
	return worst
}

// failing are the checks that failed.
func (d Diagnosis) failing() (checks []string) {
	for _, f := range d.Findings {
		if f.Verdict == Fail {
			checks = append(checks, f.Check)
		}
	}
	return checks
}
