package apikey_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

const withSettings = `
provider: test
title: Test
class: dual
documents: [{url: https://example.com, read: 2026-11-23}]
settings:
  host: {default: api.vendor.example, host: true}
  project: {optional: true}
key: {id: id, secret: [secret]}
admin: {fields: [token], self: false}
base: https://${.settings.host}
auth: {bearer: "${.admin.token}"}
issue: {method: POST, path: /keys, json: {project: "${.settings.project}"}, result: {id: .id, secret: .secret}}
check: {method: GET, path: /me, auth: {bearer: "${.key.secret}"}}
list: {method: GET, path: /keys, items: .keys, id: .id}
revoke: [{method: DELETE, path: "/keys/${.id}"}]
`

// nobody fails the test if anything is sent.
type nobody struct{ t *testing.T }

func (n nobody) Do(_ context.Context, r *http.Request) (outbound.Answer, error) {
	n.t.Errorf("something was sent to %s", r.URL)
	return outbound.Answer{}, rotation.ErrUnreachable
}

// A secret cannot have the administrator's credential sent anywhere but where the
// administrator's secret says, and a pending version cannot change a setting.
func TestWhereCredentialsGo(t *testing.T) {
	t.Parallel()
	const admin = `{"token": "admin-token", "provider": "test"}`
	secret := func(more string) string {
		return `{"provider": "test", "adminSecretArn": "admin", "id": "1", "secret": "s-1"` + more + `}`
	}
	for name, c := range map[string]struct{ current, pending, admin, says string }{
		"another host":                     {secret(`, "host": "evil.example"`), "", admin, "decides which host"},
		"another host than the admin's":    {secret(`, "host": "api.vendor.example"`), "", `{"token": "admin-token", "host": "b.example"}`, "decides which host"},
		"an admin of another provider":     {secret(""), "", `{"token": "admin-token", "provider": "other"}`, `"provider" is "other"`},
		"an admin without credential":      {secret(""), "", `{"user": "x"}`, `"token" is missing`},
		"no admin":                         {`{"provider": "test", "id": "1", "secret": "s"}`, "", admin, `"adminSecretArn" is missing`},
		"an admin that is not there":       {strings.Replace(secret(""), `"admin"`, `"other"`, 1), "", admin, "administrator's secret"},
		"a pending version's host":         {secret(""), secret(`, "host": "evil.example"`), admin, `"host"`},
		"a pending version's own setting":  {secret(""), secret(`, "project": "p"`), admin, `"project" differs`},
		"a pending version that lacks one": {secret(`, "project": "p"`), secret(""), admin, `"project" differs`},
		"a setting of another type":        {secret(`, "project": ["p"]`), "", admin, "array"},
	} {
		files := fstest.MapFS{"test.yaml": {Data: []byte(withSettings)}}
		store := rotationtest.NewStore(t, rotation.TextValue(c.current))
		store.Others = map[string]rotation.Value{"admin": rotation.TextValue(c.admin)}
		m := &rotation.Machine{Store: store, Engine: &apikey.Engine{Providers: declarative.NewDirectory(declarative.Config{Client: nobody{t}}, files)}}
		r, step := store.Begin(), rotation.CreateSecret
		if c.pending != "" {
			store.Plant(r.Token, rotation.TextValue(c.pending), rotation.Pending)
			step = rotation.SetSecret
		}
		err := rotationtest.RunStep(t.Context(), m, r, step)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "admin-token") {
			t.Errorf("%s: %v", name, err)
		}
		if !errors.Is(err, rotation.ErrConfig) && !errors.Is(err, rotation.ErrNotFound) {
			t.Errorf("%s: kind %s", name, rotation.KindName(err))
		}
	}
}
