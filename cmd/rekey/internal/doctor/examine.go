package doctor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Examiner examines secrets of one account and Region. It changes nothing. Make one with New.
type Examiner struct {
	secrets   secretsAPI
	functions functionsAPI
	keys      keysAPI
	logs      logsAPI
	region    string
	now       func() time.Time
	here      func(ctx context.Context, f *facts) (*rotation.Diagnosis, []rotation.Finding)
}

// New makes an examiner with the caller's credentials.
func New(cfg aws.Config) *Examiner {
	e := &Examiner{
		secrets: account.SecretsManager(cfg), functions: account.Lambda(cfg), keys: account.KMS(cfg), logs: account.Logs(cfg),
		region: cfg.Region, now: time.Now,
	}
	e.here = func(ctx context.Context, f *facts) (*rotation.Diagnosis, []rotation.Finding) {
		return e.examineHere(ctx, cfg, f)
	}
	return e
}

// Depth is how far an examination goes.
type Depth int

// The depths.
const (
	Inside  Depth = iota // the rotation function examines too, from where it stands
	Here                 // this process examines in the function's place
	Outside              // what AWS says of the secret, and no more
)

// Report is the outcome of an examination. It holds no secret.
type Report struct {
	Secret   string                  `json:"secret"` // the ARN
	Name     string                  `json:"name"`
	Engine   string                  `json:"engine,omitempty"`
	Strategy string                  `json:"strategy,omitempty"`
	Verdict  rotation.Verdict        `json:"verdict"` // the gravest of the findings
	First    *Finding                `json:"first,omitempty"`
	Findings []Finding               `json:"findings"`
	Versions []rotation.VersionLogin `json:"versions"`

	Labels   map[string][]string `json:"labels"`             // by version
	Function string              `json:"function,omitempty"` // the ARN of the one that rotates it

	// Rotates says that rotation is turned on; Examined that the function, or this process in
	// its place, has told which versions log in.
	Rotates  bool `json:"rotates"`
	Examined bool `json:"examined"`
}

// Finding is one, and who found it.
type Finding struct {
	From string `json:"from"` // "outside", "inside", "here"
	rotation.Finding
}

// Examine looks at a secret, by its name or ARN. What is wrong is in the report; the error is
// that there is no such secret, that it cannot be looked at, or that ctx has ended.
func (e *Examiner) Examine(ctx context.Context, id string, depth Depth) (*Report, error) {
	f, err := e.look(ctx, id)
	if err != nil {
		return nil, err
	}
	r := &Report{
		Secret: aws.ToString(f.secret.ARN), Name: f.name(), Versions: []rotation.VersionLogin{},
		Labels: f.secret.VersionIdsToStages, Function: aws.ToString(f.secret.RotationLambdaARN), Rotates: aws.ToBool(f.secret.RotationEnabled),
	}
	r.add("outside", f.settings()...)
	if !f.beyond() {
		e.deepen(ctx, f, depth, r)
	}
	if ctx.Err() != nil { // what was asked then has no answer, which is nobody's fault
		return nil, errors.New("interrupted while the secret was examined, which changes nothing")
	}
	r.add("outside", f.symptoms()...)
	r.judge()
	return r, nil
}

// deepen adds what can be found out by logging in.
func (e *Examiner) deepen(ctx context.Context, f *facts, depth Depth, r *Report) {
	var (
		d    *rotation.Diagnosis
		why  []rotation.Finding
		from = "inside"
	)
	switch {
	case depth == Outside:
		return
	case depth == Here:
		from = "here"
		d, why = e.here(ctx, f)
	case errors.Is(f.functionErr, rotation.ErrNotFound) || aws.ToString(f.secret.RotationLambdaARN) == "":
		r.add(from, rotation.Finding{Check: "inside", Verdict: rotation.Skipped, Said: "not looked at: there is no function to ask", Remedy: "Examine from here: rekey doctor --from-here."})
		return
	default:
		d, why = e.ask(ctx, f)
	}
	r.add(from, why...)
	if d == nil {
		return
	}
	r.Engine, r.Strategy, r.Versions, r.Examined = d.Engine, d.Strategy, d.Versions, true
	for _, found := range d.Findings {
		if found.Check != "rotation" { // seen from outside already
			r.add(from, found)
		}
	}
}

func (r *Report) add(from string, found ...rotation.Finding) {
	for _, f := range found {
		r.Findings = append(r.Findings, Finding{From: from, Finding: f})
	}
}

// judge finds the gravest verdict, and what is to be mended first: the first finding of that
// gravity, since causes come before what they cause.
func (r *Report) judge() {
	r.Verdict = rotation.OK
	for _, verdict := range []rotation.Verdict{rotation.Fail, rotation.Warn} {
		at := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Verdict == verdict })
		if at >= 0 {
			r.Verdict, r.First = verdict, &r.Findings[at]
			return
		}
	}
}

// Failures are how many checks failed.
func (r *Report) Failures() (n int) {
	for _, f := range r.Findings {
		if f.Verdict == rotation.Fail {
			n++
		}
	}
	return n
}
