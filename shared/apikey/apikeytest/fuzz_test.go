package apikeytest

import (
	"context"
	"net/http"
	"testing"

	"github.com/rekey-aws/rekey/local/vendorapi"
	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// answers is a vendor that says the same to everything.
type answers struct {
	status int
	body   []byte
}

func (a *answers) Do(context.Context, *http.Request) (outbound.Answer, error) {
	return outbound.Answer{Status: a.status, Header: http.Header{}, Body: a.body}, nil
}

// Whatever a vendor answers: no provider panics, none takes for a key what lacks a part,
// and every error has a kind.
func FuzzAnswers(f *testing.F) {
	for i, body := range []string{
		"", "{}", "[]", "null", "{", `{"ok":true}`, `{"data":{"id":1}}`, `{"data":[{"id":null}],"has_more":true}`, `[{"id":"1","created":"x"}]`,
		`{"keys":[{"name":7}]}`, `{"result":{"id":"1","value":""},"success":true}`, `{"id":"1","api_key":"k","api_key_id":"1","token":"t"}`, "<html>",
	} {
		for n := range Cases {
			f.Add(n, []int{200, 201, 204, 400, 401, 429, 500}[(n+i)%7], []byte(body))
		}
	}
	type speaker struct {
		*declarative.Provider
		vendor  *answers
		account apikey.Account
	}
	var all []speaker
	clock := NewClock()
	for _, c := range Cases {
		content, err := providers.Files.ReadFile(c.Provider + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		vendor := &answers{}
		p, err := declarative.New(c.Provider, content, declarative.Config{Client: vendor, Now: clock.Now, Sleep: clock.Sleep})
		if err != nil {
			f.Fatal(err)
		}
		a := vendorapi.Vendors()[c.Provider].Open(clock.Now)
		conv := &conversation{Case: c, clock: clock, vendor: a, provider: p}
		all = append(all, speaker{p, vendor, conv.accountOf(f, a.Mint("a key"))})
	}
	f.Fuzz(func(t *testing.T, n, status int, body []byte) {
		s := all[uint(n)%uint(len(all))]
		*s.vendor = answers{status, body}
		kind := func(err error) {
			if err != nil && rotation.KindName(err) == "internal" {
				t.Errorf("%s: an error without a kind: %v", s.File().Provider, err)
			}
		}
		traits := s.Traits()
		if traits.Class != apikey.Assisted {
			made, err := s.Issue(t.Context(), s.account, apikey.Order{Name: "name", Idempotency: "order"})
			kind(err)
			for _, field := range traits.Fields {
				if err == nil && made.Material.Text(field) == "" && len(traits.Public) == 0 {
					t.Errorf("%s: a key without %s", s.File().Provider, field)
				}
			}
		}
		kind(s.Check(t.Context(), s.account, s.account.Current))
		if traits.Lists {
			_, err := s.List(t.Context(), s.account)
			kind(err)
		}
		if traits.Revokes {
			kind(s.Revoke(t.Context(), s.account, s.account.Current))
		}
	})
}
