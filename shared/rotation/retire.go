package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// planPatience bounds what a scheduler that does not answer adds to finishSecret.
const planPatience = 5 * time.Second

// planRetirement plans the end of the version that was current before. It fails
// no rotation, which has succeeded: what goes wrong is noted and counted.
func (m *Machine) planRetirement(ctx context.Context, r Request, md Metadata, old string) {
	retirer, ok := m.Engine.(Retirer)
	if !ok || m.Planner == nil || m.RetireAfter <= 0 || old == "" || old == r.Token {
		return
	}
	r.notes.retiring = true
	ctx, cancel := context.WithTimeout(ctx, planPatience)
	defer cancel()
	keeps, err := m.keepsOld(ctx, r, retirer)
	if err == nil && !keeps {
		return
	}
	plan := Retirement{SecretID: md.ARN, Token: r.Token, Old: old, At: m.now().Add(m.RetireAfter), Try: 1}
	if err == nil {
		err = m.Planner.Plan(ctx, plan)
	}
	if err != nil {
		r.notes.planFailed(err)
		return
	}
	r.Note(slog.Time("retire_at", plan.At.UTC().Truncate(time.Second)), slog.String("retires", old))
}

// keepsOld asks the engine whether there is something to retire: Get.
func (m *Machine) keepsOld(ctx context.Context, r Request, retirer Retirer) (bool, error) {
	keeper, ok := retirer.(Keeper)
	if !ok {
		return true, nil
	}
	current, err := m.Store.Get(ctx, r.SecretID, Version{ID: r.Token})
	if err != nil {
		return false, err
	}
	r.Current = current.Value
	return keeper.KeepsOld(ctx, r)
}

// retire ends an old credential: Describe, Get, Get; one Get more while a
// rotation is under way.
func (m *Machine) retire(ctx context.Context, r Request, e Event) (outcome, error) {
	r.notes.retiring = true
	r.Note(slog.String("retires", e.Old))
	retirer, ok := m.Engine.(Retirer)
	switch {
	case !ok:
		return nothingToDo(r, "a rotation of this kind leaves no old credential")
	case m.RetireAfter <= 0:
		return nothingToDo(r, "retiring is turned off")
	}
	md, err := m.Store.Describe(ctx, r.SecretID)
	if err != nil {
		return m.later(ctx, r, e, err)
	}
	if over := md.retireNot(e); over != "" {
		return nothingToDo(r, over)
	}
	if due := m.due(md, e); m.now().Before(due) {
		return m.putOff(ctx, r, e, due, "the grace period is not over")
	}
	err = m.endOld(ctx, r, md, retirer, e.Old)
	switch {
	case err == nil:
		return done, nil
	case errors.Is(err, ErrBusy) && e.Try < maxRetireTries:
		return m.putOff(ctx, r, e, m.now().Add(retirePause(m.RetireAfter)), err.Error())
	}
	return m.later(ctx, r, e, err)
}

// endOld has the engine end the version "old", whose successor r.Token is
// current. All rules of what may be ended are here and in StillDue.
func (m *Machine) endOld(ctx context.Context, r Request, md Metadata, retirer Retirer, old string) error {
	if slices.Contains(md.Versions[old], Current) || slices.Contains(md.Versions[old], Pending) {
		return errMoved
	}
	current, err := m.Store.Get(ctx, r.SecretID, Version{ID: r.Token, Stage: Current})
	if errors.Is(err, ErrNotPending) {
		return errMoved
	}
	if err != nil {
		return err
	}
	r.Current, r.OldToken = current.Value, old
	stored, err := m.Store.Get(ctx, r.SecretID, Version{ID: old})
	switch {
	case err == nil:
		r.Old = stored.Value
	case !errors.Is(err, ErrNotFound): // pruned: the engine may know the credential by the token
		return err
	}
	if pending := md.versionWith(Pending); pending != "" && pending != r.Token {
		r.Rotating = true
		stored, err := m.Store.Get(ctx, r.SecretID, Version{Stage: Pending})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		r.Pending = stored.Value
	}
	if r.Old.Len() > 0 && (r.Old.Equal(r.Current) || r.Old.Equal(r.Pending)) {
		r.Note(slog.String("reason", "the old value is also the one in use"))
		return nil
	}
	r.labels = md.Versions
	return retirer.Retire(ctx, r)
}

