package apikey

import (
	"errors"
	"fmt"

	"github.com/rekey-aws/rekey/shared/rotation"
)

var (
	// ErrLimit is that the vendor has as many keys as it allows. It is ErrVendor.
	ErrLimit = fmt.Errorf("the vendor's limit of keys is reached: %w", rotation.ErrVendor)
	// ErrNotSent is that the request has certainly not been carried out. It
	// accompanies another error and is no kind of its own.
	ErrNotSent = errors.New("not carried out")
)

// NotSent marks an error of a request that has certainly not been carried out:
// no connection was made, or the vendor answered that it did not.
func NotSent(err error) error {
	if err == nil {
		return nil
	}
	return &notSentError{err}
}

// notSentError keeps the text of the error as it is.
type notSentError struct{ error }

func (n *notSentError) Unwrap() error        { return n.error }
func (n *notSentError) Is(target error) bool { return target == ErrNotSent }
