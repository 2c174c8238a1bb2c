package config

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/generated"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// ours are the providers that come with rekey. They are the program's own: a defect of one is found by
// their tests.
var ours = sync.OnceValue(func() map[string]declarative.File {
	files, err := declarative.Files(providers.Files)
	if err != nil {
		panic(err)
	}
	files["aws-iam"] = accessKeys
	return files
})

// accessKeys is the provider that is no file: access keys of IAM users, whom the function's
// own role manages. See shared/apikey/iamkey.
var accessKeys = declarative.File{
	Provider: "aws-iam", Class: apikey.Dual,
	Settings: map[string]declarative.Setting{"userName": {About: "the IAM user, without path", Pattern: `[A-Za-z0-9+=,.@_-]{1,64}`}},
	Key:      declarative.KeyShape{ID: "accessKeyId", Secret: []string{"secretAccessKey"}},
}

// readVendors adds the deployment's own providers; one of the same name replaces ours.
func (c *checker) readVendors(dir string) {
	c.vendors = ours()
	if c.Providers == "" {
		return
	}
	at := path{"providers"}
	folder := os.DirFS(filepath.Join(dir, filepath.FromSlash(string(c.Providers))))
	own, err := declarative.Files(folder)
	switch {
	case err != nil:
		for line := range strings.Lines(err.Error()) { // file:line: what is wrong
			c.wrong(at, "in its file "+strings.TrimSpace(line), "")
		}
	case len(own) == 0:
		c.wrong(at, "there is no such folder, or no file *.yaml in it", "put the providers' files there, or remove the key")
	}
	c.vendors, c.own = maps.Clone(c.vendors), map[string][]byte{}
	maps.Copy(c.vendors, own)
	for name := range own {
		if c.own[name+".yaml"], err = fs.ReadFile(folder, name+".yaml"); err != nil {
			c.wrong(at, "the file "+name+".yaml cannot be read", "")
		}
	}
}

// apiKey is checked against the provider's file.
func (c *checker) apiKey(at path, k *APIKey) {
	c.secretARN(at.to("admin"), k.Admin)
	c.arn(at.to("adminKey"), k.AdminKey, "kms", "key/", c.Regions.Primary)
	if k.AdminKey != "" && k.Admin == "" {
		c.wrong(at.to("adminKey"), "there is no secret that it could encrypt", "remove it, or add admin")
	}
	vendor, ok := c.vendors[k.Provider]
	switch {
	case k.Provider == "":
	case !ok:
		remedy := "docs/vendors.md has them all"
		if near := nearest(k.Provider, slices.Sorted(maps.Keys(c.vendors))); near != "" {
			remedy = fmt.Sprintf("did you mean %s? Else %s", near, remedy)
		}
		c.wrong(at.to("provider"), "there is no such provider", remedy)
	default:
		c.vendor(at, k, vendor)
	}
}

func (c *checker) vendor(at path, k *APIKey, vendor declarative.File) {
	needs := len(vendor.Admin.Fields) > 0 && !vendor.Admin.Self
	switch takes := len(vendor.Admin.Fields)+len(vendor.Admin.Optional) > 0; {
	case k.Admin == "" && needs:
		c.wrong(at, fmt.Sprintf("keys of %s are made with an administrator's credential", k.Provider),
			"add admin: with the ARN of a secret that has "+strings.Join(vendor.Admin.Fields, ", "))
	case k.Admin != "" && !takes:
		c.wrong(at.to("admin"), k.Provider+" knows no administrator", "remove it")
	}
	below := at.to("settings")
	for _, name := range slices.Sorted(maps.Keys(k.Options)) {
		s, ok := vendor.Settings[name]
		if name == exclusive {
			s, ok = declarative.Setting{OneOf: []string{"true", "false"}}, true
		}
		if !ok {
			c.wrong(below.to(name), fmt.Sprintf("%s has no such setting", k.Provider), allowedSettings(name, vendor))
			continue
		}
		c.setting(below.to(name), s, k.Options[name])
	}
	for _, name := range slices.Sorted(maps.Keys(vendor.Settings)) {
		s := vendor.Settings[name]
		// What decides the host is in the administrator's secret, where there is one.
		given := k.Options[name] != "" || s.Default != nil || s.Optional || s.Host && (k.Admin != "" || needs)
		if !given && !c.has(below.to(name)) {
			c.wrong(at, fmt.Sprintf("%s needs the setting %s", k.Provider, name), strings.TrimSpace("add it to settings: "+s.About))
		}
	}
}

// exclusive says, of every vendor, that nobody else makes keys in the account.
const exclusive = "exclusive"

func allowedSettings(name string, vendor declarative.File) string {
	return oneOf(name, append(slices.Sorted(maps.Keys(vendor.Settings)), exclusive))
}

// setting is checked as the function does it.
func (c *checker) setting(at path, s declarative.Setting, value string) {
	if len(s.OneOf) > 0 && !slices.Contains(s.OneOf, value) {
		c.wrong(at, "this value is not allowed", oneOf(value, s.OneOf))
	}
	if s.Pattern == "" {
		return
	}
	if form, err := regexp.Compile(`^(?:` + s.Pattern + `)$`); err == nil && !form.MatchString(value) {
		c.wrong(at, "this value is not allowed", strings.TrimSpace(fmt.Sprintf("it must match %s: %s", s.Pattern, s.About)))
	}
}

// What the types of generated secrets can be told, see docs/engines/generated.md; all of them
// of web hooks too.
var (
	generatedSettings = map[GeneratedType][]string{
		Text: {"format", "length", "prefix"}, KeyPair: {"algorithm"}, JWKS: {"algorithm"}, SSHKey: {"comment"},
		Certificate: {"algorithm", "commonName", "days", "dnsNames"},
	}
	hookSettings = []string{"checkUrl", "webhookUrl"}
)

// generated is checked as the function does it.
func (c *checker) generated(at path, r Resolved) {
	g := r.Generated
	c.secretARN(at.to("authority"), g.Authority)
	c.arn(at.to("authorityKey"), g.AuthorityKey, "kms", "key/", c.Regions.Primary)
	switch {
	case g.Authority != "" && g.Type != Certificate:
		c.wrong(at.to("authority"), "only certificates are signed", "remove it, or use type: certificate")
		return
	case g.AuthorityKey != "" && g.Authority == "":
		c.wrong(at.to("authorityKey"), "there is no secret that it could encrypt", "remove it, or add authority")
	}
	below := at.to("settings")
	allowed := slices.Concat(generatedSettings[g.Type], hookSettings)
	for _, name := range slices.Sorted(maps.Keys(g.Options)) {
		if g.Type != "" && !slices.Contains(allowed, name) {
			c.wrong(below.to(name), fmt.Sprintf("a %s has no such setting", g.Type), oneOf(name, allowed))
		}
	}
	reader, ok := generated.Providers(generated.Config{})["generated-"+string(g.Type)].(apikey.Reader)
	text, err := json.Marshal(r.Document())
	if !ok || err != nil {
		return // the type was refused
	}
	document, err := rotation.ParseDocument(rotation.TextValue(string(text)))
	if err == nil {
		_, err = reader.ReadSettings(document, rotation.Document{}, g.Authority != "")
	}
	if err != nil {
		c.wrong(below, "a setting is not one that it can be", strings.TrimSuffix(rotation.Hint(err), "."))
	}
}
