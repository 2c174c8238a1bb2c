package vendorapi

import (
	"fmt"
	"net/http"
	"time"
)

const (
	oauthHost   = "auth.example.com"
	oauthClient = "client-7d20"
)

// An authorization server that keeps to the RFCs and rotates refresh tokens, as RFC 9700,
// section 4.14.2, asks for public clients and allows for all.
var oauthRefresh = &Vendor{
	Name:  "oauth2-refresh",
	place: map[string]string{"host": oauthHost, "clientId": oauthClient},
	Documents: []Document{
		{URL: "https://www.rfc-editor.org/rfc/rfc6749#section-6", Read: "2026-11-23"},
		{URL: "https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2", Read: "2026-11-23"},
		{URL: "https://www.rfc-editor.org/rfc/rfc7662", Read: "2026-11-23"},
	},
	Life:   time.Hour,
	admin:  map[string]string{"client_secret": "oauth-client-secret-5e7d"},
	secret: func(n int) string { return fmt.Sprintf("04u7h-access-%030x", n*7789) },
	calls: []call{{
		name: "create", method: http.MethodPost, host: oauthHost, path: "/oauth2/token", auth: oauthClientAuth,
		form: fields{"grant_type": exactly("refresh_token"), "refresh_token": needed, "scope": may},
		do: func(e *exchange) reply {
			k, first := e.refresh("refresh_token")
			if !first {
				return oauthError(http.StatusBadRequest, "invalid_grant")
			}
			next := e.renew(k)
			body := bearer(next.Secret)
			body["refresh_token"] = next.Fields["refresh"]
			return ok(body)
		},
	}, introspection, revocation},
}

// A token for a client's own sake: RFC 6749, section 4.4. Any number may live.
var oauthClientCredentials = &Vendor{
	Name:  "oauth2-client-credentials",
	place: map[string]string{"host": oauthHost, "clientId": oauthClient},
	Documents: []Document{
		{URL: "https://www.rfc-editor.org/rfc/rfc6749#section-4.4", Read: "2026-11-23"},
		{URL: "https://www.rfc-editor.org/rfc/rfc7662", Read: "2026-11-23"},
		{URL: "https://www.rfc-editor.org/rfc/rfc7009", Read: "2026-11-23"},
	},
	Life:   time.Hour,
	admin:  map[string]string{"client_secret": "oauth-client-secret-5e7d"},
	secret: func(n int) string { return fmt.Sprintf("04u7h-client-%030x", n*7759) },
	calls: []call{{
		name: "create", method: http.MethodPost, host: oauthHost, path: "/oauth2/token", auth: oauthClientAuth,
		form: fields{"grant_type": exactly("client_credentials"), "scope": may},
		do: func(e *exchange) reply {
			k := e.mint("")
			return ok(bearer(k.Secret))
		},
	}, introspection, revocation},
}

// A client that updates its own registration: RFC 7592. The reply has the client's
// secret, which the server may have changed, and perhaps another registration token.
var oauthRegistration = &Vendor{
	Name:  "oauth2-registration",
	place: map[string]string{"host": oauthHost, "clientId": oauthClient},
	Documents: []Document{
		{
			URL: "https://www.rfc-editor.org/rfc/rfc7592#section-2.2", Read: "2026-11-23",
			Unverified: "that the server gives another secret at each update, as RFC 7592 allows and does not ask for",
		},
		{URL: "https://www.rfc-editor.org/rfc/rfc7591", Read: "2026-11-23"},
	},
	secret: func(n int) string { return fmt.Sprintf("04u7h-registered-%030x", n*7757) },
	calls: []call{{
		name: "create", method: http.MethodPut, host: oauthHost, path: "/register/{client}", auth: auth{headers: []string{"Authorization"}},
		json: fields{
			"client_id": exactly(oauthClient), "client_secret": may, "client_name": may, "redirect_uris": may, "grant_types": may, "scope": may,
			"token_endpoint_auth_method": may,
		},
		do: func(e *exchange) reply {
			k := e.registered()
			switch {
			case k == nil:
				return oauthError(http.StatusUnauthorized, "invalid_token")
			case e.text("client_secret") != "" && e.text("client_secret") != k.Secret:
				return oauthError(http.StatusBadRequest, "invalid_client_metadata")
			}
			e.spend(k.ID)
			next := e.replace(k)
			return ok(registration(next))
		},
	}, {
		name: "read", method: http.MethodGet, host: oauthHost, path: "/register/{client}", auth: auth{headers: []string{"Authorization"}},
		do: func(e *exchange) reply {
			k := e.registered()
			if k == nil {
				return oauthError(http.StatusUnauthorized, "invalid_token")
			}
			return ok(registration(k))
		},
	}, {
		name: "check", method: http.MethodPost, host: oauthHost, path: "/oauth2/token", auth: auth{headers: []string{"Authorization"}},
		form: fields{"grant_type": exactly("client_credentials"), "scope": may},
		do: func(e *exchange) reply {
			id, secret, _ := e.clientBasic()
			if id != oauthClient || !e.prove(e.bySecret(secret)) {
				return oauthError(http.StatusUnauthorized, "invalid_client")
			}
			return ok(bearer(e.issue(e.key.ID)))
		},
	}},
}

var oauthClientAuth = auth{headers: []string{"Authorization"}, check: func(e *exchange) bool {
	id, secret, _ := e.clientBasic()
	return id == oauthClient && secret == e.admin["client_secret"]
}}

// introspection is RFC 7662: a token that is not known is inactive, not an error.
var introspection = call{
	name: "check", method: http.MethodPost, host: oauthHost, path: "/oauth2/introspect", auth: oauthClientAuth,
	form: fields{"token": needed, "token_type_hint": may},
	do: func(e *exchange) reply {
		k := e.bySecret(e.text("token"))
		return ok(object{"active": k != nil && e.works(k)})
	},
}

// revocation is RFC 7009: ending a token that is not known succeeds.
var revocation = call{
	name: "revoke", method: http.MethodPost, host: oauthHost, path: "/oauth2/revoke", auth: oauthClientAuth,
	form: fields{"token": needed, "token_type_hint": may},
	do: func(e *exchange) reply {
		if k := e.bySecret(e.text("token")); k != nil {
			e.end(k)
		}
		return ok(object{})
	},
}

// registered is the living key whose registration token the request has.
func (e *exchange) registered() *Key {
	for _, k := range e.keys {
		token := k.Fields["registration"]
		if e.alive(k) && token != "" && e.r.Header.Get("Authorization") == "Bearer "+token && e.parts["client"] == oauthClient {
			return k
		}
	}
	return nil
}

func registration(k *Key) object {
	return object{
		"client_id": oauthClient, "client_secret": k.Secret, "client_secret_expires_at": 0, "registration_access_token": k.Fields["registration"],
		"registration_client_uri": "https://" + oauthHost + "/register/" + oauthClient, "grant_types": []string{"client_credentials"},
	}
}
