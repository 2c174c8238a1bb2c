package generated

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Config is what the providers share.
type Config struct {
	// Client sends requests to web hooks. Nil: there are none.
	Client Sender
	// Now is the clock, for certificates. Nil: time.Now.
	Now func() time.Time
}

// Providers are all of them, by the name that secrets call them.
func Providers(c Config) map[string]apikey.Provider {
	if c.Now == nil {
		c.Now = time.Now
	}
	all := map[string]apikey.Provider{}
	for _, k := range kinds {
		all[k.name] = &provider{kind: k, config: c}
	}
	return all
}

// kind is one kind of secret.
type kind struct {
	name     string
	fields   []string
	public   []string // of them
	id       string   // of them
	settings map[string]setting
	admin    []string // keys of the administrator's secret
	// generate makes the material. current may lack parts.
	generate func(c Config, settings map[string]string, admin, current apikey.Material) (map[string]string, error)
	// verify proves that the parts belong together.
	verify func(c Config, settings map[string]string, parts map[string]string) error
}

// setting is a key of the secret that is no part of the credential.
type setting struct {
	otherwise string
	check     func(string) string // what it must be, if it is not
}

var kinds = []kind{stringKind, keyPairKind, jwksKind, sshKind, certificateKind}

// provider is the [apikey.Provider] of a kind.
type provider struct {
	kind   kind
	config Config
}

// Traits implements [apikey.Provider]. There is no vendor who would keep an old
// secret: what accepts it is the consumers' own.
func (p *provider) Traits() apikey.Traits {
	return apikey.Traits{Class: apikey.Replace, Fields: p.kind.fields, Public: p.kind.public, ID: p.kind.id, Chosen: true}
}

// AdminFields implements [apikey.Reader].
func (p *provider) AdminFields() (required, optional []string, itself bool) {
	return nil, p.kind.admin, true
}

// ReadSettings implements [apikey.Reader].
func (p *provider) ReadSettings(secret, _ rotation.Document, administered bool) (map[string]string, error) {
	if administered && len(p.kind.admin) == 0 {
		return nil, badKey("adminSecretArn", "names an administrator, and nobody is asked", "absent")
	}
	out := map[string]string{}
	settings := maps.Clone(p.kind.settings)
	maps.Copy(settings, hooks)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		value, err := text(secret, name)
		if err != nil {
			return nil, err
		}
		if value == "" {
			value = settings[name].otherwise
		}
		if value == "" {
			continue
		}
		if expected := settings[name].check(value); expected != "" {
			return nil, badKey(name, "is not one that it can be", expected)
		}
		out[name] = value
	}
	return out, nil
}

// text reads a JSON string, number or boolean; "" if it is absent or null.
func text(doc rotation.Document, key string) (string, error) {
	if !doc.Has(key) {
		return "", nil
	}
	raw, _ := doc.Raw(key)
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	if raw[0] == '{' || raw[0] == '[' {
		return "", badKey(key, "is an object or an array", "text")
	}
	return string(raw), nil
}

func badKey(key, wrong, expected string) error {
	return rotation.WithHint(fmt.Errorf("reading the secret: the key %q %s: %w", key, wrong, rotation.ErrConfig),
		fmt.Sprintf("%q must be %s.", key, expected))
}

// Issue implements [apikey.Provider]: it makes the material, and calls nobody.
func (p *provider) Issue(_ context.Context, a apikey.Account, _ apikey.Order) (apikey.Key, error) {
	parts, err := p.kind.generate(p.config, a.Settings, a.Admin, a.Current.Material)
	if err != nil {
		return apikey.Key{}, err
	}
	k := apikey.Key{ID: parts[p.kind.id], Material: apikey.Material{}}
	for name, value := range parts {
		k.Material[name] = rotation.TextValue(value)
	}
	return k, nil
}

// Check implements [apikey.Provider]: the parts belong together, and the secret's
// own page accepts them.
func (p *provider) Check(ctx context.Context, a apikey.Account, k apikey.Key) error {
	parts := map[string]string{}
	for name, v := range k.Material {
		parts[name] = v.Reveal()
	}
	if err := p.kind.verify(p.config, a.Settings, parts); err != nil {
		return fmt.Errorf("verifying the new secret: %w", err)
	}
	return p.ask(ctx, a, k)
}

// List implements [apikey.Provider]. It is not called.
func (p *provider) List(context.Context, apikey.Account) ([]apikey.Key, error) {
	return nil, fmt.Errorf("listing: nobody keeps a list: %w", rotation.ErrInternal)
}

// Revoke implements [apikey.Provider]. It is not called.
func (p *provider) Revoke(context.Context, apikey.Account, apikey.Key) error {
	return fmt.Errorf("revoking: nobody could: %w", rotation.ErrInternal)
}

// oneOf is the check of a setting with these values.
func oneOf(values ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(values, s) {
			return ""
		}
		return "one of " + strings.Join(values, ", ")
	}
}

// between is the check of a number.
func between(least, most int) func(string) string {
	return func(s string) string {
		if n, err := strconv.Atoi(s); err == nil && n >= least && n <= most {
			return ""
		}
		return fmt.Sprintf("a whole number from %d to %d", least, most)
	}
}

// number is a setting that [between] has checked.
func number(settings map[string]string, name string) int {
	n, _ := strconv.Atoi(settings[name])
	return n
}

// wrong is an error of verify. It says nothing of the value.
func wrong(format string, args ...any) error {
	return rotation.WithHint(fmt.Errorf(format+": %w", append(args, rotation.ErrConfig)...), "Let createSecret make the secret: remove AWSPENDING and rotate again.")
}

var (
	_ apikey.Provider  = (*provider)(nil)
	_ apikey.Reader    = (*provider)(nil)
	_ apikey.Installer = (*provider)(nil)
	_ apikey.Asking    = (*provider)(nil)
)
