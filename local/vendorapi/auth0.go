package vendorapi

import (
	"fmt"
	"net/http"
	"time"
)

const (
	auth0Host   = "example.eu.auth0.com"
	auth0Client = "AaiyAPdpYdesoKnqjj8HJqRn4T5titww"
)

// A client has one secret, which may be ours: it replaces the old one at once.
var auth0 = &Vendor{
	Name:  "auth0",
	place: map[string]string{"domain": auth0Host, "clientId": auth0Client},
	Documents: []Document{{
		URL: "https://auth0.com/docs/api/management/v2/clients/patch-clients-by-id", Read: "2026-11-23",
	}, {
		URL: "https://auth0.com/docs/get-started/applications/rotate-client-secret", Read: "2026-11-23",
		Unverified: "that a client may ask for a token of the Management API to prove its secret",
	}},
	Lag:   20 * time.Second, // "up to 30 seconds"
	admin: map[string]string{"clientId": "auth0-admin-client", "clientSecret": "auth0-admin-client-secret-0f3a"},
	id:    func(n int) string { return fmt.Sprintf("secret-%d", n) },
	secret: func(n int) string {
		return fmt.Sprintf("4u7h0-%058x", n*7817)
	},
	errors: func(status int, what string) any {
		return object{"statusCode": status, "error": http.StatusText(status), "message": what}
	},
	calls: []call{{
		name: "token", method: http.MethodPost, host: auth0Host, path: "/oauth/token",
		auth: auth{headers: []string{"Authorization"}},
		json: fields{"grant_type": exactly("client_credentials"), "client_id": needed, "client_secret": needed, "audience": needed, "organization": may},
		do: func(e *exchange) reply {
			k := e.bySecret(e.text("client_secret"))
			switch {
			case e.text("client_id") == e.admin["clientId"] && e.text("client_secret") == e.admin["clientSecret"] && e.text("audience") == "https://"+auth0Host+"/api/v2/":
				return ok(bearer(e.issue("admin")))
			case e.text("client_id") == auth0Client && e.prove(k):
				k.LastUsed = e.clock()
				return ok(bearer(e.issue(k.ID)))
			}
			return oauthError(http.StatusUnauthorized, "access_denied")
		},
	}, {
		name: "install", method: http.MethodPatch, host: auth0Host, path: "/api/v2/clients/{client}", auth: issued,
		json: fields{"client_secret": needed},
		do: func(e *exchange) reply {
			chosen := e.text("client_secret")
			switch {
			case e.parts["client"] != auth0Client:
				return e.fail(http.StatusNotFound, "The client does not exist")
			case len(chosen) < 48:
				return e.undocumented("the field client_secret has fewer than 48 characters")
			}
			live := e.listed()
			if len(live) == 1 && live[0].Secret == chosen {
				return ok(object{"client_id": auth0Client, "client_secret": chosen})
			}
			next := e.replace(live[len(live)-1])
			next.Secret = chosen
			return ok(object{"client_id": auth0Client, "client_secret": chosen})
		},
	}},
}
