package vendorapi

import (
	"fmt"
	"net/http"
	"time"
)

const (
	entraTenant = "0a1b2c3d-1111-4222-8333-444455556666"
	entraObject = "f5e1d2c3-7777-4888-9999-aaaabbbbcccc"
	entraClient = "c0ffee00-1234-4567-89ab-cdef01234567"
)

// Graph is eventually consistent: a new password is listed and accepted only after a while.
var entra = &Vendor{
	Name:  "microsoft-entra",
	place: map[string]string{"tenantId": entraTenant, "applicationObjectId": entraObject, "clientId": entraClient},
	Documents: []Document{{
		URL: "https://learn.microsoft.com/graph/api/application-addpassword", Read: "2026-11-23",
		Unverified: "how long a new password takes to be listed and accepted; how many an application may have",
	}, {
		URL: "https://learn.microsoft.com/graph/api/application-removepassword", Read: "2026-11-23",
	}},
	Lag: 20 * time.Second, EndLag: 20 * time.Second, Forgetful: true,
	admin:  map[string]string{"clientId": "ad314000-0000-4000-8000-000000000001", "clientSecret": "entra-admin-client-secret-7a10"},
	id:     func(n int) string { return fmt.Sprintf("e57a0000-0000-4000-8000-%012x", n) },
	secret: func(n int) string { return fmt.Sprintf("e5T8Q~%034x", n*7853) },
	errors: func(status int, what string) any {
		return object{"error": object{"code": http.StatusText(status), "message": what}}
	},
	calls: []call{{
		name: "token", method: http.MethodPost, host: "login.microsoftonline.com", path: "/{tenant}/oauth2/v2.0/token",
		auth: auth{headers: []string{"Authorization"}},
		form: fields{"grant_type": exactly("client_credentials"), "client_id": may, "client_secret": may, "scope": needed},
		do: func(e *exchange) reply {
			id, secret, inHeader := e.clientBasic()
			if !inHeader {
				id, secret = e.text("client_id"), e.text("client_secret")
			}
			switch k := e.bySecret(secret); {
			case e.parts["tenant"] != entraTenant:
				return oauthError(http.StatusBadRequest, "invalid_request")
			case id == e.admin["clientId"] && secret == e.admin["clientSecret"]:
				return ok(bearer(e.issue("admin")))
			case id == entraClient && e.prove(k):
				k.LastUsed = e.clock()
				return ok(bearer(e.issue(k.ID)))
			}
			return oauthError(http.StatusUnauthorized, "invalid_client")
		},
	}, {
		name: "create", method: http.MethodPost, host: "graph.microsoft.com", path: "/v1.0/applications/{object}/addPassword", auth: issued,
		json: fields{"passwordCredential.displayName": needed, "passwordCredential.endDateTime": may, "passwordCredential.startDateTime": may},
		do: ofEntraApp(func(e *exchange) reply {
			if end, given := e.body["passwordCredential.endDateTime"]; given {
				if _, err := time.Parse(time.RFC3339, fmt.Sprint(end)); err != nil {
					return e.undocumented("the field passwordCredential.endDateTime is no time")
				}
			}
			k := e.mint(e.text("passwordCredential.displayName"))
			k.Fields["end"] = fmt.Sprint(e.body["passwordCredential.endDateTime"])
			made := entraPassword(k)
			made["secretText"] = k.Secret
			return ok(made)
		}),
	}, {
		name: "list", method: http.MethodGet, host: "graph.microsoft.com", path: "/v1.0/applications/{object}", auth: issued,
		query: fields{"$select": may},
		do: ofEntraApp(func(e *exchange) reply {
			all := []object{}
			for _, k := range e.listed() {
				all = append(all, entraPassword(k))
			}
			return ok(object{"id": entraObject, "appId": entraClient, "passwordCredentials": all})
		}),
	}, {
		name: "revoke", method: http.MethodPost, host: "graph.microsoft.com", path: "/v1.0/applications/{object}/removePassword", auth: issued,
		json: fields{"keyId": needed},
		do: ofEntraApp(func(e *exchange) reply {
			k := e.byID(e.text("keyId"))
			if k == nil || !e.alive(k) {
				return e.fail(http.StatusBadRequest, "No password credential found with keyId.")
			}
			e.end(k)
			return ok(nil)
		}),
	}},
}

func ofEntraApp(do func(*exchange) reply) func(*exchange) reply {
	return func(e *exchange) reply {
		if e.parts["object"] != entraObject {
			return e.fail(http.StatusNotFound, "Resource does not exist")
		}
		return do(e)
	}
}

func entraPassword(k *Key) object {
	return object{
		"keyId": k.ID, "displayName": k.Name, "startDateTime": k.Created.UTC().Format(time.RFC3339), "endDateTime": k.Fields["end"],
		"hint": k.Secret[:3], "secretText": nil, "customKeyIdentifier": nil,
	}
}
