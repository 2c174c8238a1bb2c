package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// DoctorStep is not a step of a rotation: an operator sends its event to have the
// function examine a secret, from where the function stands and with what it may
// do. It changes nothing, and its event needs no token.
const DoctorStep Step = "doctor"

// Serve answers every event that a function gets: a *[Diagnosis] to a doctor's,
// and nothing to those of rotations, which [Machine.Handle] carries out.
func (m *Machine) Serve(ctx context.Context, e Event) (*Diagnosis, error) {
	if e.Step == DoctorStep {
		return m.Diagnose(ctx, e.SecretID)
	}
	return nil, m.Handle(ctx, e)
}

// Diagnose examines one secret and changes nothing. Whatever is wrong is a finding
// of the diagnosis: with the function, the secret, or its target. An error, a
// *[StepError], is for an id that cannot be one, and for a defect.
func (m *Machine) Diagnose(ctx context.Context, secretID string) (*Diagnosis, error) {
	e := Event{Step: DoctorStep, SecretID: secretID}
	start := m.now()
	ctx, cancel := withinDeadline(ctx, start)
	defer cancel()
	d, n := &Diagnosis{Secret: secretID, Findings: []Finding{}, Versions: []VersionLogin{}}, &notes{}
	err := guard(n, func() error {
		if err := e.validateSecretID(); err != nil {
			return err
		}
		m.examine(ctx, d, n)
		return nil
	})
	if err != nil {
		stepErr := newStepError(e, err)
		m.reportDiagnosis(ctx, d, stepErr, n, start)
		return nil, stepErr
	}
	m.reportDiagnosis(ctx, d, nil, n, start)
	return d, nil
}

// examine goes as far as there is something to look at.
func (m *Machine) examine(ctx context.Context, d *Diagnosis, n *notes) {
	if m.Misconfigured != nil {
		d.add(Found("settings", "", m.Misconfigured))
		return
	}
	r := Request{Rotation: Rotation{SecretID: d.Secret}, store: readOnly{m.Store}, notes: n}
	md, err := m.Store.Describe(ctx, r.SecretID)
	if err != nil {
		d.add(Found("secret", "", err))
		return
	}
	d.Secret = md.ARN
	if err := m.mayExamine(ctx, md); err != nil {
		d.add(Found("function", "", err))
		return
	}
	err = md.rotatable()
	d.add(Found("rotation", "rotation is turned on", err))
	if !md.Deleted.IsZero() {
		return // Secrets Manager hands out its values to nobody
	}
	versions := m.labelled(ctx, &r, md, d)
	if r.Current.Len() == 0 {
		d.Versions = untried(versions, "there is no "+Current+" to tell the target from")
		return
	}
	doctor, ok := m.Engine.(Doctor)
	if !ok {
		d.add(Finding{
			Check: "target", Verdict: Skipped, Said: "secrets of this kind are not examined further",
			Remedy: "Rehearse a rotation: RotateSecret with RotateImmediately=false.",
		})
		d.Versions = untried(versions, "secrets of this kind are not examined further")
		return
	}
	found := doctor.Diagnose(ctx, r, versions)
	d.Engine, d.Strategy = found.Engine, found.Strategy
	d.add(found.Findings...)
	d.Versions = found.Versions
	for _, v := range untried(versions, "it was not tried") {
		if !slices.ContainsFunc(d.Versions, func(have VersionLogin) bool { return have.ID == v.ID }) {
			d.Versions = append(d.Versions, v)
		}
	}
}

func (d *Diagnosis) add(f ...Finding) { d.Findings = append(d.Findings, f...) }

// untried are versions of which nobody knows whether they are accepted.
func untried(versions []Stored, why string) []VersionLogin {
	all := make([]VersionLogin, len(versions))
	for i, v := range versions {
		all[i] = VersionLogin{ID: v.VersionID, Stages: v.Stages, Login: LoginUnknown, Said: why}
		if v.Value.Len() == 0 {
			all[i].Said = NoValue
		}
	}
	return all
}

// mayExamine refuses a secret that another function rotates, or none: else whoever
// may invoke the function could have it send any secret that its role may read to
// wherever that secret says.
func (m *Machine) mayExamine(ctx context.Context, md Metadata) error {
	if m.ARN == nil {
		return nil
	}
	self := unqualified(m.ARN(ctx))
	if self != "" && unqualified(md.Function) == self {
		return nil
	}
	rotatedBy := "no function rotates it"
	if md.Function != "" {
		rotatedBy = "it is rotated by " + md.Function
	}
	return WithHint(fmt.Errorf("checking the secret: %s, and this is %s: %w", rotatedBy, self, ErrConfig),
		"Ask the function that rotates the secret; if there is none yet, turn rotation on with this one (RotateSecret).")
}

// unqualified is a function's ARN without a version or an alias behind it.
//
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html#versioning-versions-using
func unqualified(arn string) string {
	parts := strings.Split(arn, ":")
	return strings.Join(parts[:min(len(parts), 7)], ":")
}

// labelled fetches the versions that count, and the current value into the request.
func (m *Machine) labelled(ctx context.Context, r *Request, md Metadata, d *Diagnosis) (versions []Stored) {
	for _, stage := range []string{Current, Pending, Previous} {
		id := md.versionWith(stage)
		if id == "" && stage != Current || slices.ContainsFunc(versions, func(v Stored) bool { return v.VersionID == id }) {
			continue
		}
		stored, err := r.store.Get(ctx, r.SecretID, Version{Stage: stage})
		switch {
		case errors.Is(err, ErrNotFound) && stage != Current:
			// RotateSecret makes versions without a value, and createSecret stores it.
			versions = append(versions, Stored{VersionID: id, Stages: md.Versions[id]})
			continue
		case errors.Is(err, ErrNotFound):
			err = errNoCurrent(err)
		case err == nil && stage == Current:
			r.Current = stored.Value
		}
		if err != nil {
			d.add(Found(stage, "", err))
			continue
		}
		versions = append(versions, stored)
	}
	return versions
}

// readOnly is a store that nothing can be written to.
type readOnly struct{ store Store }

func (s readOnly) Describe(ctx context.Context, id string) (Metadata, error) {
	return s.store.Describe(ctx, id)
}

func (s readOnly) Get(ctx context.Context, id string, v Version) (Stored, error) {
	return s.store.Get(ctx, id, v)
}

func (s readOnly) Unlabelled(ctx context.Context, id string) ([]string, error) {
	if h, ok := s.store.(Historian); ok {
		return h.Unlabelled(ctx, id)
	}
	return nil, nil
}

func (readOnly) Put(context.Context, Rotation, Value) error      { return errReadOnly }
func (readOnly) Promote(context.Context, Rotation, string) error { return errReadOnly }

var errReadOnly = fmt.Errorf("writing to a secret that is only examined: %w", ErrInternal)
