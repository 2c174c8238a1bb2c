package vendorapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	gcpAccount = "app@example-project.iam.gserviceaccount.com"
	gcpAdmin   = "rotator@example-project.iam.gserviceaccount.com"
)

// The user-managed keys of one service account. They have no names.
var gcp = &Vendor{
	Name:  "gcp-service-account",
	place: map[string]string{"client_email": gcpAccount},
	Documents: []Document{{
		URL: "https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys", Read: "2026-11-23",
		Unverified: "the status of the reply where there are ten keys",
	}, {
		URL: "https://cloud.google.com/iam/quotas", Read: "2026-11-23",
	}, {
		URL: "https://developers.google.com/identity/protocols/oauth2/service-account", Read: "2026-11-23",
		Unverified: "how long a new key takes to be accepted (60 seconds and more are told)",
	}},
	Limit: 10,
	Lag:   3 * time.Second, EndLag: 3 * time.Second,
	admin: map[string]string{"client_email": gcpAdmin, "private_key_id": "gcp-admin-key-id-0001"},
	id:    func(n int) string { return fmt.Sprintf("6c9e0000%032x", n) },
	secret: func(n int) string {
		// The same key pair, in a form that tells one from another.
		return strings.TrimSpace(signerPEM()) + strings.Repeat("\n", n)
	},
	errors: func(status int, what string) any {
		return object{"error": object{"code": status, "message": what, "status": http.StatusText(status)}}
	},
	calls: []call{{
		name: "token", method: http.MethodPost, host: "oauth2.googleapis.com", path: "/token",
		form: fields{"grant_type": exactly("urn:ietf:params:oauth:grant-type:jwt-bearer"), "assertion": needed},
		do: func(e *exchange) reply {
			t := readJWT(e.text("assertion"), e.clock(), time.Hour)
			if t == nil || t.claims["aud"] != "https://oauth2.googleapis.com/token" || t.claims["scope"] == nil {
				return oauthError(http.StatusBadRequest, "invalid_grant")
			}
			switch k := e.byID(t.keyID); {
			case t.claims["iss"] == gcpAdmin && t.keyID == e.admin["private_key_id"]:
				return ok(bearer(e.issue("admin")))
			case t.claims["iss"] == gcpAccount && e.prove(k):
				k.LastUsed = e.clock()
				return ok(bearer(e.issue(k.ID)))
			}
			return oauthError(http.StatusBadRequest, "invalid_grant")
		},
	}, {
		// Who has no permission is told so; who is not known is not.
		name: "check", method: http.MethodGet, host: "iam.googleapis.com", path: "/v1/projects/-/serviceAccounts/{account}", auth: issued,
		do: ofGCPAccount(func(e *exchange) reply { return e.fail(http.StatusForbidden, "Permission denied") }),
	}, {
		name: "create", method: http.MethodPost, host: "iam.googleapis.com", path: "/v1/projects/-/serviceAccounts/{account}/keys", auth: issued,
		json: fields{"privateKeyType": one("TYPE_GOOGLE_CREDENTIALS_FILE"), "keyAlgorithm": one("KEY_ALG_RSA_2048", "KEY_ALG_RSA_1024")},
		do: ofGCPAccount(func(e *exchange) reply {
			k := e.mint("")
			if k == nil {
				return e.fail(http.StatusTooManyRequests, "Maximum number of keys on account reached.")
			}
			file, _ := json.Marshal(gcpCredentials(gcpAccount, k.ID, k.Secret)) // of strings
			made := gcpKey(k)
			made["privateKeyType"] = "TYPE_GOOGLE_CREDENTIALS_FILE"
			made["privateKeyData"] = base64.StdEncoding.EncodeToString(file)
			return ok(made)
		}),
	}, {
		name: "list", method: http.MethodGet, host: "iam.googleapis.com", path: "/v1/projects/-/serviceAccounts/{account}/keys", auth: issued,
		query: fields{"keyTypes": one("USER_MANAGED", "SYSTEM_MANAGED")},
		do: ofGCPAccount(func(e *exchange) reply {
			all := []object{}
			if e.query.Get("keyTypes") != "USER_MANAGED" {
				all = append(all, gcpKey(&Key{ID: "0000googles0wn", Created: e.clock()}))
				all[0]["keyType"] = "SYSTEM_MANAGED"
			}
			for _, k := range e.listed() {
				all = append(all, gcpKey(k))
			}
			return ok(object{"keys": all})
		}),
	}, {
		name: "revoke", method: http.MethodDelete, host: "iam.googleapis.com", path: "/v1/projects/-/serviceAccounts/{account}/keys/{id}", auth: issued,
		do: ofGCPAccount(endKey("id", ok(object{}))),
	}},
}

func ofGCPAccount(do func(*exchange) reply) func(*exchange) reply {
	return func(e *exchange) reply {
		if e.parts["account"] != gcpAccount {
			return e.fail(http.StatusNotFound, "Unknown service account")
		}
		return do(e)
	}
}

// gcpCredentials is the file that a client library reads.
func gcpCredentials(account, id, private string) map[string]string {
	return map[string]string{
		"type": "service_account", "project_id": "example-project", "private_key_id": id, "private_key": private,
		"client_email": account, "client_id": "104567890123456789012", "token_uri": "https://oauth2.googleapis.com/token",
	}
}

func gcpKey(k *Key) object {
	return object{
		"name": "projects/example-project/serviceAccounts/" + gcpAccount + "/keys/" + k.ID, "keyAlgorithm": "KEY_ALG_RSA_2048",
		"validAfterTime": k.Created.UTC().Format(time.RFC3339), "validBeforeTime": "9999-12-31T23:59:59Z", "keyOrigin": "GOOGLE_PROVIDED", "keyType": "USER_MANAGED",
	}
}
