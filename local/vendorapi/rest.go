package vendorapi

import (
	"net/http"
	"time"
)

const restHost = "api.example.com"

// An API of the kind that many have, for providers that take every path from the
// secret's settings: not a vendor's.
var restVendor = &Vendor{
	Name:      "rest",
	place:     map[string]string{"host": restHost},
	Documents: []Document{{URL: "https://www.rfc-editor.org/rfc/rfc9110", Read: "2026-11-23", Unverified: "the API is an example"}},
	Limit:     20,
	Lag:       2 * time.Second, EndLag: 2 * time.Second,
	admin: map[string]string{"token": "rest-admin-token-7e60"},
	calls: []call{{
		name: "create", method: http.MethodPost, host: restHost, path: "/v1/keys", auth: adminBearer("token"),
		json: fields{"name": needed},
		do: func(e *exchange) reply {
			k := e.mint(e.text("name"))
			if k == nil {
				return e.fail(http.StatusConflict, "too many keys")
			}
			return created(object{"id": k.ID, "name": k.Name, "key": k.Secret})
		},
	}, {
		name: "list", method: http.MethodGet, host: restHost, path: "/v1/keys", auth: adminBearer("token"),
		do: func(e *exchange) reply {
			all := []object{}
			for _, k := range e.listed() {
				all = append(all, object{"id": k.ID, "name": k.Name, "created_at": k.Created.Format(time.RFC3339)})
			}
			return ok(object{"keys": all})
		},
	}, {
		name: "revoke", method: http.MethodDelete, host: restHost, path: "/v1/keys/{id}", auth: adminBearer("token"),
		do: endKey("id", ok(nil)),
	}, {
		name: "check", method: http.MethodGet, host: restHost, path: "/v1/me", auth: keyHeader("Authorization", "Bearer "),
		do: func(*exchange) reply { return ok(object{"name": "app"}) },
	}},
}
