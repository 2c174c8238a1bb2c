package apikey

import (
	"fmt"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// IdleFrom reads the function's IDLE_FOR; lookup is os.LookupEnv. Errors are
// ErrConfig.
func IdleFrom(lookup func(string) (string, bool)) (time.Duration, error) {
	text, _ := lookup("IDLE_FOR")
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Minute || d > 90*24*time.Hour {
		return 0, rotation.WithHint(fmt.Errorf("reading the function's settings: IDLE_FOR is not a time from 1m to 2160h: %w", rotation.ErrConfig),
			"Set it to how long an old key must not have been used before it is ended, such as 6h, or unset it: then 1h.")
	}
	return d, nil
}
