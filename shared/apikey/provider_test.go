package apikey_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// However it is printed, what holds a credential shows none.
func TestMaterialPrintsRedacted(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-of-the-test"
	k := apikey.Key{ID: "id", Material: apikey.Material{"apiKey": rotation.TextValue(secret)}}
	a := apikey.Account{Admin: k.Material, Current: k}
	var out strings.Builder
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", k, "account", a, "material", k.Material)
	for _, v := range []any{k, &k, a, &a, k.Material} {
		fmt.Fprintf(&out, "%v %+v %#v %s %q", v, v, v, v, v)
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	if strings.Contains(out.String(), secret) {
		t.Errorf("it leaks:\n%s", &out)
	}
}
