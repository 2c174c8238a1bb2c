package vendorapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	atlasOrg    = "5e2211c17a3e5a48f5497de3"
	atlasClient = "mdb_sa_id_66c5b1f2a9d0e3471b8c2d10"
)

// The secrets of one service account. A new secret shortens the life of the old one
// to seven days.
var atlas = &Vendor{
	Name:  "mongodb-atlas",
	place: map[string]string{"orgId": atlasOrg, "clientId": atlasClient},
	Documents: []Document{{
		URL: "https://www.mongodb.com/docs/api/doc/atlas-admin-api-v2/group/endpoint-service-accounts", Read: "2026-11-23",
		Unverified: "that two secrets may live at once, and the reply where there are two; that a list is the service account's description",
	}, {
		URL: "https://www.mongodb.com/docs/atlas/tutorial/rotate-service-account-secrets/", Read: "2026-11-23",
	}, {
		URL: "https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partner-MongoDBAtlasServiceAccount.html", Read: "2026-11-23",
	}},
	Limit: 2,
	Lag:   2 * time.Second,
	admin: map[string]string{"clientId": "mdb_sa_id_0000000000000000000admin", "clientSecret": "mdb_sa_sk_admin-4410ce"},
	id:    func(n int) string { return fmt.Sprintf("66c5b1f2a9d0%012x", n) },
	secret: func(n int) string {
		return fmt.Sprintf("mdb_sa_sk_%040x", n*7873)
	},
	errors: func(status int, what string) any {
		code := strings.ToUpper(strings.ReplaceAll(what, " ", "_"))
		return object{"error": status, "errorCode": code, "detail": what, "reason": http.StatusText(status)}
	},
	calls: []call{{
		name: "token", method: http.MethodPost, host: "cloud.mongodb.com", path: "/api/oauth/token",
		auth: auth{headers: []string{"Authorization"}},
		form: fields{"grant_type": exactly("client_credentials"), "scope": may},
		do: func(e *exchange) reply {
			id, secret, _ := e.clientBasic()
			switch k := e.bySecret(secret); {
			case id == e.admin["clientId"] && secret == e.admin["clientSecret"]:
				return ok(bearer(e.issue("admin")))
			case id == atlasClient && e.prove(k):
				k.LastUsed = e.clock()
				return ok(bearer(e.issue(k.ID)))
			}
			return oauthError(http.StatusUnauthorized, "invalid_client")
		},
	}, {
		name: "create", method: http.MethodPost, host: "cloud.mongodb.com", path: "/api/atlas/v2/orgs/{org}/serviceAccounts/{client}/secrets", auth: issued,
		json: fields{"secretExpiresAfterHours": needed},
		do: inAtlas(func(e *exchange) reply {
			hours, _ := e.body["secretExpiresAfterHours"].(float64)
			if hours < 8 || hours > 365*24 {
				return e.undocumented("the field secretExpiresAfterHours is not a number from 8 to 8760")
			}
			k := e.mint("")
			if k == nil {
				return e.fail(http.StatusBadRequest, "service account secrets limit reached")
			}
			k.Fields["expires"] = k.Created.Add(time.Duration(hours) * time.Hour).Format(time.RFC3339)
			made := atlasSecret(k)
			made["secret"] = k.Secret
			return created(made)
		}),
	}, {
		name: "list", method: http.MethodGet, host: "cloud.mongodb.com", path: "/api/atlas/v2/orgs/{org}/serviceAccounts/{client}", auth: issued,
		do: inAtlas(func(e *exchange) reply {
			all := []object{}
			for _, k := range e.listed() {
				all = append(all, atlasSecret(k))
			}
			return ok(object{"clientId": atlasClient, "name": "app", "roles": []string{"ORG_READ_ONLY"}, "secrets": all})
		}),
	}, {
		name: "revoke", method: http.MethodDelete, host: "cloud.mongodb.com", path: "/api/atlas/v2/orgs/{org}/serviceAccounts/{client}/secrets/{id}", auth: issued,
		do: inAtlas(endKey("id", ok(nil))),
	}},
}

// inAtlas holds the Accept header to a version of the API.
func inAtlas(do func(*exchange) reply) func(*exchange) reply {
	return func(e *exchange) reply {
		accept := e.r.Header.Get("Accept")
		switch {
		case !strings.HasPrefix(accept, "application/vnd.atlas.20") || !strings.HasSuffix(accept, "+json"):
			return e.undocumented("the header Accept names no version of the API")
		case e.parts["org"] != atlasOrg || e.parts["client"] != atlasClient:
			return e.fail(http.StatusNotFound, "not found")
		}
		return do(e)
	}
}

func atlasSecret(k *Key) object {
	s := object{"id": k.ID, "createdAt": k.Created.Format(time.RFC3339), "expiresAt": k.Fields["expires"], "maskedSecretValue": "mdb_sa_sk_****"}
	if !k.LastUsed.IsZero() {
		s["lastUsedAt"] = k.LastUsed.Format(time.RFC3339)
	}
	return s
}

func bearer(token string) object {
	return object{"access_token": token, "token_type": "Bearer", "expires_in": 3600}
}
