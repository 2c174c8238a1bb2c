package declarative

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// AdminFields implements [apikey.Reader].
func (p *Provider) AdminFields() (required, optional []string, itself bool) {
	a := p.program.file.Admin
	return a.Fields, a.Optional, a.Self
}

// ReadSettings implements [apikey.Reader]. What decides the host is read from the
// administrator's secret where there is one, so that a person who may write the
// secret and not read the administrator's cannot have that sent elsewhere.
func (p *Provider) ReadSettings(secret, admin rotation.Document, administered bool) (map[string]string, error) {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(p.program.file.Settings)) {
		s := p.program.file.Settings[name]
		where, doc := "the secret", secret
		if s.Host && administered {
			where, doc = "the administrator's secret", admin
		}
		value, there, err := scalar(doc, where, name)
		if err != nil {
			return nil, err
		}
		if own, is, err := scalar(secret, "the secret", name); s.Host && administered && is {
			switch {
			case err != nil:
				return nil, err
			case !there && (s.Default == nil || own != *s.Default), there && own != value:
				return nil, badSetting("the secret", name, "is not what the administrator's secret says, and decides which host gets the administrator's credential",
					fmt.Sprintf("Put %q into the administrator's secret, with the same value.", name))
			}
		}
		switch {
		case !there && s.Default != nil:
			value = *s.Default
		case !there && s.Optional:
			continue
		case !there:
			return nil, badSetting(where, name, "is missing", fmt.Sprintf("Add %q%s.", name, aside(s.About)))
		}
		if why := s.refuses(value, p.program.patterns[name]); why != "" {
			return nil, badSetting(where, name, fmt.Sprintf("is %q", clip(value)), fmt.Sprintf("%q %s.", name, why))
		}
		out[name] = value
	}
	return out, nil
}

// scalar reads a JSON string, number or boolean as text; null counts as absent.
func scalar(doc rotation.Document, where, name string) (value string, there bool, err error) {
	if !doc.Has(name) {
		return "", false, nil
	}
	raw, _ := doc.Raw(name)
	if json.Unmarshal(raw, &value) == nil {
		return value, value != "", nil
	}
	if strings.ContainsAny(string(raw[0]), "{[") {
		return "", false, badSetting(where, name, "is an object or an array", fmt.Sprintf("%q must be text.", name))
	}
	return string(raw), true, nil
}

func badSetting(where, name, wrong, remedy string) error {
	return rotation.WithHint(fmt.Errorf("reading %s: the key %q %s: %w", where, name, wrong, rotation.ErrConfig), remedy)
}

func aside(about string) string {
	if about == "" {
		return ""
	}
	return ", " + about
}

func clip(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
