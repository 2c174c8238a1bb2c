package apikey

import (
	"errors"
	"fmt"

	"github.com/rekey-aws/rekey/shared/rotation"
)

var (
	// ErrLimit: the vendor has as many keys as it allows. It is ErrVendor.
	ErrLimit = fmt.Errorf("the vendor's limit of keys is reached: %w", rotation.ErrVendor)
	// ErrNotSent: the request has certainly not been carried out. It accompanies
	// another error and is no kind of its own.
	ErrNotSent = errors.New("not carried out")
)

// NotSent marks an error of a request that has certainly not been carried out:
// no connection was made, or the vendor answered that it did not.
func NotSent(err error) error {
	if err == nil {
		return nil
	}
	return &notSent{err}
}

// notSent keeps the text of the error as it is.
type notSent struct{ error }

func (n *notSent) Unwrap() error        { return n.error }
func (n *notSent) Is(target error) bool { return target == ErrNotSent }
