package vendorapi

import (
	"fmt"
	"net/http"
	"time"
)

var fastly = &Vendor{
	Name: "fastly",
	Documents: []Document{{
		URL: "https://www.fastly.com/documentation/reference/api/auth-tokens/automation/", Read: "2026-11-23",
		Unverified: "that POST /sudo takes JSON and lasts five minutes; the limit of 100 tokens of a customer",
	}, {
		URL: "https://github.com/fastly/fastly-go/blob/main/docs/AutomationTokensAPI.md", Read: "2026-11-23",
	}},
	Limit: 100,
	Lag:   2 * time.Second, EndLag: 2 * time.Second,
	admin:  map[string]string{"token": "fastly-superuser-token-5bd0", "username": "robot@example.com", "password": "fastly-superuser-password-20cc"},
	id:     func(n int) string { return fmt.Sprintf("3krg2uUGZzb2W9%08d", n) },
	secret: func(n int) string { return fmt.Sprintf("fa57ly%026x", n*7829) },
	errors: func(_ int, what string) any { return object{"msg": what} },
	calls: []call{{
		name: "sudo", method: http.MethodPost, host: "api.fastly.com", path: "/sudo", auth: fastlyAdmin,
		json: fields{"username": needed, "password": needed},
		do: func(e *exchange) reply {
			if e.text("username") != e.admin["username"] || e.text("password") != e.admin["password"] {
				return e.fail(http.StatusUnauthorized, "invalid password")
			}
			e.tokens["sudo"] = &Token{Client: "admin", Expires: e.clock().Add(5 * time.Minute)}
			return ok(object{"expiry_time": e.tokens["sudo"].Expires.Format(time.RFC3339)})
		},
	}, {
		name: "create", method: http.MethodPost, host: "api.fastly.com", path: "/automation-tokens", auth: fastlyAdmin,
		json: fields{
			"attributes.name": needed, "attributes.role": one("billing", "engineer", "user"), "attributes.services": may,
			"attributes.scope": may, "attributes.expires_at": may, "attributes.tls_access": may,
		},
		do: func(e *exchange) reply {
			if sudo := e.tokens["sudo"]; sudo == nil || !e.clock().Before(sudo.Expires) {
				return e.fail(http.StatusForbidden, "sudo mode is required")
			}
			k := e.mint(e.text("attributes.name"))
			if k == nil {
				return e.fail(http.StatusBadRequest, "maximum number of tokens reached")
			}
			made := fastlyToken(k)
			made["access_token"] = k.Secret
			return ok(made)
		},
	}, {
		name: "list", method: http.MethodGet, host: "api.fastly.com", path: "/automation-tokens", auth: fastlyAdmin,
		query: fields{"per_page": may, "page": may},
		do: func(e *exchange) reply {
			all := []object{}
			for _, k := range e.page(e.listed(), min(e.number("per_page", 20), 100), e.number("page", 1)-1) {
				all = append(all, fastlyToken(k))
			}
			return ok(all)
		},
	}, {
		name: "revoke", method: http.MethodDelete, host: "api.fastly.com", path: "/automation-tokens/{id}", auth: fastlyAdmin,
		do: endKey("id", ok(nil)),
	}, {
		name: "check", method: http.MethodGet, host: "api.fastly.com", path: "/tokens/self", auth: keyHeader("Fastly-Key", ""),
		do: func(e *exchange) reply { return ok(fastlyToken(e.key)) },
	}},
}

var fastlyAdmin = byHeaders(map[string]string{"Fastly-Key": "token"})

func fastlyToken(k *Key) object {
	token := object{"id": k.ID, "name": k.Name, "role": "engineer", "scope": "global", "created_at": k.Created.Format(time.RFC3339), "last_used_at": nil}
	if !k.LastUsed.IsZero() {
		token["last_used_at"] = k.LastUsed.Format(time.RFC3339)
	}
	return token
}
