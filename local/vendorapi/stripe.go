package vendorapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The preview API for keys, in test mode, where the token comes in the clear; in live
// mode it comes encrypted for a public key (JWE).
var stripePreview = &Vendor{
	Name: "stripe-preview",
	Documents: []Document{{
		URL: "https://docs.stripe.com/api/v2/iam/api-keys", Read: "2026-11-23",
		Unverified: "the date of the preview version; how long an ended key works on",
	}, {
		URL: "https://github.com/stripe/stripe-go/blob/master/v2iam_apikey_params.go", Read: "2026-11-23",
	}},
	Lag: 2 * time.Second, EndLag: 2 * time.Minute,
	admin:  map[string]string{"key": "stripe-admin-key-9f02"},
	id:     func(n int) string { return fmt.Sprintf("mk_1Q57r1pe%08d", n) },
	secret: func(n int) string { return fmt.Sprintf("rk_test_57r1pe%032x", n*7727) },
	errors: func(_ int, what string) any {
		return object{"error": object{"type": "invalid_request_error", "message": what}}
	},
	calls: []call{{
		name: "create", method: http.MethodPost, host: "api.stripe.com", path: "/v2/iam/api_keys", auth: stripeAdmin,
		headers: map[string]string{"Idempotency-Key": "", "Stripe-Version": ""},
		json:    fields{"type": exactly("secret_key"), "name": needed, "note": may, "permissions": may, "public_key.pem_key": may, "public_key.id": may},
		do: inStripePreview(func(e *exchange) reply {
			order := e.r.Header.Get("Idempotency-Key")
			for _, k := range e.keys {
				if k.Fields["order"] == order {
					return ok(stripeKey(k, true))
				}
			}
			k := e.mint(e.text("name"))
			k.Fields["order"] = order
			return ok(stripeKey(k, true))
		}),
	}, {
		name: "list", method: http.MethodGet, host: "api.stripe.com", path: "/v2/iam/api_keys", auth: stripeAdmin,
		headers: map[string]string{"Stripe-Version": ""},
		query:   fields{"include_expired": may, "limit": may, "page": may},
		do: inStripePreview(func(e *exchange) reply {
			size, from := e.number("limit", 10), e.number("page", 0)
			all := []object{}
			for _, k := range e.page(e.listed(), size, from) {
				all = append(all, stripeKey(k, false))
			}
			body := object{"data": all, "next_page_url": nil, "previous_page_url": nil}
			if (from+1)*size < len(e.listed()) {
				body["next_page_url"] = fmt.Sprintf("/v2/iam/api_keys?limit=%d&page=%d", size, from+1)
			}
			return ok(body)
		}),
	}, {
		name: "revoke", method: http.MethodPost, host: "api.stripe.com", path: "/v2/iam/api_keys/{id}/expire", auth: stripeAdmin,
		headers: map[string]string{"Stripe-Version": ""}, also: []string{"Idempotency-Key"},
		do: inStripePreview(func(e *exchange) reply {
			k := e.byID(e.parts["id"])
			if k == nil {
				return e.fail(http.StatusNotFound, "No such API key")
			}
			e.end(k)
			return ok(stripeKey(k, false))
		}),
	}, {
		name: "check", method: http.MethodGet, host: "api.stripe.com", path: "/v1/customers",
		auth: either(keyHeader("Authorization", "Bearer "), stripeBasic), also: []string{"Stripe-Version"},
		query: fields{"limit": may},
		do: func(e *exchange) reply {
			// A key without the permission is known all the same.
			return e.fail(http.StatusForbidden, "The provided key does not have the required permissions for this endpoint")
		},
	}},
}

// In the dashboard keys are made by people.
var stripe = &Vendor{
	Name: "stripe",
	Documents: []Document{{
		URL: "https://docs.stripe.com/keys", Read: "2026-11-23",
		Unverified: "that a key without the permission is told so with 403",
	}},
	EndLag: 5 * time.Second,
	secret: func(n int) string { return fmt.Sprintf("rk_test_57r1pe%032x", n*7699) },
	errors: stripePreview.errors,
	calls:  []call{stripePreview.calls[len(stripePreview.calls)-1]},
}

// The key is the user of Basic, or a bearer token.
var stripeAdmin = auth{headers: []string{"Authorization"}, check: func(e *exchange) bool {
	given := e.r.Header.Get("Authorization")
	return given == basic(e.admin["key"], "") || given == "Bearer "+e.admin["key"]
}}

var stripeBasic = auth{headers: []string{"Authorization"}, check: func(e *exchange) bool {
	user, password, given := e.r.BasicAuth()
	return given && password == "" && e.prove(e.bySecret(user))
}}

func inStripePreview(do func(*exchange) reply) func(*exchange) reply {
	return func(e *exchange) reply {
		if !strings.HasSuffix(e.r.Header.Get("Stripe-Version"), ".preview") {
			return e.undocumented("the header Stripe-Version names no preview")
		}
		return do(e)
	}
}

func stripeKey(k *Key, new bool) object {
	status := "active"
	if !k.Ended.IsZero() {
		status = "expired"
	}
	secret := object{"secret_token_redacted": "rk_test_…"}
	if new {
		secret["token"] = k.Secret
	}
	key := object{
		"object": "v2.iam.api_key", "id": k.ID, "name": k.Name, "type": "secret_key", "status": status, "livemode": false,
		"created": k.Created.UTC().Format(time.RFC3339), "secret_key": secret, "ip_allowlist": []string{},
	}
	if !k.LastUsed.IsZero() {
		key["last_used"] = k.LastUsed.UTC().Format(time.RFC3339)
	}
	return key
}
