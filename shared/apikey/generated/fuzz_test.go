package generated_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/generated"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Whatever stands in a version, it is judged without a panic, and nothing of it is told.
func FuzzCheck(f *testing.F) {
	all := generated.Providers(generated.Config{})
	for name, p := range all {
		k, err := p.Issue(f.Context(), apikey.Account{Settings: map[string]string{"length": "43", "dnsNames": "a.example.com", "days": "1"}}, apikey.Order{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, k.Material.Text("privateKey"), k.Material.Text("publicKey"), k.Material.Text("certificate"), k.Material.Text("jwks"), k.ID)
	}
	f.Fuzz(func(t *testing.T, name, private, public, certificate, jwks, id string) {
		p, ok := all[name]
		if !ok {
			return
		}
		k := apikey.Key{ID: id, Material: apikey.Material{
			"value": rotation.TextValue(private), "privateKey": rotation.TextValue(private), "nextPrivateKey": rotation.TextValue(private),
			"publicKey": rotation.TextValue(public), "certificate": rotation.TextValue(certificate), "jwks": rotation.TextValue(jwks), "keyId": rotation.TextValue(id),
		}}
		err := p.Check(t.Context(), apikey.Account{}, k)
		if err == nil {
			return
		}
		if !errors.Is(err, rotation.ErrConfig) || len(private) > 16 && strings.Contains(err.Error(), private) {
			t.Errorf("%s: %v", name, err)
		}
	})
}
