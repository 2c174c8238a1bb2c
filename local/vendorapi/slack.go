package vendorapi

import (
	"fmt"
	"net/http"
	"time"
)

const slackClient = "4724469134.4644010092847"

// Slack's tokens end after twelve hours; the refresh token can be used once. Failures
// come with status 200 and "ok": false.
var slack = &Vendor{
	Name:  "slack",
	place: map[string]string{"clientId": slackClient},
	Documents: []Document{{
		URL: "https://docs.slack.dev/authentication/using-token-rotation", Read: "2026-11-23",
		Unverified: "that the old access token works until it ends by itself; what becomes of the new tokens when a refresh token is used again",
	}, {
		URL: "https://docs.slack.dev/reference/methods/oauth.v2.access", Read: "2026-11-23",
	}},
	Life:   12 * time.Hour,
	admin:  map[string]string{"client_secret": "slack-client-secret-e1b9e1"},
	id:     func(n int) string { return fmt.Sprintf("slack-%d", n) },
	secret: func(n int) string { return fmt.Sprintf("xoxe.xoxb-1-51ack%024x", n*7793) },
	errors: func(_ int, what string) any { return object{"ok": false, "error": what} },
	calls: []call{{
		name: "create", method: http.MethodPost, host: "slack.com", path: "/api/oauth.v2.access",
		auth: auth{headers: []string{"Authorization"}},
		form: fields{"grant_type": exactly("refresh_token"), "refresh_token": needed, "client_id": may, "client_secret": may},
		do: func(e *exchange) reply {
			id, secret, inHeader := e.clientBasic()
			if !inHeader {
				id, secret = e.text("client_id"), e.text("client_secret")
			}
			if id != slackClient || secret != e.admin["client_secret"] {
				return reply{status: http.StatusOK, body: e.errors(0, "bad_client_secret")}
			}
			k, first := e.refresh("refresh_token")
			if !first {
				return reply{status: http.StatusOK, body: e.errors(0, "invalid_refresh_token")}
			}
			next := e.renew(k)
			return ok(object{
				"ok": true, "access_token": next.Secret, "refresh_token": next.Fields["refresh"], "token_type": "bot", "expires_in": 43200,
				"scope": "chat:write", "bot_user_id": "U0KRQLJ9H", "app_id": "A0KRD7HC3", "team": object{"id": "T9TK3CUKW", "name": "Example"},
			})
		},
	}, {
		name: "check", method: http.MethodPost, host: "slack.com", path: "/api/auth.test", auth: auth{headers: []string{"Authorization"}},
		do: func(e *exchange) reply {
			if !keyHeader("Authorization", "Bearer ").check(e) {
				return reply{status: http.StatusOK, body: e.errors(0, "invalid_auth")}
			}
			return ok(object{"ok": true, "team": "Example", "user_id": "U0KRQLJ9H"})
		},
	}, {
		name: "revoke", method: http.MethodPost, host: "slack.com", path: "/api/auth.revoke", auth: keyHeader("Authorization", "Bearer "),
		form: fields{"test": may, "token": may},
		do: func(e *exchange) reply {
			e.end(e.key)
			return ok(object{"ok": true, "revoked": true})
		},
	}},
}

// refresh finds the key whose refresh token the body has, and reports whether the token
// is used for the first time. A second time ends what came of the first (RFC 6819,
// section 5.2.2.3).
func (e *exchange) refresh(field string) (*Key, bool) {
	for _, k := range e.keys {
		if k.Fields["refresh"] != "" && k.Fields["refresh"] == e.text(field) {
			if !e.spend(k.Fields["refresh"]) {
				e.endFamily(k.Family)
				return k, false
			}
			return k, true
		}
	}
	return nil, false
}

// renew mints the key that comes of a refresh token; the old key works on until it ends
// by itself.
func (e *exchange) renew(k *Key) *Key {
	next := e.mint(k.Name)
	next.Family = k.Family
	return next
}
