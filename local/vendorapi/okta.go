package vendorapi

import (
	"fmt"
	"net/http"
	"time"
)

const (
	oktaHost = "example.okta.com"
	oktaApp  = "0oafxqcajwwgelftyasj"
)

// The client secrets of one application. A secret may be ours; it is made inactive
// before it can be deleted.
var okta = &Vendor{
	Name:  "okta",
	place: map[string]string{"domain": oktaHost, "clientId": oktaApp},
	Documents: []Document{{
		URL: "https://developer.okta.com/docs/api/openapi/okta-management/management/tag/ApplicationSSOCredentialOAuth2ClientAuth/", Read: "2026-11-23",
		Unverified: "that introspection of a made-up token proves the client's secret",
	}, {
		URL: "https://developer.okta.com/docs/guides/client-secret-rotation-key/main/", Read: "2026-11-23",
	}},
	Limit: 2,
	Lag:   time.Second,
	admin: map[string]string{"apiToken": "00okta-admin-token-c5e0"},
	id:    func(n int) string { return fmt.Sprintf("ocs14izzvk9BGL%06d", n) },
	secret: func(n int) string {
		return fmt.Sprintf("0kt4_%035x", n*7841)
	},
	errors: func(status int, what string) any {
		code := map[int]string{http.StatusBadRequest: "E0000001", http.StatusUnauthorized: "E0000011", http.StatusNotFound: "E0000007"}[status]
		return object{"errorCode": code, "errorSummary": what, "errorLink": code, "errorId": "oae1", "errorCauses": []object{}}
	},
	calls: []call{{
		name: "create", method: http.MethodPost, host: oktaHost, path: "/api/v1/apps/{app}/credentials/secrets", auth: oktaAdmin,
		json: fields{"client_secret": may, "status": one("ACTIVE", "INACTIVE")},
		do: ofOktaApp(func(e *exchange) reply {
			if chosen := e.text("client_secret"); chosen != "" {
				if len(chosen) < 14 || len(chosen) > 100 {
					return e.undocumented("the field client_secret has fewer than 14 or more than 100 characters")
				}
				if e.bySecret(chosen) != nil && e.alive(e.bySecret(chosen)) {
					return e.fail(http.StatusBadRequest, "Api validation failed: client_secret")
				}
			}
			k := e.mint("")
			if k == nil {
				return e.fail(http.StatusBadRequest, "Api validation failed: You've reached the maximum number of client secrets per client.")
			}
			if chosen := e.text("client_secret"); chosen != "" {
				k.Secret = chosen
			}
			return created(oktaSecret(k))
		}),
	}, {
		name: "list", method: http.MethodGet, host: oktaHost, path: "/api/v1/apps/{app}/credentials/secrets", auth: oktaAdmin,
		do: ofOktaApp(func(e *exchange) reply {
			all := []object{}
			for _, k := range e.listed() {
				all = append(all, oktaSecret(k))
			}
			return ok(all)
		}),
	}, {
		name: "deactivate", method: http.MethodPost, host: oktaHost, path: "/api/v1/apps/{app}/credentials/secrets/{id}/lifecycle/deactivate", auth: oktaAdmin,
		do: ofOktaApp(func(e *exchange) reply {
			k := e.byID(e.parts["id"])
			if k == nil || !e.alive(k) {
				return e.fail(http.StatusNotFound, "Not found")
			}
			k.Disabled = true
			return ok(oktaSecret(k))
		}),
	}, {
		name: "revoke", method: http.MethodDelete, host: oktaHost, path: "/api/v1/apps/{app}/credentials/secrets/{id}", auth: oktaAdmin,
		do: ofOktaApp(func(e *exchange) reply {
			if k := e.byID(e.parts["id"]); k != nil && e.alive(k) && !k.Disabled {
				return e.fail(http.StatusBadRequest, "Api validation failed: an active secret cannot be deleted")
			}
			return endKey("id", ok(nil))(e)
		}),
	}, {
		name: "check", method: http.MethodPost, host: oktaHost, path: "/oauth2/v1/introspect", auth: auth{headers: []string{"Authorization"}},
		form: fields{"token": needed, "token_type_hint": may},
		do: func(e *exchange) reply {
			id, secret, _ := e.clientBasic()
			if id != oktaApp || !e.prove(e.bySecret(secret)) {
				return oauthError(http.StatusUnauthorized, "invalid_client")
			}
			return ok(object{"active": false})
		},
	}},
}

var oktaAdmin = auth{headers: []string{"Authorization"}, check: func(e *exchange) bool {
	return e.r.Header.Get("Authorization") == "SSWS "+e.admin["apiToken"]
}}

func ofOktaApp(do func(*exchange) reply) func(*exchange) reply {
	return func(e *exchange) reply {
		if e.parts["app"] != oktaApp {
			return e.fail(http.StatusNotFound, "Not found")
		}
		return do(e)
	}
}

func oktaSecret(k *Key) object {
	status := "ACTIVE"
	if k.Disabled {
		status = "INACTIVE"
	}
	return object{
		"id": k.ID, "status": status, "created": k.Created.Format(time.RFC3339), "lastUpdated": k.Created.Format(time.RFC3339),
		"client_secret": k.Secret, "secret_hash": "jMur1qOhMw_MtC9aQo7YEg",
	}
}
