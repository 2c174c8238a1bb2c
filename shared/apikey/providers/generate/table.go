package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
)

const tableHead = `# Vendors

<!-- Written by go generate from shared/apikey/providers. -->

Keys of [IAM users](engines/iam-keys.md) and [secrets that no vendor issues](engines/generated.md)
have pages of their own. Every other provider is a file in [` + "`shared/apikey/providers`" + `](../shared/apikey/providers);
[adding one](adding-a-provider.md) takes twenty lines. Its class says what becomes of the old key:

- **dual**: several keys live at once. The old one is ended after the grace period.
- **grace**: the vendor ends the old one after a set time.
- **replace**: the new one ends the old one at once; consumers fail until they fetch it.
- **refresh**: a refresh token is used up for new tokens; it is never used twice.
- **assisted**: no API makes keys. A person does, and hands it over with ` + "`rekey submit`" + `.

*Orphans* are keys that were issued and not stored, because an answer was lost: how they
are found. *Idle* says whether the vendor tells when a key was last used, so that the old
one is ended only when nobody uses it. *Unverified* are requests written from background
knowledge, not from the vendor's documents: try them with ` + "`rekey provider test`" + ` first.

Every provider meets every fault at every call in [the crash matrix](vendors-crash-matrix.md).

| Provider | Keys | Class | Live keys | Takes effect | Orphans | Idle | Unverified |
|---|---|---|---|---|---|---|---|
`

// table is docs/vendors.md.
func table(files map[string]declarative.File) string {
	var b strings.Builder
	b.WriteString(tableHead)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		limit := "no limit known"
		if f.Limit > 0 {
			limit = fmt.Sprintf("%d at most", f.Limit)
		}
		idle := "not told"
		if f.List != nil && f.List.LastUsed != "" {
			idle = "told"
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s | %s | %s | %s |\n", name, name, f.Title, f.Class, limit, effect(f), orphans(f), idle,
			cmp.Or(strings.Join(unverified(f), ", "), "none"))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		section(&b, files[name])
	}
	return b.String()
}

func effect(f declarative.File) string {
	if f.Lag == "" {
		return "at once"
	}
	return "within " + string(f.Lag)
}

// orphans is how a key that was issued and not stored is found.
func orphans(f declarative.File) string {
	switch {
	case f.Class == apikey.Assisted:
		return "a person has it"
	case len(f.Choose) > 0:
		return "none: the value is ours"
	case f.Issue.Idempotency != "":
		return "none: the same order is the same key"
	case f.Once:
		return "the old one is not used again"
	case f.List != nil && f.List.Name != "":
		return "by name"
	case f.List != nil:
		return "by exclusion"
	case f.Lifetime != "":
		return "end by themselves in " + string(f.Lifetime)
	}
	return "at most one, by hand"
}

// unverified are the requests that no document was read for.
func unverified(f declarative.File) []string {
	var found []string
	add := func(name string, r *declarative.Request) {
		if r != nil && r.Verified == "no" {
			found = append(found, name)
		}
	}
	add("issue", f.Issue)
	add("install", f.Install)
	add("check", f.Check)
	add("unused", f.Unused)
	if f.List != nil {
		add("list", &f.List.Request)
	}
	for name, requests := range map[string][]declarative.Request{"before": f.Before, "revoke": f.Revoke, "retire": f.Retire} {
		for i := range requests {
			add(name, &requests[i])
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func section(b *strings.Builder, f declarative.File) {
	fmt.Fprintf(b, "\n## %s\n\n%s.", f.Provider, f.Title)
	for _, note := range f.Notes {
		fmt.Fprintf(b, " %s", strings.TrimSuffix(note, ".")+".")
	}
	b.WriteString("\n\n| The secret's keys | |\n|---|---|\n")
	row := func(name, about string) { fmt.Fprintf(b, "| `%s` | %s |\n", name, cell(about)) }
	if f.Key.ID != "" {
		row(f.Key.ID, "the key's id at the vendor; changes with it")
	}
	for _, name := range f.Key.Secret {
		if name != f.Key.ID {
			row(name, "secret; changes with the rotation")
		}
	}
	for _, name := range f.Key.Public {
		row(name, "changes with the key")
	}
	for _, name := range slices.Sorted(maps.Keys(f.Settings)) {
		row(name, setting(f.Settings[name]))
	}
	if f.List != nil && f.List.Name == "" && f.Class != apikey.Assisted {
		row("exclusive", "`true`: nobody else makes keys there; only then are keys ended that no version holds")
	}
	if len(f.Admin.Fields) > 0 {
		row("adminSecretArn", administrator(f.Admin))
	}
	var sources []string
	for _, d := range f.Documents {
		sources = append(sources, fmt.Sprintf("[%s](%s) (%s)", cmp.Or(d.Title, source(d.URL)), d.URL, d.Read))
	}
	fmt.Fprintf(b, "\nFrom %s.\n", strings.Join(sources, ", "))
}

func setting(s declarative.Setting) string {
	about := cmp.Or(s.About, "setting")
	switch {
	case s.Default != nil:
		about += fmt.Sprintf("; `%s` if absent", *s.Default)
	case s.Optional:
		about += "; may be absent"
	}
	if len(s.OneOf) > 0 {
		about += "; one of " + strings.Join(s.OneOf, ", ")
	}
	return about
}

func administrator(a declarative.Admin) string {
	about := "the secret of the administrator, with `" + strings.Join(a.Fields, "`, `") + "`"
	if a.Self {
		about += "; without it the key manages itself"
	}
	return about
}

func source(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// cell keeps text inside one cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
