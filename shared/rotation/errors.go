package rotation

import (
	"errors"
	"fmt"
)

// The kinds of failure. Every error that a step returns wraps exactly one of
// them; engines and stores wrap them with %w as the last verb. They are what a
// person needs to know first, so they never mix: a server that is down is not a
// wrong password.
var (
	// ErrNotFound: the secret, or the value of the version asked for, is not there.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the token already holds another value.
	ErrConflict = errors.New("the token already holds another value")
	// ErrNotPending: the token is not the version that is to become current.
	ErrNotPending = errors.New("the token is not pending")
	// ErrRefused: the target answered and did not accept the credential.
	ErrRefused = errors.New("credential refused")
	// ErrUnreachable: the target did not answer, or not in time.
	ErrUnreachable = errors.New("unreachable")
	// ErrTLS: no verified TLS connection could be made.
	ErrTLS = errors.New("TLS not verified")
	// ErrDenied: the credential is good but lacks a permission.
	ErrDenied = errors.New("permission denied")
	// ErrConfig: the secret, the event or the function's settings are wrong.
	ErrConfig = errors.New("wrong configuration")
	// ErrVendor: the target failed in a way of its own.
	ErrVendor = errors.New("the target failed")
	// ErrThrottled: AWS asked to slow down until there was no time left.
	ErrThrottled = errors.New("throttled")
	// ErrBusy: the old credential is still in use, or a rotation is under way:
	// what was asked for is possible later.
	ErrBusy = errors.New("still in use")
	// ErrWaiting: only a person can bring the new credential. An engine's Create
	// returns it until the pending version has a value.
	ErrWaiting = errors.New("waiting for a person")
	// ErrInternal: a defect of this function.
	ErrInternal = errors.New("internal error")
)

// kinds gives each sentinel its name in logs and metrics, and the advice for
// when the place of the failure has none of its own.
var kinds = []struct {
	err  error
	name string
	hint string
}{
	{ErrNotFound, "not_found", "Check that the secret exists in this Region and has an AWSCURRENT value."},
	{ErrConflict, "conflict", "Another rotation with the same token is running; run the rotation again."},
	{ErrNotPending, "not_pending", "Start a new rotation (RotateSecret); this token's rotation is over or was cancelled."},
	{ErrRefused, "refused", "Put the password that the target accepts into AWSCURRENT, or set the target's password to the one in AWSCURRENT."},
	{ErrUnreachable, "unreachable", "Check that the server is up and that the function's subnets, security groups and DNS reach its host and port."},
	{ErrTLS, "tls", "Check the server's certificate, its name, and the authorities the function trusts (SSL_CERT_FILE)."},
	{ErrDenied, "denied", "Grant the missing permission; the engine's page in docs/engines lists them."},
	{ErrConfig, "config", "Correct the secret or the function's settings."},
	{ErrVendor, "vendor", "Read the target's message; the rotation may be run again at any time."},
	{ErrThrottled, "throttled", "Spread rotations out: Secrets Manager allows 50 writes a second in a Region."},
	{ErrBusy, "busy", "Find out what still uses the old credential and have it read the secret again; the retirement is tried again."},
	{ErrWaiting, "waiting", "Put the new credential into the pending version with rekey submit; the rotation goes on with it."},
	{ErrInternal, "internal", "This is a defect: report it with the function's log line. The rotation may be run again at any time."},
}

// KindName is the name of the kind that err wraps, as in the log line's "kind":
// "refused", "unreachable", … An error without a kind is "internal".
func KindName(err error) string {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.name
		}
	}
	return "internal"
}

func kindOf(err error) (kind error, hint string) {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.err, k.hint
		}
	}
	last := kinds[len(kinds)-1]
	return last.err, last.hint
}

// WithHint attaches what to do to an error, for the person who reads the log.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{err: err, hint: hint}
}

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// Hint is what to do about err: the hint attached nearest to the surface, else
// the advice for its kind.
func Hint(err error) string {
	var h *hinted
	if errors.As(err, &h) {
		return h.hint
	}
	_, hint := kindOf(err)
	return hint
}

// StepError is the error of one step: where it failed, what kind of failure it
// is, and what to do. It holds no secret.
type StepError struct {
	Step     Step
	SecretID string
	Token    string
	Kind     error // one of the sentinels of this package
	Hint     string
	Err      error // wraps Kind
}

func newStepError(e Event, err error) *StepError {
	kind, _ := kindOf(err)
	return &StepError{Step: e.Step, SecretID: e.SecretID, Token: e.Token, Kind: kind, Hint: Hint(err), Err: err}
}

// Error is one line: the step, the cause, the remedy.
func (e *StepError) Error() string {
	return fmt.Sprintf("%s of %s (version %s): %v. What to do: %s", clip(string(e.Step), 64), clip(e.SecretID, maxIDLength), clip(e.Token, 64), e.Err, e.Hint)
}

func (e *StepError) Unwrap() error { return e.Err }
