package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Secrets gives the addresses and keys of sinks. Implementations may remember a value; anew
// says that the one they have does not do. They are safe for concurrent use.
type Secrets interface {
	Value(ctx context.Context, id string, anew bool) (rotation.Value, error)
}

// address is what the secret of a sink holds.
type address struct {
	URL        string `json:"url"`
	RoutingKey string `json:"routingKey"` // PagerDuty's
	Key        string `json:"key"`        // a webhook's
}

// open reads a sink's secret. Its errors do not quote it.
func open(ctx context.Context, s Secrets, id string, anew bool) (address, error) {
	v, err := s.Value(ctx, id, anew)
	if err != nil {
		return address{}, err
	}
	var a address
	d := json.NewDecoder(strings.NewReader(v.Reveal()))
	d.DisallowUnknownFields()
	if d.Decode(&a) != nil {
		return address{}, badSecret("is not a JSON object of url, and of key or routingKey where the sink has one")
	}
	return a, nil
}

func badSecret(what string) error {
	return rotation.WithHint(fmt.Errorf("the sink's secret %s: %w", what, rotation.ErrConfig), "docs/alerts.md shows the value of each sink's secret.")
}

// target is where to post. Plain http is for private receivers only.
func (a address) target(private bool) (*url.URL, error) {
	u, err := url.Parse(a.URL)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, badSecret("has no url")
	case u.Scheme != "https" && (!private || u.Scheme != "http"):
		return nil, badSecret("has a url that is not https")
	case u.User != nil:
		return nil, badSecret("has a url with a user in it")
	}
	return u, nil
}
