package declarative

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/apikey/outbound"
)

// Exchange is a request and its answer, with everything secret removed.
type Exchange struct {
	About   string
	Method  string
	URL     string
	Headers []string // "Name: value", sorted
	Body    string
	Status  int // 0: no answer
	Answer  string
	Err     error // what the answer means, or why there is none; nil for success
}

// shown are headers whose values hold no secret.
var shown = []string{"Accept", "Content-Type", "User-Agent"}

// trace tells an exchange.
func (p *Provider) trace(s *session, d deed, r *http.Request, body []byte, answer outbound.Answer, err error) {
	if p.config.Trace == nil {
		return
	}
	e := Exchange{
		About: d.about, Method: r.Method, URL: s.hide.Strip(r.URL.String()), Body: s.hide.Strip(string(body)),
		Status: answer.Status, Answer: s.hide.Strip(string(answer.Body)), Err: err,
	}
	for name, values := range r.Header {
		value := strings.Join(values, ", ")
		if !slices.Contains(shown, name) {
			value = s.hide.Strip(value)
		}
		e.Headers = append(e.Headers, name+": "+value)
	}
	slices.Sort(e.Headers)
	p.config.Trace(e)
}
