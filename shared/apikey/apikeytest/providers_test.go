package apikeytest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/vendorapi"
	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// direct is a way to the vendor on which nothing is lost.
type direct struct{ *vendorapi.Account }

func (d direct) Do(_ context.Context, r *http.Request) (outbound.Answer, error) {
	response, err := d.RoundTrip(r)
	if err != nil {
		return outbound.Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return outbound.Answer{Status: response.StatusCode, Header: response.Header, Body: body}, err
}

// conversation is a provider and its vendor.
type conversation struct {
	*testing.T
	Case
	clock    *Clock
	vendor   *vendorapi.Account
	provider *declarative.Provider
}

func converse(t *testing.T, c Case) *conversation {
	clock := NewClock()
	vendor := vendorapi.Vendors()[c.Provider].Open(clock.Now)
	content, err := providers.Files.ReadFile(c.Provider + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := declarative.New(c.Provider+".yaml", content, declarative.Config{Client: direct{vendor}, Now: clock.Now, Sleep: clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	return &conversation{T: t, Case: c, clock: clock, vendor: vendor, provider: p}
}

// account reads the secrets as the engine does.
func (c *conversation) account(k vendorapi.Key) apikey.Account {
	c.Helper()
	return c.accountOf(c.T, k)
}

func (c *conversation) accountOf(t testing.TB, k vendorapi.Key) apikey.Account {
	t.Helper()
	read := func(v rotation.Value) rotation.Document {
		if v.Len() == 0 {
			v = rotation.TextValue("{}")
		}
		d, err := rotation.ParseDocument(v)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	settings, err := c.provider.ReadSettings(read(c.Document(c.vendor, k)), read(c.AdminDocument(c.vendor)), c.Admin != nil)
	if err != nil {
		t.Fatal(err)
	}
	admin := material(c.Key(k))
	if c.Admin != nil {
		admin = material(c.Admin(c.vendor))
	}
	return apikey.Account{Settings: settings, Admin: admin, Current: c.key(k)}
}

func material(m members) apikey.Material {
	out := apikey.Material{}
	for name, v := range m {
		out[name] = rotation.TextValue(v)
	}
	return out
}

func (c *conversation) key(k vendorapi.Key) apikey.Key {
	m := material(c.Key(k))
	return apikey.Key{ID: m.Text(c.provider.Traits().ID), Material: m}
}

// Every provider's file is held against its vendor's documents: each request is made
// once, and the vendor must know it.
func TestProvidersSpeakAsTheirVendorsDocumentsSay(t *testing.T) {
	t.Parallel()
	for _, tt := range Cases {
		t.Run(tt.Provider, func(t *testing.T) {
			t.Parallel()
			c := converse(t, tt)
			old := c.vendor.Mint("made by a person")
			a := c.account(old)
			if err := c.provider.Check(t.Context(), a, a.Current); err != nil {
				t.Errorf("checking the key that is there: %v", err)
			}
			if c.provider.Traits().Class != apikey.Assisted {
				c.issues(a, old)
			}
			c.lists(a)
			c.revokes(a)
			if wrong := c.vendor.Undocumented(); wrong != nil {
				t.Errorf("no document has %q", wrong)
			}
		})
	}
}

func (c *conversation) issues(a apikey.Account, old vendorapi.Key) {
	c.Helper()
	if probe := c.provider; probe.Probes() {
		if unused, err := probe.Unused(c.Context(), a); err != nil || !unused {
			c.Errorf("before issuing: unused %t, %v", unused, err)
		}
	}
	k, err := c.provider.Issue(c.Context(), a, apikey.Order{Name: "rekey-0123456789abcdef0123456789abcdef01234567", Idempotency: "0123456789abcdef0123456789abcdef"})
	if err != nil {
		c.Fatalf("issuing: %v", err)
	}
	if c.provider.Traits().Chosen {
		if err := c.provider.Install(c.Context(), a, k); err != nil {
			c.Fatalf("installing: %v", err)
		}
	}
	began := c.clock.Now()
	if err := c.provider.Check(c.Context(), a, k); err != nil {
		c.Errorf("checking the new key: %v", err)
	}
	if waited := c.clock.Now().Sub(began); waited < c.vendor.Lag {
		c.Errorf("a key that the vendor does not know yet was taken for good after %v", waited)
	}
	live := c.vendor.Live()
	if got := live[len(live)-1].Secret; got != c.secretOf(c.Document(c.vendor, live[len(live)-1])) || !c.vendor.Works(got) {
		c.Error("the key that was issued is not the vendor's newest")
	}
	c.refuses(a, k)
	if c.provider.Probes() {
		if unused, err := c.provider.Unused(c.Context(), a); err != nil || unused {
			c.Errorf("after issuing: unused %t, %v", unused, err)
		}
	}
	if replaces := c.provider.Traits().Class == apikey.Replace; c.vendor.Works(old.Secret) == replaces {
		c.Errorf("class %s, and the old key works: %t", c.provider.Traits().Class, !replaces)
	}
}

// refuses holds the check to what it is for: a key that is wrong is refused.
func (c *conversation) refuses(a apikey.Account, k apikey.Key) {
	c.Helper()
	wrong := apikey.Key{ID: k.ID, Material: apikey.Material{}}
	for name, v := range k.Material {
		wrong.Material[name] = v
		if name != c.provider.Traits().ID && c.Provider != "gcp-service-account" {
			wrong.Material[name] = rotation.TextValue("made-up-" + v.Reveal())
		}
	}
	if c.Provider == "gcp-service-account" { // a made-up private key cannot sign
		wrong.ID = "made-up"
	}
	if err := c.provider.Check(c.Context(), a, wrong); rotation.KindName(err) != "refused" {
		c.Errorf("a made-up key is not refused: %v", err)
	}
}

func (c *conversation) lists(a apikey.Account) {
	c.Helper()
	if !c.provider.Traits().Lists {
		return
	}
	c.clock.Advance(time.Hour)
	keys, err := c.provider.List(c.Context(), a)
	if err != nil {
		c.Errorf("listing: %v", err)
		return
	}
	if live := c.vendor.Live(); len(keys) != len(live) {
		c.Errorf("%d keys are listed of %d", len(keys), len(live))
	}
	for i, k := range keys {
		want := c.vendor.Live()[i]
		if k.ID != want.ID || k.Inactive || c.provider.Traits().Named && k.Name != want.Name {
			c.Errorf("listed %+v, the vendor has %s %q", k, want.ID, want.Name)
		}
		if c.provider.Traits().LastUsed && !k.LastUsed.Equal(want.LastUsed.Truncate(time.Second)) {
			c.Errorf("last used %v, the vendor has %v", k.LastUsed, want.LastUsed)
		}
	}
}

func (c *conversation) revokes(a apikey.Account) {
	c.Helper()
	if !c.provider.Traits().Revokes {
		return
	}
	live := c.vendor.Live()
	last := live[len(live)-1]
	for try := 1; try <= 2; try++ {
		if err := c.provider.Revoke(c.Context(), a, c.key(last)); err != nil {
			c.Errorf("revoking, try %d: %v", try, err)
		}
	}
	c.clock.Advance(10 * time.Minute)
	if c.vendor.Works(last.Secret) || len(c.vendor.Live()) != len(live)-1 {
		c.Errorf("a key that was revoked lives")
	}
}

// What a file says of its vendor beside the requests is what the vendor's documents say.
func TestProvidersAgreeWithTheFacts(t *testing.T) {
	t.Parallel()
	for _, tt := range Cases {
		c := converse(t, tt)
		file, facts := c.provider.File(), c.vendor.Vendor
		named := map[string]string{}
		for _, d := range file.Documents {
			named[d.URL] = d.Read
		}
		for _, d := range facts.Documents {
			if named[d.URL] != d.Read {
				t.Errorf("%s: the vendor's table is from %s, read on %s; the file says %q", tt.Provider, d.URL, d.Read, named[d.URL])
			}
		}
		known := !slices.ContainsFunc(facts.Documents, func(d vendorapi.Document) bool { return d.Unverified != "" })
		if unverified(file) && known {
			t.Errorf("%s: the file has requests that no document was read for; the vendor's table does not say what it assumes", tt.Provider)
		}
		if few := facts.Limit > 0 && facts.Limit <= 10; file.Limit > facts.Limit || few && file.Limit != facts.Limit && file.List != nil {
			t.Errorf("%s: the limit is %d, the documents say %d", tt.Provider, file.Limit, facts.Limit)
		}
		if lag, err := time.ParseDuration(string(file.Lag)); facts.Lag > 0 && (err != nil || lag < facts.Lag) {
			t.Errorf("%s: a new key takes %v to work, and the file waits %q", tt.Provider, facts.Lag, file.Lag)
		}
	}
}

// unverified tells a file with a request that no document was read for.
func unverified(f declarative.File) bool {
	all := slices.Concat(f.Before, f.Revoke, f.Retire)
	for _, r := range []*declarative.Request{f.Issue, f.Install, f.Check, f.Unused} {
		if r != nil {
			all = append(all, *r)
		}
	}
	if f.List != nil {
		all = append(all, f.List.Request)
	}
	return slices.ContainsFunc(all, func(r declarative.Request) bool { return r.Verified == "no" })
}

// Every page of a list is read.
func TestListsAreReadToTheEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range Cases {
		t.Run(tt.Provider, func(t *testing.T) {
			t.Parallel()
			c := converse(t, tt)
			old := c.vendor.Mint("the first")
			if !c.provider.Traits().Lists || c.vendor.Limit > 0 && c.vendor.Limit < 100 && tt.Provider != "datadog" {
				return
			}
			many := 230
			if c.vendor.Limit > 0 {
				many = min(many, c.vendor.Limit)
			}
			for len(c.vendor.Live()) < many {
				c.vendor.Mint("one of many")
			}
			c.lists(c.account(old))
			if wrong := c.vendor.Undocumented(); wrong != nil {
				t.Errorf("no document has %q", wrong)
			}
		})
	}
}

// At the limit a file tells that it is the limit.
func TestTheLimitIsToldApart(t *testing.T) {
	t.Parallel()
	for _, tt := range Cases {
		t.Run(tt.Provider, func(t *testing.T) {
			t.Parallel()
			c := converse(t, tt)
			if c.vendor.Limit == 0 || tt.Provider == "datadog" { // whose words are not published
				return
			}
			old := c.vendor.Mint("the first")
			for len(c.vendor.Live()) < c.vendor.Limit {
				c.vendor.Mint("one of many")
			}
			_, err := c.provider.Issue(t.Context(), c.account(old), apikey.Order{Name: "one too many"})
			if !errors.Is(err, apikey.ErrLimit) {
				t.Errorf("got %v", err)
			}
		})
	}
}
