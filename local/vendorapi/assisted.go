package vendorapi

import (
	"fmt"
	"net/http"
	"time"
)

// Vendors whose keys a person makes in a console.

var anthropic = &Vendor{
	Name: "anthropic",
	Documents: []Document{{
		URL: "https://platform.claude.com/docs/en/api/admin-api/apikeys/update-api-key", Read: "2026-11-23",
		Unverified: "that every key may list models",
	}},
	EndLag: 2 * time.Second,
	admin:  map[string]string{"adminKey": "anthropic-admin-key-0aa1"},
	id:     func(n int) string { return fmt.Sprintf("apikey_01anthr0p1c%06d", n) },
	secret: func(n int) string { return fmt.Sprintf("sk-ant-api03-an7hr%040x", n*7723) },
	errors: func(_ int, what string) any {
		return object{"type": "error", "error": object{"type": "authentication_error", "message": what}}
	},
	calls: []call{{
		name: "check", method: http.MethodGet, host: "api.anthropic.com", path: "/v1/models", auth: keyHeader("X-Api-Key", ""),
		headers: map[string]string{"Anthropic-Version": "2023-06-01"}, query: fields{"limit": may, "after_id": may, "before_id": may},
		do: func(*exchange) reply { return ok(object{"data": []object{}, "has_more": false}) },
	}, {
		name: "list", method: http.MethodGet, host: "api.anthropic.com", path: "/v1/organizations/api_keys", auth: anthropicAdmin,
		headers: map[string]string{"Anthropic-Version": "2023-06-01"},
		query:   fields{"limit": may, "after_id": may, "before_id": may, "status": one("active", "inactive", "archived", "expired"), "workspace_id": may},
		do: func(e *exchange) reply {
			rest := e.after(e.listed(), e.query.Get("after_id"))
			page := rest[:min(e.number("limit", 20), len(rest))]
			all := []object{}
			for _, k := range page {
				all = append(all, anthropicKey(k))
			}
			body := object{"data": all, "has_more": len(rest) > len(page), "first_id": nil, "last_id": nil}
			if len(page) > 0 {
				body["first_id"], body["last_id"] = page[0].ID, page[len(page)-1].ID
			}
			return ok(body)
		},
	}, {
		name: "revoke", method: http.MethodPost, host: "api.anthropic.com", path: "/v1/organizations/api_keys/{id}", auth: anthropicAdmin,
		headers: map[string]string{"Anthropic-Version": "2023-06-01"},
		json:    fields{"status": one("active", "inactive", "archived"), "name": may},
		do: func(e *exchange) reply {
			k := e.byID(e.parts["id"])
			if k == nil {
				return e.fail(http.StatusNotFound, "not found")
			}
			if e.text("status") != "active" {
				e.end(k)
			}
			return ok(anthropicKey(k))
		},
	}},
}

var anthropicAdmin = byHeaders(map[string]string{"X-Api-Key": "adminKey"})

func anthropicKey(k *Key) object {
	status := "active"
	if !k.Ended.IsZero() {
		status = "inactive"
	}
	return object{"type": "api_key", "id": k.ID, "name": k.Name, "status": status, "created_at": k.Created.Format(time.RFC3339), "partial_key_hint": "sk-ant-api03-…"}
}

var pagerDuty = &Vendor{
	Name: "pagerduty",
	Documents: []Document{{
		URL: "https://developer.pagerduty.com/docs/authentication", Read: "2026-11-23",
		Unverified: "that every key may list abilities",
	}},
	secret: func(n int) string { return fmt.Sprintf("p4g3rdu7y+%010d", n) },
	errors: func(status int, what string) any { return object{"error": object{"message": what, "code": status}} },
	calls: []call{{
		name: "check", method: http.MethodGet, host: "api.pagerduty.com", path: "/abilities", auth: keyHeader("Authorization", "Token token="),
		do: func(e *exchange) reply {
			if e.r.Header.Get("Accept") != "application/vnd.pagerduty+json;version=2" {
				return e.undocumented("the header Accept does not name version 2")
			}
			return ok(object{"abilities": []string{"sso"}})
		},
	}},
}

const npmHost = "npm.example.com"

var npm = &Vendor{
	Name:  "npm",
	place: map[string]string{"host": npmHost},
	Documents: []Document{{
		URL: "https://docs.npmjs.com/about-access-tokens", Read: "2026-11-23",
		Unverified: "the paths, which are those of npm's own client",
	}},
	EndLag: 2 * time.Second,
	secret: func(n int) string { return fmt.Sprintf("npm_n0d3%032x", n*7717) },
	calls: []call{{
		name: "check", method: http.MethodGet, host: npmHost, path: "/-/whoami", auth: keyHeader("Authorization", "Bearer "),
		do: func(*exchange) reply { return ok(object{"username": "app"}) },
	}, {
		name: "revoke", method: http.MethodDelete, host: npmHost, path: "/-/npm/v1/tokens/token/{token}", auth: keyHeader("Authorization", "Bearer "),
		do: func(e *exchange) reply {
			k := e.bySecret(e.parts["token"])
			if k == nil || !e.alive(k) {
				return e.fail(http.StatusNotFound, "not found")
			}
			e.end(k)
			return ok(nil)
		},
	}},
}
