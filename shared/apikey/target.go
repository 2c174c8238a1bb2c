package apikey

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// target is what the secret of one version says.
//
//	provider         required; the name of the provider
//	adminSecretArn   the secret of the administrator, who manages keys; not where a key manages itself
//	exclusive        true: nobody else makes keys in this account, so that keys without names can be told to be this secret's
//
// Settings and fields of the key are the provider's. All other keys are kept byte
// for byte. Names and forms are those of Secrets Manager's managed external
// secrets where the vendor has one.
//
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partners.html
type target struct {
	name      string
	provider  Provider
	traits    Traits
	doc       rotation.Document
	admin     string // ARN, or ""
	adminDoc  rotation.Document
	exclusive bool
	account   Account // its Current is the key of this version
	label     string
}

const (
	providerKey  = "provider"
	adminKey     = "adminSecretArn"
	exclusiveKey = "exclusive"
)

// theAdministrators is what errors call the secret that adminSecretArn names.
const theAdministrators = "the administrator's secret"

// identify reads which provider a version is about, and its key.
func (e *Engine) identify(v rotation.Value, label string) (target, error) {
	doc, err := rotation.ParseDocument(v)
	if err != nil {
		return target{}, fmt.Errorf("%s: %w", label, err)
	}
	t := target{doc: doc, label: label}
	if t.name, err = text(doc, label, providerKey); err != nil {
		return target{}, err
	}
	if t.name == "" {
		return target{}, badKey(label, providerKey, "is missing", "the name of the provider, such as datadog")
	}
	if t.provider, err = e.Providers.Provider(t.name); err != nil {
		return target{}, fmt.Errorf("reading %s: %w", label, err)
	}
	t.traits = t.provider.Traits()
	if t.admin, err = text(doc, label, adminKey); err != nil {
		return target{}, err
	}
	if t.account.Current, err = t.key(doc, label); err != nil {
		return target{}, err
	}
	switch exclusive, err := text(doc, label, exclusiveKey); {
	case err != nil:
		return target{}, err
	case exclusive == "true":
		t.exclusive = true
	case exclusive != "" && exclusive != "false":
		return target{}, badKey(label, exclusiveKey, "is neither true nor false", "true or false, or absent")
	}
	return t, nil
}

// open reads everything that a version says, its administrator's secret included.
func (e *Engine) open(ctx context.Context, r rotation.Request, v rotation.Value, label string) (target, error) {
	t, err := e.identify(v, label)
	if err != nil {
		return target{}, err
	}
	var admin rotation.Value
	if t.admin != "" {
		if admin, err = r.Secret(ctx, t.admin); err != nil {
			return target{}, rotation.WithHint(fmt.Errorf("reading %s: %w", theAdministrators, err),
				fmt.Sprintf("%q of the secret must be the ARN of a secret that the function's role may read.", adminKey))
		}
	}
	return t.with(admin)
}

// ReadAccount is the account of a secret and of the administrator's secret that it
// names, as the engine reads them; admin is empty if there is none. Errors are
// ErrConfig.
func ReadAccount(d Directory, secret, admin rotation.Value) (Account, error) {
	t, err := (&Engine{Providers: d}).identify(secret, "the secret")
	if err != nil {
		return Account{}, err
	}
	if t.admin == "" && admin.Len() > 0 {
		t.admin = "given" // beside a secret that is yet to be made
	}
	t, err = t.with(admin)
	return t.account, err
}

// with adds what the administrator's secret says; admin is empty if there is none.
func (t target) with(admin rotation.Value) (target, error) {
	reader, ok := t.provider.(Reader)
	if !ok {
		return t, nil
	}
	required, optional, itself := reader.AdminFields()
	label := t.label
	var err error
	switch {
	case t.admin != "":
		if t.adminDoc, err = t.adminDocument(admin); err != nil {
			return target{}, err
		}
		t.account.Admin, err = material(t.adminDoc, theAdministrators, required, optional)
	case itself:
		t.account.Admin, err = material(t.doc, label, required, optional)
	case len(required) > 0:
		return target{}, badKey(label, adminKey, "is missing",
			"the ARN of a secret with "+strings.Join(required, ", ")+", of someone who may make and revoke keys")
	}
	if err != nil {
		return target{}, err
	}
	t.account.Settings, err = reader.ReadSettings(t.doc, t.adminDoc, t.admin != "")
	return t, err
}

func (t target) adminDocument(v rotation.Value) (rotation.Document, error) {
	doc, err := rotation.ParseDocument(v)
	if err != nil {
		return rotation.Document{}, fmt.Errorf("%s: %w", theAdministrators, err)
	}
	// Whoever may write this secret must not have any other secret sent to a vendor.
	switch name, err := text(doc, theAdministrators, providerKey); {
	case err != nil:
		return rotation.Document{}, err
	case name != "" && name != t.name:
		return rotation.Document{}, badKey(theAdministrators, providerKey, fmt.Sprintf("is %q", clip(name)), fmt.Sprintf("%q, or absent", t.name))
	}
	return doc, nil
}