// retireNot is why there is nothing to retire, or "".
func (md Metadata) retireNot(e Event) string {
	current := md.versionWith(Current)
	switch {
	case !md.Deleted.IsZero():
		return "the secret is marked for deletion"
	case !md.RotationEnabled:
		return "rotation was turned off"
	case current == e.Old:
		return "a rollback: the version to retire is " + Current + " again"
	case current != e.Token && md.Versions[e.Token] == nil:
		return "newer rotations made version " + current + " current"
	case current != e.Token:
		return fmt.Sprintf("a newer rotation or a rollback made version %s current; this one is %v now", current, md.Versions[e.Token])
	case slices.Contains(md.Versions[e.Old], Pending):
		return "the version to retire is " + Pending
	}
	return ""
}

// due is when the grace period is over, by the event and by what Secrets Manager
// says of the last rotation. That ended a moment after the event was planned.
func (m *Machine) due(md Metadata, e Event) time.Time {
	due := e.NotBefore
	if md.Rotated.IsZero() {
		return due
	}
	slack := min(m.RetireAfter/10, 5*time.Minute)
	if byService := md.Rotated.Add(m.RetireAfter - slack); byService.After(due) {
		due = byService
	}
	return due
}

// putOff plans the next try. It is no failure unless it cannot be planned.
func (m *Machine) putOff(ctx context.Context, r Request, e Event, at time.Time, why string) (outcome, error) {
	if err := m.planAgain(ctx, e, at); err != nil {
		return "", fmt.Errorf("putting the retirement off (%s): %w", why, err)
	}
	r.Note(slog.String("reason", why), slog.Time("retire_at", at.UTC().Truncate(time.Second)))
	return putOff, nil
}

// later plans the next try after a failure, which is the step's all the same.
func (m *Machine) later(ctx context.Context, r Request, e Event, failure error) (outcome, error) {
	at := m.now().Add(retirePause(m.RetireAfter))
	switch err := m.planAgain(ctx, e, at); {
	case err == nil:
		r.Note(slog.Time("retire_at", at.UTC().Truncate(time.Second)))
	default:
		r.Note(slog.String("retire_plan_error", err.Error()))
	}
	return "", failure
}

func (m *Machine) planAgain(ctx context.Context, e Event, at time.Time) error {
	switch {
	case m.Planner == nil:
		return WithHint(fmt.Errorf("planning another try: the function has no scheduler: %w", ErrConfig),
			"Set RETIRE_ROLE_ARN, or invoke the function with the event again later. The next rotation ends the old credential too.")
	case e.Try >= maxRetireTries:
		return WithHint(fmt.Errorf("planning another try: it was tried %d times: %w", e.Try, ErrConfig),
			"Find out what still uses the old credential. The next rotation ends it too.")
	}
	return m.Planner.Plan(ctx, Retirement{SecretID: e.SecretID, Token: e.Token, Old: e.Old, At: at, Try: e.Try + 1})
}

// retireFirst ends, before a new credential is made, the one that a retirement
// should have ended: AWSPREVIOUS, if its grace period is over. Where that fails
// the rotation goes on: the engine knows whether there is room for one more.
func (m *Machine) retireFirst(ctx context.Context, r Request, md Metadata) {
	retirer, ok := m.Engine.(Retirer)
	old := md.versionWith(Previous)
	if !ok || !m.RetireFirst || m.RetireAfter <= 0 || old == "" || m.now().Before(md.Rotated.Add(m.RetireAfter)) {
		return
	}
	r.notes.retiring = true
	r.Token = md.versionWith(Current)
	switch err := m.endOld(ctx, r, md, retirer, old); {
	case err == nil:
		r.Note(slog.String("retired_first", old))
	case errors.Is(err, ErrBusy):
		r.Note(slog.String("reason", err.Error()))
	default:
		r.notes.planFailed(fmt.Errorf("retiring version %s first: %w", old, err))
	}
}

// errMoved is that the labels are no longer where they were: a rotation or a
// person moved them.
var errMoved = fmt.Errorf("the labels moved: %w", ErrBusy)

// StillDue asks again where the labels are, for an act that must not happen if
// one moved since the step began. ErrBusy: one did. It costs a call.
func (r Request) StillDue(ctx context.Context) error {
	md, err := r.store.Describe(ctx, r.SecretID)
	if err != nil {
		return err
	}
	for _, stage := range []string{Current, Pending} {
		if md.versionWith(stage) != (Metadata{Versions: r.labels}).versionWith(stage) {
			return errMoved
		}
	}
	return nil
}

func nothingToDo(r Request, reason string) (outcome, error) {
	r.Note(slog.String("reason", reason))
	return nothing, nil
}
