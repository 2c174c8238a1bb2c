package declarative

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Config is what providers share.
type Config struct {
	// Client sends requests; required.
	Client Sender
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Sleep waits, and reports whether there was time for it. Nil: a timer, within
	// the context's deadline.
	Sleep func(context.Context, time.Duration) bool
	// Trace, if set, is told every exchange, with everything secret removed.
	Trace func(Exchange)
}

// Sender sends one request, as [outbound.Client] does.
type Sender interface {
	Do(ctx context.Context, r *http.Request) (outbound.Answer, error)
}

// Provider is an [apikey.Provider] made of a file.
type Provider struct {
	program *program
	config  Config
}

// New makes a provider of the content of a file. name is for errors, which are
// *[InvalidError] and tell everything that is wrong.
func New(name string, content []byte, c Config) (*Provider, error) {
	_, prog, err := read(name, content)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Provider{program: prog, config: c}, nil
}

// File is what the provider was made of.
func (p *Provider) File() File { return p.program.file }

// Traits implements [apikey.Provider].
func (p *Provider) Traits() apikey.Traits { return p.program.file.traits() }

// session begins a call. Every secret that is about is known from the start.
func (p *Provider) session(a apikey.Account) *session {
	s := &session{provider: p, hide: &outbound.Redactor{}, tokens: map[string]string{}}
	settings := map[string]any{}
	for name := range p.program.file.Settings {
		if v, ok := a.Settings[name]; ok {
			settings[name] = v
		}
	}
	s.scope = scope{
		"settings": settings,
		"admin":    s.material(a.Admin, slices.Concat(p.program.file.Admin.Fields, p.program.file.Admin.Optional)),
		"current":  s.key(a.Current),
		"now":      int(p.config.Now().Unix()),
	}
	return s
}

// about adds the key in question.
func (s *session) about(k apikey.Key) *session {
	s.scope["key"] = s.key(k)
	s.scope["id"] = nil
	if k.ID != "" {
		s.scope["id"] = k.ID
	}
	return s
}

func (s *session) key(k apikey.Key) map[string]any {
	fields := fields{s.provider.Traits()}
	out := s.material(k.Material, fields.all(), fields.Public...)
	if k.ID != "" && fields.ID != "" {
		out[fields.ID] = k.ID
	}
	return out
}

// material is for templates, and hides what is secret.
func (s *session) material(m apikey.Material, names []string, public ...string) map[string]any {
	out := map[string]any{}
	for _, name := range names {
		v, ok := m[name]
		if !ok {
			continue
		}
		out[name] = v.Reveal()
		if !slices.Contains(public, name) && name != s.provider.program.file.Key.ID {
			s.hide.Hide(v.Reveal())
		}
	}
	return out
}

// Issue implements [apikey.Provider].
func (p *Provider) Issue(ctx context.Context, a apikey.Account, o apikey.Order) (apikey.Key, error) {
	if len(p.program.file.Choose) > 0 {
		return p.choose()
	}
	s := p.session(a)
	s.scope["name"], s.scope["order"] = o.Name, o.Idempotency
	for _, r := range p.program.before {
		if _, err := s.call(ctx, "preparing to issue a key", r); err != nil {
			return apikey.Key{}, apikey.NotSent(err) // whatever it did, no key was ordered
		}
	}
	body, err := s.call(ctx, "issuing a key", p.program.issue)
	if err != nil {
		return apikey.Key{}, err
	}
	k, err := s.result(ctx, p.program.issue, body)
	if err != nil {
		return apikey.Key{}, fmt.Errorf("issuing a key: reading the answer: %w", err)
	}
	k.Name = o.Name
	return k, nil
}

// result is the key in an answer.
func (s *session) result(ctx context.Context, r *request, body any) (apikey.Key, error) {
	k := apikey.Key{Material: apikey.Material{}}
	public := s.provider.program.file.Key.Public
	for name, e := range r.result {
		v, err := e.eval(ctx, body)
		if err != nil {
			return apikey.Key{}, fmt.Errorf("%q: %w", name, vendorKind(err))
		}
		text, ok := textOf(v)
		switch {
		case (!ok || text == "") && slices.Contains(public, name):
			continue // the vendor does not tell
		case !ok || text == "":
			return apikey.Key{}, rotation.WithHint(fmt.Errorf("%q: %s gives nothing: %w", name, e.text, rotation.ErrVendor),
				"The vendor's answer is not the one that the provider's file expects: compare the two with rekey provider test.")
		case name == s.provider.program.file.Key.ID:
			k.ID = text
		}
		k.Material[name] = rotation.TextValue(text)
		if !slices.Contains(public, name) && name != s.provider.program.file.Key.ID {
			s.hide.Hide(text)
		}
	}
	return k, nil
}

