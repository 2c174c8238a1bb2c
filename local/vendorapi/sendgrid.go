package vendorapi

import (
	"fmt"
	"net/http"
	"time"
)

// A key that was deleted works on for "some small propagation delay".
var sendGrid = &Vendor{
	Name: "sendgrid",
	Documents: []Document{{
		URL: "https://www.twilio.com/docs/sendgrid/api-reference/api-keys/create-api-keys", Read: "2026-11-23",
		Unverified: "that GET /v3/scopes answers a key with any scope",
	}},
	Limit: 100,
	Lag:   2 * time.Second, EndLag: 5 * time.Second,
	admin:  map[string]string{"api_key": "sendgrid-admin-key-9be1"},
	id:     func(n int) string { return fmt.Sprintf("sgkeyidentifier%07d", n) },
	secret: func(n int) string { return fmt.Sprintf("SG.sgkeyidentifier%07d.%043x", n, n*104729) },
	errors: func(_ int, what string) any {
		return object{"errors": []object{{"field": nil, "message": what}}}
	},
	calls: []call{{
		name: "create", method: http.MethodPost, host: "api.sendgrid.com", path: "/v3/api_keys",
		auth: adminBearer("api_key"), also: []string{"On-Behalf-Of"},
		json: fields{"name": needed, "scopes": may},
		do: func(e *exchange) reply {
			k := e.mint(e.text("name"))
			if k == nil {
				return e.fail(http.StatusForbidden, "the limit of 100 API keys is reached")
			}
			return created(object{"api_key": k.Secret, "api_key_id": k.ID, "name": k.Name, "scopes": e.body["scopes"]})
		},
	}, {
		name: "list", method: http.MethodGet, host: "api.sendgrid.com", path: "/v3/api_keys",
		auth: adminBearer("api_key"), also: []string{"On-Behalf-Of"},
		query: fields{"limit": may},
		do: func(e *exchange) reply {
			all := []object{}
			for _, k := range e.listed() {
				all = append(all, object{"name": k.Name, "api_key_id": k.ID})
			}
			return ok(object{"result": all[:min(len(all), e.number("limit", len(all)))]})
		},
	}, {
		name: "revoke", method: http.MethodDelete, host: "api.sendgrid.com", path: "/v3/api_keys/{id}",
		auth: adminBearer("api_key"), also: []string{"On-Behalf-Of"},
		do: endKey("id", ok(nil)),
	}, {
		name: "check", method: http.MethodGet, host: "api.sendgrid.com", path: "/v3/scopes", auth: keyHeader("Authorization", "Bearer "),
		do: func(*exchange) reply { return ok(object{"scopes": []string{"mail.send"}}) },
	}},
}