// both opens the current version, and reads the key of the pending one, which may
// differ in nothing but the key.
func (e *Engine) both(ctx context.Context, r rotation.Request) (target, Key, error) {
	current, err := e.open(ctx, r, r.Current, rotation.Current)
	if err != nil {
		return target{}, Key{}, err
	}
	pending, err := e.identify(r.Pending, rotation.Pending)
	if err != nil {
		return target{}, Key{}, err
	}
	if err := current.sameTarget(pending); err != nil {
		return target{}, Key{}, err
	}
	return current, pending.account.Current, pending.complete(pending.account.Current)
}

// sameTarget refuses a pending version that speaks of another account: whoever
// could write it would have this function send credentials where it should not.
func (t target) sameTarget(other target) error {
	differs := func(key string) error {
		return rotation.WithHint(fmt.Errorf("comparing %s with %s: the key %q differs: %w", other.label, t.label, key, rotation.ErrConfig),
			"Only the credential may differ. To move the secret to another account, change AWSCURRENT first, then rotate.")
	}
	for _, key := range []string{providerKey, adminKey, exclusiveKey} {
		a, _ := text(t.doc, t.label, key)
		b, _ := text(other.doc, other.label, key)
		if a != b {
			return differs(key)
		}
	}
	reader, ok := t.provider.(Reader)
	if !ok {
		return nil
	}
	settings, err := reader.ReadSettings(other.doc, t.adminDoc, t.admin != "")
	if err != nil {
		return fmt.Errorf("comparing %s with %s: %w", other.label, t.label, err)
	}
	for _, of := range []map[string]string{t.account.Settings, settings} {
		for _, key := range slices.Sorted(maps.Keys(of)) {
			if t.account.Settings[key] != settings[key] {
				return differs(key)
			}
		}
	}
	return nil
}

// key reads the credential of a document. Parts may be missing: at the very first
// rotation there may be none.
func (t target) key(doc rotation.Document, label string) (Key, error) {
	fields := slices.Clone(t.traits.Fields)
	if t.traits.ID != "" {
		fields = append(fields, t.traits.ID)
	}
	m, err := material(doc, label, nil, fields)
	return Key{ID: m.Text(t.traits.ID), Material: m}, err
}

// complete refuses a pending key that lacks a part.
func (t target) complete(k Key) error {
	for _, name := range t.traits.Fields {
		if k.Material.Text(name) == "" && !slices.Contains(t.traits.Public, name) {
			return badKey(t.label, name, "is missing", "part of the credential")
		}
	}
	return nil
}

// successor is the secret's value with another key.
func (t target) successor(k Key) (rotation.Value, error) {
	doc := t.doc
	names := slices.Clone(t.traits.Fields)
	if t.traits.ID != "" {
		names = append(names, t.traits.ID)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		v, there := k.Material[name]
		if !there && !doc.Has(name) {
			continue
		}
		var err error
		if doc, err = doc.Set(name, v.Reveal()); err != nil {
			return rotation.Value{}, err
		}
	}
	return doc.Value(), nil
}

// same tells whether two keys are one.
func (t target) same(a, b Key) bool {
	if a.ID != "" && b.ID != "" {
		return a.ID == b.ID
	}
	for _, name := range t.traits.Fields {
		if !slices.Contains(t.traits.Public, name) && !a.Material[name].Equal(b.Material[name]) {
			return false
		}
	}
	return len(a.Material) > 0 && len(b.Material) > 0
}

// material reads keys of a document.
func material(doc rotation.Document, label string, required, optional []string) (Material, error) {
	m := Material{}
	for i, name := range slices.Concat(required, optional) {
		v, err := text(doc, label, name)
		switch {
		case err != nil:
			return nil, err
		case v == "" && i < len(required):
			return nil, badKey(label, name, "is missing", "part of the credential that manages keys")
		case v != "":
			m[name] = rotation.TextValue(v)
		}
	}
	return m, nil
}

// text reads a JSON string, number or boolean; "" if it is absent or null.
func text(doc rotation.Document, label, key string) (string, error) {
	if !doc.Has(key) {
		return "", nil
	}
	raw, _ := doc.Raw(key)
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	if raw[0] == '{' || raw[0] == '[' {
		return "", badKey(label, key, "is an object or an array", "text")
	}
	return string(raw), nil
}

func badKey(label, key, wrong, expected string) error {
	return rotation.WithHint(fmt.Errorf("reading %s: the key %q %s: %w", label, key, wrong, rotation.ErrConfig),
		fmt.Sprintf("%q must be %s.", key, expected))
}

// clip keeps a hostile secret from filling the log.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