// vendorKind tells an answer that is not as the file expects.
func vendorKind(err error) error {
	if errors.Is(err, errExpression) {
		return fmt.Errorf("the answer is not as the file expects: %w", rotation.ErrVendor)
	}
	return err
}

const lettersAndDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// choose makes material of our own choice.
func (p *Provider) choose() (apikey.Key, error) {
	k := apikey.Key{Material: apikey.Material{}}
	for name, c := range p.program.file.Choose {
		characters := c.Characters
		if characters == "" {
			characters = lettersAndDigits
		}
		text := make([]byte, c.Length)
		for i := range text {
			n, err := rand.Int(rand.Reader, big.NewInt(int64(len(characters))))
			if err != nil {
				return apikey.Key{}, fmt.Errorf("choosing %q: no randomness: %w", name, rotation.ErrInternal)
			}
			text[i] = characters[n.Int64()]
		}
		k.Material[name] = rotation.TextValue(string(text))
	}
	return k, nil
}

// Install implements [apikey.Installer].
func (p *Provider) Install(ctx context.Context, a apikey.Account, k apikey.Key) error {
	if p.program.install == nil {
		return nil
	}
	_, err := p.session(a).about(k).call(ctx, "making the new key valid", p.program.install)
	return err
}

// Check implements [apikey.Provider]. A key that is refused is tried again until
// the vendor's lag is over.
func (p *Provider) Check(ctx context.Context, a apikey.Account, k apikey.Key) error {
	began, pause := p.config.Now(), time.Second
	for {
		err := p.CheckNow(ctx, a, k)
		late := errors.Is(err, rotation.ErrRefused) || errors.Is(err, errGone)
		left := p.program.file.Lag.value() - p.config.Now().Sub(began)
		if !late || left <= 0 || !p.config.sleep(ctx, min(pause, left)) {
			return err
		}
		pause = min(2*pause, 8*time.Second)
	}
}

// CheckNow implements [apikey.Checker].
func (p *Provider) CheckNow(ctx context.Context, a apikey.Account, k apikey.Key) error {
	_, err := p.session(a).about(k).call(ctx, "checking the key", p.program.check)
	return err
}

// Unused implements [apikey.Prober].
func (p *Provider) Unused(ctx context.Context, a apikey.Account) (bool, error) {
	if p.program.unused == nil {
		return false, fmt.Errorf("asking whether the current credential is unused: the vendor does not tell: %w", rotation.ErrVendor)
	}
	_, err := p.session(a).about(a.Current).call(ctx, "asking whether the current credential is unused", p.program.unused)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, rotation.ErrRefused), errors.Is(err, errGone), errors.Is(err, apikey.ErrNotSent) && errors.Is(err, rotation.ErrVendor):
		return false, nil
	}
	return false, err
}

// Probes reports whether Unused can tell.
func (p *Provider) Probes() bool { return p.program.unused != nil }

// Revoke implements [apikey.Provider].
func (p *Provider) Revoke(ctx context.Context, a apikey.Account, k apikey.Key) error {
	return p.end(ctx, a, k, "revoking a key", p.program.revoke)
}

// RetireKey implements [apikey.KeyRetirer].
func (p *Provider) RetireKey(ctx context.Context, a apikey.Account, k apikey.Key) error {
	if len(p.program.retire) == 0 {
		return p.Revoke(ctx, a, k)
	}
	// What such a deed does may depend on the old key being there: once that has
	// ended, promoting another key would end the current one.
	_, err := p.session(a).about(k).call(ctx, "checking whether the old key lives", p.program.check)
	switch {
	case errors.Is(err, rotation.ErrRefused):
		return nil
	case err != nil:
		return err
	}
	return p.end(ctx, a, k, "ending the old key", p.program.retire)
}

func (p *Provider) end(ctx context.Context, a apikey.Account, k apikey.Key, what string, requests []*request) error {
	s := p.session(a).about(k)
	for _, r := range requests {
		if _, err := s.call(ctx, what, r); err != nil && !errors.Is(err, errGone) {
			return err
		}
	}
	return nil
}

// sleep waits if there is time for it.
func (c Config) sleep(ctx context.Context, d time.Duration) bool {
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
